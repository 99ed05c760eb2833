"""Dialogue minimal pairs: the true reply to a caregiver's turn against a false one.

The sum over the whole of prompt and reply is compared, as in Padovani et al. (2025); the prompt is shared, so
its part is the same on both sides and only the reply is summed here. `accuracy_word_corrected` is with the
beginning-of-word correction, `accuracy_word_corrected_minicons`, of pairs in the paper's construction, with
minicons' form of it, which that paper has (paper_pairs.py), and `accuracy_mean` compares means over the scored
tokens; all are strict.

Items and item scores have one more column, no_shared_token (bool: neither reply has a token of the prompt).
`accuracy_no_shared_token` is of these pairs alone: what repetition gives away cannot help there.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from ..scoring.intervals import Estimate, wilson
from .base import Suite, accuracy_rows, items_frame, metric_row, percent_row, score_items
from .shared_tokens import share_token

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
    texts = list(pairs[list(COLUMNS)].itertuples(index=False, name=None))
    items = items_frame(
        (f"pair_{number}", "pairs", [prompt] * 2, [" " + chosen, " " + rejected])
        for number, (prompt, chosen, rejected) in enumerate(texts, start=1)
    )
    return items.assign(
        no_shared_token=[
            not any(share_token(prompt, reply) for reply in (chosen, rejected))
            for prompt, chosen, rejected in texts
        ]
    )


def evaluate(
    model, tokenizer, items: pd.DataFrame, batch_tokens: int, *, correction: str = "word_corrected"
) -> pd.DataFrame:
    """Item scores, a tie counting as wrong, with the column no_shared_token; `correction`: of base.CORRECTIONS."""
    scored = score_items(model, tokenizer, items, batch_tokens, strict=True, rules=(correction, "mean"))
    return scored.assign(no_shared_token=items["no_shared_token"].to_numpy())


def rows(item_scores: pd.DataFrame) -> list[dict]:
    """The rows of every accuracy suite, and `accuracy_no_shared_token`, undefined where there is no such pair."""
    own = item_scores.loc[item_scores["no_shared_token"], "correct"]
    subset = "accuracy_no_shared_token"
    if own.empty:
        return [*accuracy_rows(item_scores), metric_row("all", subset, Estimate(*[float("nan")] * 3, 0))]
    return [*accuracy_rows(item_scores), percent_row("all", subset, wilson(own))]


def pair_suite(name: str, correction: str = "word_corrected") -> Suite:
    """The suite of the pair set of that name; `correction`: of base.CORRECTIONS."""
    evaluator = partial(evaluate, correction=correction)
    return Suite(name, "Dialogue minimal pairs", read, needs=("pairs",), evaluator=evaluator, aggregator=rows)


SUITES = {name: pair_suite(name) for name in ("dialogue_words", "dialogue_tokens")}
"""Those of the registry; `pair_suite` makes one of any other name."""
