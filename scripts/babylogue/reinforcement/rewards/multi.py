"""Rewards as a run uses them: one by its name, or a weighted sum of several, whose weights may be schedules."""

from collections.abc import Mapping, Sequence
from importlib import import_module

import numpy as np

from ...errors import UserError
from ..schedules import Scheduled, value_at
from .base import Reward, RewardInputs, RewardKind, with_floor


class WeightedSum:
    """sum_k w_k(step) (r_k - lowest_k) / (highest_k - lowest_k): every term r_k is brought to 0 to 1 by its range.

    With fixed ranges the sum means the same at every step, as it would not with values whitened in their batch;
    weights that add up to 1 give a sum from 0 to 1.
    """

    def __init__(self, terms: Mapping[str, tuple[Reward, RewardKind]], weights: Mapping[str, Scheduled]):
        self.terms = dict(terms)
        self.weights = dict(weights)

    def __call__(self, prompts: Sequence[str], replies: Sequence[str], step: int | None = 0) -> np.ndarray:
        """The sum (n,) with the weights of a step."""
        return self.measure(prompts, replies, step)[0]

    def measure(
        self, prompts: Sequence[str], replies: Sequence[str], step: int | None
    ) -> tuple[np.ndarray, dict[str, float]]:
        """The sum (n,), and for the log weight_{term} and reward_{term}, the mean from 0 to 1, of every term.

        A term is asked also where its weight is 0, so that its course can be seen.
        """
        total, measured = np.zeros(len(replies)), {}
        for name, (reward, kind) in self.terms.items():
            weight = value_at(self.weights[name], step)
            values = (reward(prompts, replies) - kind.lowest) / (kind.highest - kind.lowest)
            total += weight * values
            measured |= {f"weight_{name}": weight, f"reward_{name}": float(values.mean())}
        return total, measured


def measured(
    reward: Reward, prompts: Sequence[str], replies: Sequence[str], step: int | None
) -> tuple[np.ndarray, dict[str, float]]:
    """Any reward's vector (n,) at a step, and what the log says of its terms if it is a sum."""
    if isinstance(reward, WeightedSum):
        return reward.measure(prompts, replies, step)
    return reward(prompts, replies), {}


def build_reward(
    reward: str | Mapping[str, Scheduled], kinds: Mapping[str, RewardKind], inputs: RewardInputs
) -> Reward:
    """The reward of a row of `models`: a name, on its own scale, or weights by name, a `WeightedSum`.

    `kinds` are those of its terms. A reply without words gets a term's lowest value. Raises UserError for an input
    that a term needs and was not given.
    """
    terms = {name: _term(name, kinds[name], inputs) for name in ([reward] if isinstance(reward, str) else reward)}
    if isinstance(reward, str):
        return terms[reward]
    return WeightedSum({name: (term, kinds[name]) for name, term in terms.items()}, reward)


def _term(name: str, kind: RewardKind, inputs: RewardInputs) -> Reward:
    missing = [need for need in kind.needs if getattr(inputs, need) is None]
    if missing:
        raise UserError(f"reward {name} needs {' and '.join(missing)}")
    return with_floor(getattr(import_module(kind.module), name)(inputs), kind.lowest)
