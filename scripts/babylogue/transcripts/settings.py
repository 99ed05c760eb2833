"""Settings of the first stage: where transcripts come from, how they are split and cut into triplets."""

from typing import Literal

from pydantic import Field, model_validator

from ..settings import LocalPath, Settings, UnorderedList, UnorderedTable
from .childes_db.settings import ChildesDbSettings
from .talkbank.settings import TalkBankSettings
from .toy.settings import ToySettings

PARTS = ("pretrain", "tune", "validation", "test")


class TranscriptSettings(Settings):
    """The source of the transcripts."""

    source: Literal["toy", "local", "talkbank", "childes_db"] = "toy"
    """toy: generated talk. local: .cha files and zips of them below `path`. talkbank: zips of CHILDES, downloaded
    with your login. childes_db: its tables on Redivis, by version."""
    path: LocalPath | None = None
    """Folder of the local source."""
    talkbank: TalkBankSettings | None = None
    """What the source talkbank downloads."""
    childes_db: ChildesDbSettings | None = None
    """What the source childes_db fetches."""
    max_rejected_share: float = Field(0.05, ge=0, le=1)
    """The run stops when a larger share of the files cannot be read."""
    toy: ToySettings = ToySettings()
    """The generator's own settings."""

    @model_validator(mode="after")
    def _path_fits_source(self):
        if (self.source == "local") != (self.path is not None):
            raise ValueError("source 'local' needs `path`, the folder of transcripts; other sources have none")
        if self.source == "talkbank" and self.talkbank is None:
            raise ValueError("source 'talkbank' needs `talkbank: {corpora: [...]}`, what is to be downloaded")
        if self.source == "childes_db" and self.childes_db is None:
            raise ValueError("source 'childes_db' needs `childes_db: {version: \"1.4\", collections: [...]}`")
        return self


class AdultDialogueSettings(Settings):
    """Transcripts of adults who talk to each other, which pre-training can mix in."""

    path: LocalPath | None = None
    """Folder of .cha files and of zips of them; null: none."""


class SplitSettings(Settings):
    """How transcripts are divided into the parts pretrain, tune, validation and test."""

    by: Literal["child", "triplet"] = "child"
    """child: no child is in two parts. triplet: as in the paper, with its leakage (Padovani et al. 2025)."""
    shares: UnorderedTable[Literal["pretrain", "tune", "validation", "test"], float] = {
        "pretrain": 0.6,
        "tune": 0.22,
        "validation": 0.04,
        "test": 0.14,
    }
    """Share of each part in all words; must add up to 1."""
    seed: int = 0
    """Seed of the assignment."""

    @model_validator(mode="after")
    def _shares_are_complete(self):
        if (
            set(self.shares) != set(PARTS)
            or abs(sum(self.shares.values()) - 1) > 1e-6
            or min(self.shares.values()) <= 0
        ):
            raise ValueError(f"shares must name {', '.join(PARTS)}, be positive and add up to 1")
        return self


class TripletSettings(Settings):
    """How utterances become triplets of consecutive turns (Padovani et al. 2025, section 3)."""

    stride: Literal[1, 3] = 1
    """Utterances from one triplet to the next: 1 slides, 3 gives disjoint triplets."""
    merge_turns: bool = False
    """Whether consecutive utterances of one speaker count as one turn."""
    min_words: int = Field(5, ge=0)
    """Fewest lexical words in a triplet."""
    min_speakers: int = Field(2, ge=1, le=3)
    """Fewest different speakers in a triplet."""
    exclude_roles: UnorderedList[str] = ["Environment", "Media", "Non_Human", "Toy"]
    """Roles whose utterances are left out."""
    pretrain_words: int | None = Field(None, gt=0)
    """Budget of the pretrain part in lexical words, overlaps of sliding triplets counted; null: all of it."""
    min_age_months: float | None = Field(None, gt=0)
    """Transcripts of younger target children are left out; null: none. A child of unknown age stays."""
    max_age_months: float | None = Field(None, gt=0)
    """Transcripts of older target children are left out; null: none."""
    seed: int = 0
    """Seed of the order in which transcripts fill the budget, and of `by: triplet`."""
