"""Settings of evaluation: where benchmarks lie and how scoring runs."""

from pydantic import Field

from ..settings import Settings


class LexicalDecisionSettings(Settings):
    """The generated lexical decision task."""

    pairs: int = Field(600, gt=0)
    """Pairs of a word and a non-word."""
    seed: int = 0
    """Seed of the drawing."""


class SuiteSettings(Settings):
    """Evaluation."""

    mirror: str | None = None
    """Folder with the benchmarks as their homes lay them out (evaluation_data, zorro); null: none."""
    batch_tokens: int = Field(2048, gt=0)
    """Padded tokens in one forward pass, which bounds the memory of scoring; a GPU is faster with more."""
    lexical_decision: LexicalDecisionSettings = LexicalDecisionSettings()
    """The generated lexical decision task."""
