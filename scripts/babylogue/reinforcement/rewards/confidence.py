"""Confidence: where the teacher ranks the reply among its own (Padovani et al. 2025, reward 4)."""

from collections.abc import Sequence

import numpy as np

from ...teacher.lm import TeacherModel
from .base import Reward, RewardInputs, look_up, remembered

ROUNDING = 1e-3  # nats; two passes over one text differ by less, so that equal replies count as equal


def confidence(inputs: RewardInputs) -> Reward:
    """Rank of the reply among the teacher's own by log-probability a token: -1 to 1 (`ranks`)."""
    return _confidence(inputs, normalised=True)


def confidence_sum(inputs: RewardInputs) -> Reward:
    """`confidence` by summed log-probability, as published; short replies win."""
    return _confidence(inputs, normalised=False)


def ranks(values: np.ndarray, of_teacher: Sequence[np.ndarray]) -> np.ndarray:
    """r = 2 * mean_i 1[l_i <= l_baby] - 1 (the paper's reward 4) of values (n,) with their l_i (samples,)."""
    shares = [np.mean(own <= value + ROUNDING) for value, own in zip(values, of_teacher, strict=True)]
    return 2 * np.array(shares, dtype=np.float64) - 1


def _confidence(inputs: RewardInputs, *, normalised: bool) -> Reward:
    teacher = TeacherModel(inputs.teacher, inputs.batch_size, inputs.device)
    table = inputs.references
    own = table["log_probability"] / table["tokens"] if normalised else table["log_probability"]
    of_teacher = {prompt: group.to_numpy() for prompt, group in own.groupby(table["prompt"], sort=False)}

    def score(pairs: list[tuple[str, str]]) -> np.ndarray:
        sums, tokens = teacher.log_probabilities(*zip(*pairs, strict=True))
        return sums / tokens if normalised else sums

    scores = remembered(score)

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        wanted = look_up(of_teacher, prompts)
        return ranks(np.array(scores(list(zip(prompts, replies, strict=True)))), wanted)

    return reward
