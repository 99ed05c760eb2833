"""Preference: how much more a model tuned by DPO likes the reply than the model that it was tuned from."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from ...dialogue import CHILD, write_turn
from ...scoring.loading import load_model
from ...scoring.scorer import Scorer
from .base import Reward, RewardInputs, remembered

BETA = 0.1  # of the implicit reward; that of DPO as it is mostly run


def preference(inputs: RewardInputs) -> Reward:
    """sigmoid(beta (log p(r | q) - log p0(r | q))) of reply r to prompt q, p by DPO from the parent p0: 0 to 1.

    What the sigmoid is of is the reward that p has learnt from its pairs (Rafailov et al. 2023, arXiv 2305.18290,
    section 4), without the term that only the prompt has a part in; 0.5 is what the parent says as often. A policy
    that is held to p0 by the KL divergence is drawn to p.
    """
    sums = [_log_probability(folder, inputs.device) for folder in (inputs.preferred, inputs.parent)]

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        pairs = list(zip(prompts, replies, strict=True))
        tuned, parent = (np.array(own(pairs)) for own in sums)
        return expit(BETA * (tuned - parent))

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
