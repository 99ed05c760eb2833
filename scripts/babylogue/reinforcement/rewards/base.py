"""What rewards have in common: what they are, what they are made from, and how they ask a frozen model once.

A reward is called as `reward(prompts, replies)` with turns such as `*MOT: what is that ?` and replies without
their tag, such as `a dog .`, and gives one float64 each, in order.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...dialogue import words
from ...errors import UserError
from ...teacher.prompts import chat_form

Reward = Callable[[Sequence[str], Sequence[str]], np.ndarray]
"""Prompts and replies to one reward each, (n,)."""

REMEMBERED = 200_000  # values of a frozen model that are kept: replies such as `yeah .` come again and again


@dataclass(frozen=True)
class RewardInputs:
    """What rewards are made from; each reward needs some of it (`RewardKind.needs`)."""

    prompts: Sequence[str] | None = None
    """Every prompt of the run."""
    references: pd.DataFrame | None = None
    """Teacher replies: columns prompt, sample, reply, log_probability, tokens; several samples a prompt."""
    teacher: Path | None = None
    """Model folder of the teacher."""
    judge: Path | None = None
    """Model folder of the judge."""
    embedder: Path | None = None
    """Sentence-transformers folder."""
    parent: Path | None = None
    """Model folder that the run starts from, and its reference."""
    dpo_model: Path | None = None
    """Model folder of a model that DPO has tuned from the parent."""
    beta: float | None = None
    """Beta of that DPO."""
    batch_size: int = 64
    """Replies that a model reads at once."""
    device: str | None = None
    """Where models run; None takes CUDA where there is one."""


@dataclass(frozen=True)
class RewardKind:
    """Where a reward's function is, what it reads and what it can give."""

    module: str
    """Full name of the module that has a function of the reward's name, from `RewardInputs` to a `Reward`."""
    needs: tuple[str, ...]
    """Fields of `RewardInputs` that it reads."""
    lowest: float
    """Its lowest value, which a reply without words gets without being asked about."""
    highest: float
    """Its highest value."""


def first_references(references: pd.DataFrame) -> dict[str, str]:
    """The single reference of each prompt in CHAT form: the teacher's first sample that has words, else empty."""
    ordered = references.sort_values("sample", kind="stable")
    first: dict[str, str] = {}
    for prompt, reply in zip(ordered["prompt"], ordered["reply"], strict=True):
        if not first.get(prompt):
            first[prompt] = chat_form(reply)
    return first


def look_up(references: dict, prompts: Sequence[str]) -> list:
    """Each prompt's entry. Raises UserError that names the first prompt without one."""
    try:
        return [references[prompt] for prompt in prompts]
    except KeyError as error:
        raise UserError(
            f"the teacher's replies have none to the prompt {error.args[0]!r}: write them anew"
        ) from None


def with_floor(reward: Reward, lowest: float) -> Reward:
    """`reward`, asked only about replies with words; the others get `lowest`."""

    def floored(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        asked = [index for index, reply in enumerate(replies) if words(reply)]
        values = np.full(len(replies), lowest, dtype=np.float64)
        if asked:
            values[asked] = reward([prompts[index] for index in asked], [replies[index] for index in asked])
        return values

    return floored


def remembered(function: Callable[[list], Sequence]) -> Callable[[Sequence[Hashable]], list]:
    """`function` from items to a value each, asked about an item once: a value must depend on its item alone."""
    known: dict[Hashable, object] = {}

    def values(items: Sequence[Hashable]) -> list:
        new = [item for item in dict.fromkeys(items) if item not in known]
        if new:
            if len(known) > REMEMBERED:
                known.clear()
                new = list(dict.fromkeys(items))
            known.update(zip(new, function(new), strict=True))
        return [known[item] for item in items]

    return values
