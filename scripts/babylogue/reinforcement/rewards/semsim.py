"""Semantic similarity to the teacher's reply (Padovani et al. 2025, reward 2)."""

from collections.abc import Sequence

import numpy as np

from ...teacher.embedder import Embedder
from .base import Reward, RewardInputs, first_references, look_up, remembered


def semsim(inputs: RewardInputs) -> Reward:
    """Cosine of the sentence embeddings of reply and reference, both in CHAT form: -1 to 1."""
    embedder = Embedder(inputs.embedder, inputs.batch_size, inputs.device)
    references = first_references(inputs.references)
    vectors = remembered(lambda texts: embedder.vectors(texts).astype(np.float64))

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        both = np.stack(vectors([*replies, *look_up(references, prompts)]))
        return (both[: len(replies)] * both[len(replies) :]).sum(axis=1)

    return reward
