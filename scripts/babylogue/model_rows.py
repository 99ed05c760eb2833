"""Rows of the tables of models: what each method asks for, and the order that tables are shown in."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from .model.settings import PretrainSettings
from .preferences.settings import DPOSettings
from .reinforcement.group_settings import GRPOSettings, RLOOSettings
from .reinforcement.rewards.registry import REWARDS, terms
from .reinforcement.settings import PPOSettings, RewardSetting
from .settings import Settings
from .teacher.settings import PublishedModel


class PretrainRow(PretrainSettings):
    """A model trained from scratch."""

    method: Literal["pretrain"]
    """How the model is made."""

    @property
    def kept(self) -> str:
        """The checkpoint that the model is judged by."""
        return "final"


class TunedRow(Settings):
    """A model that starts from another one."""

    parent: str
    """The model that this one starts from: a row of `models` or of `published`."""
    parent_checkpoint: str = "final"
    """Which of the parent's checkpoints; of no account for a published model."""
    kept: Literal["best", "final"] = "best"
    """The checkpoint that the model is judged by: best on held-out data, or the last."""

    def checkpoint_names(self) -> list[str]:
        """The names under which the model's checkpoints are published."""
        return ["best", "final"]

    def words_at(self) -> dict[str, int]:
        """Checkpoint -> words seen: a tuned model counts none."""
        return {}


class DPORow(DPOSettings, TunedRow):
    """A model tuned by direct preference optimisation."""

    method: Literal["dpo"]
    """How the model is made."""


class RewardedRow(TunedRow):
    """A model tuned on what its own replies earn."""

    reward: RewardSetting
    """What replies are rewarded for: a name, or a weighted sum, {bleu: 0.5, grammaticality: 0.5}, of terms brought
    to 0 to 1, each weight a number or a schedule."""
    dpo_model: str | None = None
    """The DPO row of the same parent that the reward `implicit_reward` is of; no other reward asks for it."""
    heldout_pairs: str
    """The natural pair set on whose held-out part the run is watched."""


class PPORow(PPOSettings, RewardedRow):
    """A model tuned by proximal policy optimisation."""

    method: Literal["ppo"]
    """How the model is made."""


class GRPORow(GRPOSettings, RewardedRow):
    """A model tuned by group relative policy optimisation."""

    method: Literal["grpo"]
    """How the model is made."""


class RLOORow(RLOOSettings, RewardedRow):
    """A model tuned by REINFORCE with a leave-one-out baseline."""

    method: Literal["rloo"]
    """How the model is made."""


ROWS = {"pretrain": PretrainRow, "dpo": DPORow, "ppo": PPORow, "grpo": GRPORow, "rloo": RLOORow}
"""Method -> what its rows are."""
ModelRow = Annotated[PretrainRow | DPORow | PPORow | GRPORow | RLOORow, Field(discriminator="method")]


class PublishedRow(PublishedModel):
    """A model made elsewhere, and what it may be asked."""

    fit_to_judge: bool = True
    """Whether LLM scores that it gives as the teacher's judge mean anything. With false the report and the model
    cards say that they do not; nothing else changes."""


PAIR_KINDS = ("natural", "synthetic", "syntax", "mixed", "given")


def models_in_order(models: Mapping, pairs: Mapping, reference: str | None) -> dict:
    """The rows of `models`: the reference first, then by method, by what is tuned on, and by name."""
    places = {name: place for place, name in enumerate(pairs_in_order(pairs))}
    methods, rewards = list(ROWS), list(REWARDS)

    def key(name: str) -> tuple:
        row = models[name]
        tuned_on: list[int] = []
        if isinstance(row, DPORow):
            tuned_on = [places[row.pairs]]
        elif isinstance(row, RewardedRow):
            tuned_on = sorted(map(rewards.index, terms(row.reward)))
        return name != reference, methods.index(row.method), tuned_on, name

    return {name: models[name] for name in sorted(models, key=key)}


def pairs_in_order(pairs: Mapping) -> dict:
    """The rows of `pairs`: those to train on before those of the test part, then by kind and by name."""

    def key(name: str) -> tuple:
        row = pairs[name]
        return getattr(row, "part", "tune") == "test", PAIR_KINDS.index(row.kind), name

    return {name: pairs[name] for name in sorted(pairs, key=key)}


def over_defaults(defaults: dict, row: dict) -> dict:
    """`row` over `defaults`, nested tables merged; a sum of rewards and a schedule are replaced as wholes."""
    merged = dict(defaults)
    for key, value in row.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        nested = nested and key != "reward" and "values" not in value
        merged[key] = over_defaults(merged[key], value) if nested else value
    return merged
