"""Lexical decision on the published word and non-word pairs (Padovani et al. 2025): which is more probable.

Without a token in front the first subword of an isolated word has no probability, and a word of one token has
nothing to score: `accuracy` and `accuracy_ties_half` keep the token that the tokenizer puts in front,
`accuracy_no_bos` is the score without it, a tie counted wrong as in the paper.
"""

from pathlib import Path

import pandas as pd

from ..errors import UserError
from .base import Suite, accuracy_rows, items_frame, score_items
from .sources import Source

COLUMNS = ("word", "nonword")


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items of a CSV file with the columns word and nonword; one group, "words"."""
    (path,) = inputs["mirror"]
    pairs = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in COLUMNS:
        if column not in pairs:
            raise UserError(f"{path}: no column {column!r}; expected word and nonword")
        if (empty := pairs[column].str.strip() == "").any():
            raise UserError(f"{path}, line {int(empty.idxmax()) + 2}: field {column!r} is empty")
    return items_frame(
        (f"pair_{number}", "words", ["", ""], [word, nonword])
        for number, (word, nonword) in enumerate(pairs[list(COLUMNS)].itertuples(index=False, name=None), start=1)
    )


def evaluate(model, tokenizer, items: pd.DataFrame, batch_tokens: int) -> pd.DataFrame:
    """Item scores, strict, with `scores_no_bos` and `correct_no_bos` beside them."""
    from ..scoring.scorer import Scorer  # slow to load; the workflow asks a suite for its files without

    scored = score_items(model, tokenizer, items, batch_tokens, strict=True)
    bare = Scorer(model, tokenizer, bos=False, batch_tokens=batch_tokens).log_probabilities(
        items["contexts"].tolist(), items["candidates"].tolist(), items["item"].tolist()
    )
    scores = [result.log_probability for result in bare]
    return scored.assign(
        scores_no_bos=[own.tolist() for own in scores], correct_no_bos=[bool(own[0] > own[1]) for own in scores]
    )


def rows(item_scores: pd.DataFrame) -> list[dict]:
    """Accuracy rows with `accuracy_no_bos` of each group and all added."""
    bare = accuracy_rows(item_scores.assign(correct=item_scores["correct_no_bos"]))
    return [
        *accuracy_rows(item_scores),
        *({**row, "metric": "accuracy_no_bos"} for row in bare if row["metric"] == "accuracy"),
    ]


SUITES = {
    "lexical_decision_published": Suite(
        "lexical_decision_published",
        "Published lexical decision: words against non-words",
        read,
        (Source("lexical_decision/pairs.csv", "the data of arXiv 2510.20358"),),
        evaluator=evaluate,
        aggregator=rows,
    )
}
