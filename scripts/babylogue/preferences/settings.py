"""Settings of preference pairs and of DPO."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..settings import LocalPath, Settings, UnorderedList, UnorderedTable


class NaturalPairs(Settings):
    """A caregiver turn, its real child reply (chosen) and another child reply (rejected)."""

    kind: Literal["natural"] = "natural"
    """Which construction."""
    part: Literal["tune", "test"] = "tune"
    """Part of the corpus: tune for training, test for the dialogue suites."""
    match: Literal["words", "tokens"] = "words"
    """What chosen and rejected have equally many of: lexical words, or subword tokens."""
    construction: Literal["two_sided", "published"] = "two_sided"
    """two_sided: both replies pass the same filters. published: the paper's, chosen filtered alone."""
    max_pairs: int = Field(2000, gt=0)
    """Pairs at most."""
    min_prompt_words: int = Field(2, ge=1)
    """Fewest lexical words in the caregiver's turn."""
    min_reply_words: int = Field(1, ge=1)
    """Fewest lexical words in a reply."""
    age_band_months: int = Field(6, gt=0)
    """Chosen and rejected come from children of one corpus whose ages fall into the same band of this width."""
    seed: int = 0
    """Seed of the drawing."""

    @model_validator(mode="before")
    @classmethod
    def _no_share_of_its_own(cls, values):
        if isinstance(values, dict) and "heldout_share" in values:
            raise ValueError(
                "heldout_share: all natural sets hold out the same children; set tuning.validation_share instead"
            )
        return values


class SyntheticPairs(Settings):
    """The prompts of a natural set with a chosen reply written by the teacher."""

    kind: Literal["synthetic"]
    """Which construction."""
    base: str
    """The natural set whose prompts and child replies are used."""
    form: Literal["chat", "raw"] = "chat"
    """chat: brought to CHAT form, matched in words and terminator. raw: as published, matched in nothing
    and unfiltered but for empty replies and ones equal to the child's."""
    max_words: int = Field(10, ge=1)
    """Longest chosen reply of the chat form, in lexical words."""
    max_reply_share: float = Field(0.05, gt=0, le=1)
    """Share of the prompts to which one reply, case apart, may be the chosen one in the chat form; further uses
    are left out."""
    seed: int = 0
    """Seed of the drawing of rejected replies."""


VIOLATIONS = ("agreement", "order", "case")
"""What a syntactic pair may violate."""


class SyntaxPairs(Settings):
    """A sentence of the corpus (chosen) against itself with one violation of grammar (rejected)."""

    kind: Literal["syntax"]
    """Which construction."""
    base: str
    """The natural set whose part of the corpus is used, and with which it can be mixed."""
    violations: UnorderedList[Literal["agreement", "order", "case"]] = Field(list(VIOLATIONS), min_length=1)
    """What is violated, in equal shares where there are sentences enough."""
    max_pairs: int = Field(2000, gt=0)
    """Pairs at most."""
    min_words: int = Field(3, ge=2)
    """Fewest lexical words in a sentence."""
    seed: int = 0
    """Seed of the drawing."""


class MixedPairs(Settings):
    """Pairs drawn from other sets by share, at the size of the smallest of them."""

    kind: Literal["mixed"]
    """Which construction."""
    shares: UnorderedTable[str, Annotated[float, Field(ge=0)]]
    """Pair set -> share; they add up to 1. A set with share 0 bounds the size alone."""
    seed: int = 0
    """Seed of the drawing."""

    @model_validator(mode="after")
    def _shares_add_up(self):
        if abs(sum(self.shares.values()) - 1) > 1e-6 or min(self.shares.values()) < 0:
            raise ValueError("shares must not be negative and add up to 1")
        return self


class GivenPairs(Settings):
    """Pairs made elsewhere, with the fields prompt, chosen and rejected: exactly one of `path` and `hub`."""

    kind: Literal["given"]
    """Which construction."""
    path: LocalPath | None = None
    """A JSON list, JSON lines, CSV or parquet file on this machine."""
    hub: str | None = None
    """Dataset on the Hugging Face Hub, `owner/name`."""
    revision: str = "main"
    """Branch, tag or commit of the Hub dataset."""
    split: str = "train"
    """Split of the Hub dataset."""
    max_pairs: int | None = Field(None, gt=0)
    """Pairs at most, drawn with the seed; null: all."""
    part: Literal["tune", "test"] = "tune"
    """What the set is for: tune for training, test for the dialogue suites."""
    heldout_share: float = Field(0.1, ge=0, lt=1)
    """Share of the pairs, whole prompts, that tuning is judged by; all of the test part is held out."""
    seed: int = 0
    """Seed of the drawing of prompts."""

    @model_validator(mode="after")
    def _one_source(self):
        if bool(self.path) == bool(self.hub):
            raise ValueError("give exactly one of path and hub")
        return self


PairSettings = Annotated[
    NaturalPairs | SyntheticPairs | SyntaxPairs | MixedPairs | GivenPairs, Field(discriminator="kind")
]


class DPOSettings(Settings):
    """Direct preference optimisation (Rafailov et al. 2023) of a parent model, by trl."""

    pairs: str
    """The pair set that is trained on, a row of `pairs`."""
    beta: float = Field(0.1, gt=0)
    """Strength of the pull to the reference model."""
    learning_rate: float = Field(1e-4, gt=0)
    """Peak learning rate of AdamW."""
    epochs: float = Field(1.0, gt=0)
    """Passes over the training pairs."""
    batch_size: int = Field(32, gt=0)
    """Pairs in a step of the optimiser."""
    evaluations: int = Field(6, gt=0)
    """Evaluations on held-out pairs spread over the run; `best` is the model at the most accurate one."""
    patience: int | None = Field(3, gt=0)
    """Evaluations without a gain in accuracy after which the run stops; null: it never does."""
    checkpoints: list[Annotated[int, Field(gt=0)]] = []
    """Epochs after which a checkpoint is kept, as `epoch_1`, `epoch_2` ...; ascending."""
    warmup_share: float = Field(0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises linearly."""
    length_normalised: bool = False
    """Whether the loss takes log-probabilities a token (trl's sigmoid_norm) in place of a reply's sum."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Probability that a pair is the wrong way round (robust DPO, Chowdhury et al. 2024)."""
    sft_weight: float = Field(0.0, ge=0)
    """Weight of the chosen replies' negative log-likelihood a token, added to the loss."""

    @model_validator(mode="after")
    def _consistent(self):
        if self.checkpoints != sorted(set(self.checkpoints)):
            raise ValueError(f"checkpoints: epochs ascending, each once, not {self.checkpoints}")
        if self.checkpoints and self.checkpoints[-1] > self.epochs:
            raise ValueError(
                f"checkpoints: {self.checkpoints[-1]} is beyond the {self.epochs:g} epochs of the run"
            )
        if self.length_normalised and self.label_smoothing:
            raise ValueError("label_smoothing: not with length_normalised, trl has no loss with both; drop one")
        return self

    def checkpoint_names(self) -> list[str]:
        """The names under which the model's checkpoints are published."""
        return [*map(epoch_name, self.checkpoints), "best", "final"]


def epoch_name(epoch: int) -> str:
    """The name of the checkpoint after an epoch, counted from 1."""
    return f"epoch_{epoch}"
