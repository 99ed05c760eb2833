"""Lexical decision on the published word and non-word pairs (Padovani et al. 2025): which is more probable.

Without a token in front the first subword of an isolated word has no probability, and a word of one token has
nothing to score. `accuracy` and `accuracy_ties_half` have the beginning of sequence in front, `accuracy_no_bos`
has not; there a pair is wrong if either side has nothing to score, as in the paper, whose scorer failed on such
pairs. `accuracy_word_corrected_minicons` and `accuracy_no_bos_word_corrected_minicons` are the same two with the
beginning-of-word correction of minicons; the last is the paper's score.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from ..user_files import read_table
from .base import Suite, items_frame, score_items
from .sources import Source

COLUMNS = ("lexeme", "wug")
HOME = "https://huggingface.co/datasets/bbunzeck/lexical-decision"


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items of the dataset as a CSV file, with its columns lexeme (the word) and wug; one group, "words"."""
    (path,) = inputs["mirror"]
    pairs = read_table(path, dtype=str, keep_default_na=False)
    for column in COLUMNS:
        if column not in pairs:
            raise UserError(f"{path}: no column {column!r}; expected those of {HOME}, {' and '.join(COLUMNS)}")
        if (empty := pairs[column].str.strip() == "").any():
            raise UserError(f"{path}, line {int(empty.idxmax()) + 2}: field {column!r} is empty")
    return items_frame(
        (f"pair_{number}", "words", ["", ""], [word, nonword])
        for number, (word, nonword) in enumerate(pairs[list(COLUMNS)].itertuples(index=False, name=None), start=1)
    )


def evaluate(model, tokenizer, items: pd.DataFrame, batch_tokens: int, *, correction: str) -> pd.DataFrame:
    """Item scores, strict, and beside them those of the rules `correction`, no_bos and no_bos_{correction}.

    `correction` is one of base.CORRECTIONS.
    """
    score = partial(score_items, model, tokenizer, items, batch_tokens, strict=True, rules=(correction,))
    table, bare = score(bos=None if tokenizer.bos_token_id is None else True), score(bos=False)
    scored = np.array([min(tokens) > 0 for tokens in bare["tokens"]])
    for rule in ("", f"_{correction}"):
        if f"scores{rule}" in bare:
            table[f"scores_no_bos{rule}"] = bare[f"scores{rule}"]
            table[f"correct_no_bos{rule}"] = bare[f"correct{rule}"] & scored
    return table


SUITES = {
    "lexical_decision_published": Suite(
        "lexical_decision_published",
        "Published lexical decision: words against non-words",
        read,
        (Source("lexical_decision/pairs.csv", HOME, release="lexical_decision"),),
        evaluator=partial(evaluate, correction="word_corrected_minicons"),
    )
}
