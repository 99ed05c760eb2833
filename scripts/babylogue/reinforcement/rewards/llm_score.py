"""A judge's score for contextual appropriateness and fluency (Padovani et al. 2025, reward 3)."""

from collections.abc import Sequence

import numpy as np

from ...dialogue import CHILD, write_turn
from ...teacher.draws import own_generator
from ...teacher.judge import HIGHEST, Judge
from .base import Reward, RewardInputs, remembered


def llm_score(inputs: RewardInputs) -> Reward:
    """The judge's expected score, over its probabilities of the digits: 0 to 5."""
    shares = _digit_shares(inputs)

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        return shares(prompts, replies) @ np.arange(HIGHEST + 1)

    return reward


def llm_score_sampled(inputs: RewardInputs) -> Reward:
    """One digit drawn from the judge's probabilities of the digits, as published: 0, 1 ... 5.

    A reply to a prompt has one draw of its own, so that a run can be repeated.
    """
    shares = _digit_shares(inputs)

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        exchanges = [
            f"{prompt} {write_turn(CHILD, reply)}" for prompt, reply in zip(prompts, replies, strict=True)
        ]
        uniform = np.array([own_generator(0, exchange, 0).random() for exchange in exchanges])
        below = shares(prompts, replies)[:, :-1].cumsum(axis=1) <= uniform[:, None]  # (n, HIGHEST)
        return below.sum(axis=1).astype(np.float64)

    return reward


def _digit_shares(inputs: RewardInputs):
    """A function from n prompts and replies to the judge's probabilities of the digits, (n, HIGHEST + 1)."""
    judge = Judge(inputs.judge, inputs.batch_size, inputs.device)
    known = remembered(lambda pairs: judge.digit_shares(*zip(*pairs, strict=True)))
    return lambda prompts, replies: np.stack(known(list(zip(prompts, replies, strict=True))))
