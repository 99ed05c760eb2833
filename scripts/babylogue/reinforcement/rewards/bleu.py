"""BLEU-1 against the teacher's reply (Padovani et al. 2025, reward 1)."""

from collections.abc import Sequence

import numpy as np
from sacrebleu.metrics import BLEU

from ...dialogue import words
from .base import Reward, RewardInputs, first_references, look_up


def bleu(inputs: RewardInputs) -> Reward:
    """BLEU-1 against the reference (sacrebleu, brevity penalty), words alone, lower case: 0 to 1.

    Exponential smoothing, as published; of unigrams alone no method of sacrebleu's changes anything, since a reply
    that shares no word with the reference scores 0 under all.
    """
    metric = BLEU(max_ngram_order=1, effective_order=True, smooth_method="exp", tokenize="none")
    references = {prompt: " ".join(words(text)) for prompt, text in first_references(inputs.references).items()}

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        wanted = look_up(references, prompts)
        scores = [
            metric.sentence_score(" ".join(words(reply)), [reference]).score
            for reply, reference in zip(replies, wanted, strict=True)
        ]
        return np.array(scores, dtype=np.float64) / 100

    return reward
