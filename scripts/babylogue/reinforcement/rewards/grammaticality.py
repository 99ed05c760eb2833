"""Grammaticality: how well formed the parent model finds the reply by itself."""

import math
from collections.abc import Sequence

import numpy as np

from ...dialogue import CHILD, speaker_tag
from ...scoring.loading import load_model
from ...scoring.scorer import Scorer
from .base import Reward, RewardInputs, remembered


def grammaticality(inputs: RewardInputs) -> Reward:
    """1 + mean log-probability a token / log V, at least 0, of a child's turn without its prompt: 0 to 1.

    The log-probability normalised by length (Lau et al. 2017, "MeanLP"), under the run's parent, which is PPO's
    reference, of vocabulary V: 0 is what guessing among all tokens gives, 1 is certainty. The prompt is left out,
    since closeness to the reference after the prompt is what the KL penalty already pays for.
    """
    model, tokenizer = load_model(inputs.parent, inputs.device)
    scorer = Scorer(model, tokenizer)

    def score(replies: list[str]) -> np.ndarray:
        found = scorer.log_probabilities(
            [[speaker_tag(CHILD)]] * len(replies), [[f" {reply}"] for reply in replies]
        )
        means = np.array([own.mean()[0] for own in found])
        return np.maximum(1 + means / math.log(scorer.vocabulary), 0.0)

    scores = remembered(score)

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        return np.array(scores(replies), dtype=np.float64)

    return reward
