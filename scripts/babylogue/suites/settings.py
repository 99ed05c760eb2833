"""Settings of evaluation: where benchmarks lie and how scoring runs."""

from pydantic import Field

from ..network.settings import NetworkSettings
from ..settings import LocalPath, Settings, UnorderedTable
from .releases import Address, PublicUrl


class LexicalDecisionSettings(Settings):
    """The generated lexical decision task."""

    pairs: int = Field(600, gt=0)
    """Pairs of a word and a non-word."""
    seed: int = 0
    """Seed of the drawing."""


class SuiteSettings(Settings):
    """Evaluation."""

    mirror: LocalPath | None = None
    """Folder with the benchmarks as their homes lay them out (evaluation_data, zorro); null: none."""
    download: bool = True
    """Whether the releases of suites that the mirror lacks are downloaded; nothing is where no suite needs it."""
    urls: UnorderedTable[Address, PublicUrl] = {}
    """Addresses in place of the homes' own, as of a mirror on the web: babylm_2025, zorro, ewok_vocabulary."""
    network: NetworkSettings = NetworkSettings()
    """How patiently the homes are asked."""
    batch_tokens: int = Field(2048, gt=0)
    """Padded tokens in one forward pass, which bounds the memory of scoring; a GPU is faster with more."""
    lexical_decision: LexicalDecisionSettings = LexicalDecisionSettings()
    """The generated lexical decision task."""
