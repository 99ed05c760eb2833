"""Corpus texts for the language-model loss that is mixed into PPO (Ouyang et al. 2022, "PPO-ptx")."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from ..tokenizer.loading import encode_open


def corpus_batches(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    size: int,
    max_tokens: int | None,
    device: torch.device,
    rng: np.random.Generator,
) -> Iterator[dict[str, torch.Tensor]]:
    """Endless minibatches of `size` texts, drawn with replacement, as keyword arguments of a causal model.

    Each text ends in the end of sequence and is cut to `max_tokens` (None: not at all); padding is on the right,
    and in no loss.
    """
    while True:
        chosen = [texts[index] for index in rng.integers(len(texts), size=size)]
        encoded = [[*ids, tokenizer.eos_token_id][:max_tokens] for ids in encode_open(tokenizer, chosen)]
        lengths = torch.tensor([len(ids) for ids in encoded], device=device)
        width = max(map(len, encoded))
        input_ids = torch.tensor([ids + [0] * (width - len(ids)) for ids in encoded], device=device)
        attention_mask = torch.arange(width, device=device) < lengths[:, None]  # (size, width)
        labels = input_ids.masked_fill(~attention_mask, -100)
        yield {"input_ids": input_ids, "attention_mask": attention_mask.long(), "labels": labels}
