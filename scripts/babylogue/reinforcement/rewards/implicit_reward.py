"""Implicit reward: what a model tuned by DPO has learnt from its pairs (Rafailov et al. 2023)."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from ...dialogue import CHILD, write_turn
from ...scoring.loading import load_model
from ...scoring.scorer import Scorer
from .base import Reward, RewardInputs, remembered


def implicit_reward(inputs: RewardInputs) -> Reward:
    """sigmoid(beta (log p(r | q) - log p0(r | q))) of reply r to prompt q, p by DPO from the parent p0: 0 to 1.

    The sigmoid is of DPO's implicit reward at its beta (arXiv 2305.18290, section 4), without the term that the
    prompt alone has a part in: the Bradley-Terry probability of the reply against one that p and p0 say as often.
    """
    sums = [_log_probability(folder, inputs.device) for folder in (inputs.dpo_model, inputs.parent)]

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        pairs = list(zip(prompts, replies, strict=True))
        tuned, parent = (np.array(own(pairs)) for own in sums)
        return expit(inputs.beta * (tuned - parent))

    return reward


def _log_probability(folder, device):
    """A function from pairs of prompt and reply to the summed log-probability of the child's turn, natural."""
    scorer = Scorer(*load_model(folder, device))

    def score(pairs: list[tuple[str, str]]) -> list[float]:
        prompts, replies = zip(*pairs, strict=True)
        found = scorer.log_probabilities(
            [[prompt] for prompt in prompts], [[f" {write_turn(CHILD, reply)}"] for reply in replies]
        )
        return [own.log_probability[0] for own in found]

    return remembered(score)
