"""Pairs that are too long for a model."""

import numpy as np
import pandas as pd
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..errors import UserError
from ..logs import logger
from ..model.context import context_tokens


def pairs_that_fit(
    pairs: pd.DataFrame, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str
) -> pd.DataFrame:
    """The pairs whose prompt fits into the model's context with either reply and the end of the text.

    The others are counted in the log, in one line.

    Args:
        pairs: prompt, chosen, rejected.
        name: the set, for the log and errors.

    Raises:
        UserError: no pair is left of some.
    """
    context = context_tokens(model)
    if context is None or pairs.empty:
        return pairs
    lengths = np.maximum(*(_tokens(pairs, reply, tokenizer) for reply in ("chosen", "rejected")))
    fit = lengths <= context
    if not fit.any():
        raise UserError(
            f"pairs.{name}: all {len(pairs)} pairs are longer than the model's context of {context} tokens; "
            "use shorter pairs, or a model with a longer context"
        )
    if not fit.all():
        first = pairs.iloc[int(np.argmin(fit))]["prompt"]
        logger.warning(
            "pairs.%s: %d of %d pairs are longer than the model's context of %d tokens and left out; "
            "the first of them has the prompt %r",
            name, int((~fit).sum()), len(pairs), context, first if len(first) <= 60 else f"{first[:60]} ...",
        )  # fmt: skip
    return pairs[fit]


def _tokens(pairs: pd.DataFrame, reply: str, tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    """Tokens of each prompt with its reply and the end of the text, as DPO trains on them."""
    end = tokenizer.eos_token or ""
    texts = [f"{prompt} {own}{end}" for prompt, own in zip(pairs["prompt"], pairs[reply], strict=True)]
    return np.array([len(ids) for ids in tokenizer(texts, verbose=False)["input_ids"]])
