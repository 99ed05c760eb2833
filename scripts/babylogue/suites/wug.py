"""Wug tests (Hofmann et al. 2024; Weissweiler et al. 2023): do preferences between two forms of a nonce word
follow those of people.

The release of the past tense was not at hand when this was written: no digest of its file is pinned.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from ..errors import UserError
from ..scoring.intervals import correlation
from .base import Suite, items_frame, metric_row, score_items
from .records import read_jsonl
from .sources import BABYLM_HOME, Source

FIELDS = {"sentences": str, "ratio": (int, float)}


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items: the two sentences of a line, split at the tab; `value` is people's share of the first."""
    rows = []
    for path, number, record in read_jsonl(inputs["mirror"], FIELDS):
        sentences = record["sentences"].split("\t")
        if len(sentences) < 2 or not all(sentence.strip() for sentence in sentences):
            raise UserError(f"{path}, line {number}: field 'sentences' must hold sentences separated by a tab")
        contexts = [""] * len(sentences)
        rows.append((f"{path.stem}_{number}", path.stem, contexts, sentences, float(record["ratio"])))
    return items_frame(rows)


def evaluate(model, tokenizer, items: pd.DataFrame, batch_tokens: int) -> pd.DataFrame:
    """Item scores with `value` and `probability`, the softmax over the sentences' scores at index 0."""
    scored = score_items(model, tokenizer, items, batch_tokens)
    return scored.assign(
        value=items["value"].to_numpy(), probability=[float(softmax(scores)[0]) for scores in scored["scores"]]
    )


def rows(item_scores: pd.DataFrame) -> list[dict]:
    """Spearman's rho of probability and people's share; None if either of them never varies."""
    probability, value = item_scores["probability"], item_scores["value"]
    varies = probability.nunique() > 1 and value.nunique() > 1
    from scipy.stats import spearmanr  # slow to load; the workflow asks a suite for its files without

    rho = spearmanr(probability, value).statistic if varies else np.nan
    return [metric_row("all", "spearman", correlation(float(rho), len(item_scores), ranks=True))]


def _suite(name: str, folder: str, description: str, sha256: str | None) -> Suite:
    source = Source(
        f"evaluation_data/full_eval/{folder}/*.jsonl", BABYLM_HOME, release="babylm_2025", sha256=sha256
    )
    return Suite(name, description, read, (source,), evaluator=evaluate, aggregator=rows, has_answers=False)


SUITES = {
    suite.name: suite
    for suite in (
        _suite(
            "wug_adj",
            "wug_adj_nominalization",
            "Wug adjectives: -ity against -ness",
            "f756d1a1dc29ddcd7edb534fc773d6af8d76fb8715f85b7f493b0ede4e38e9ba",
        ),
        _suite("wug_past", "wug_past_tense", "Wug past tense: inflections of nonce verbs", None),
    )
}
