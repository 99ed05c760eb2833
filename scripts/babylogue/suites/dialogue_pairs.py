"""Dialogue minimal pairs from held-out children: the true reply to a caregiver's turn against a false one.

The sum over the whole of prompt and reply is compared, as in Padovani et al. (2025); the prompt is shared, so
its part is the same on both sides and only the reply is summed here. `accuracy_word_corrected` is with the
beginning-of-word correction, as that paper has it, and `accuracy_mean` compares means over the scored tokens; both
are strict.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from .base import Suite, items_frame, score_items

COLUMNS = ("prompt", "chosen", "rejected")


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items of a table of pairs (columns prompt, chosen, rejected; of `part` only heldout); one group, "pairs"."""
    (path,) = inputs["pairs"]
    pairs = pd.read_parquet(path)
    for column in COLUMNS:
        if column not in pairs:
            raise UserError(f"{path}: no column {column!r}; a table of pairs has prompt, chosen and rejected")
    if "part" in pairs:
        pairs = pairs[pairs["part"] == "heldout"]
    for column in COLUMNS:
        if (empty := pairs[column].fillna("").str.strip() == "").any():
            number = int(np.flatnonzero(empty)[0]) + 1
            raise UserError(f"{path}, held-out pair {number}: field {column!r} is empty")
    texts = pairs[list(COLUMNS)].itertuples(index=False, name=None)
    return items_frame(
        (f"pair_{number}", "pairs", [prompt] * 2, [" " + chosen, " " + rejected])
        for number, (prompt, chosen, rejected) in enumerate(texts, start=1)
    )


evaluate = partial(score_items, strict=True, rules=("word_corrected", "mean"))
SUITES = {
    name: Suite(
        name,
        f"Dialogue minimal pairs matched in {unit}: true against random replies of held-out children",
        read,
        needs=("pairs",),
        evaluator=evaluate,
    )
    for name, unit in (("dialogue_words", "words"), ("dialogue_tokens", "tokens"))
}
