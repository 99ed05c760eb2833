"""Age of acquisition: do words that children learn early become probable early in the model's training.

The rules are those of the BabyLM 2025 pipeline (AoA_word, after Chang & Bergen 2022). `aoa_surprisal` is the
surprisal of the words of the MacArthur-Bates inventory (CDI) in 8,005 contexts at one checkpoint; `aoa` fits a
sigmoid over all checkpoints of a run to each word and correlates the age of acquisition that it gives with the
children's. Upstream compares surprisals in nats with a chance level in bits: `pearson` keeps that, and its 0 for
fewer than three words; `pearson_one_unit` has both in nats, and is undefined then. `words` and `words_one_unit`
count the words that have an age of acquisition for both, in the paper one to five. The children's table of the
release was not at hand when this was written: no digest of it is pinned.

Item table of `aoa`: item (the word), group, value (the children's age in months or NaN); item scores: item, group,
child (months), model and model_one_unit (log10 of words seen, NaN where there is none).
Item scores of `aoa_surprisal`: item, group (the word), surprisal (nats).
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from ..scoring.intervals import Estimate, correlation, mean
from ..user_files import parse_json, read_table, read_text
from .base import Suite, items_frame, metric_row, score_items
from .records import check_record
from .sources import BABYLM_HOME, Source

AGES = range(16, 31)  # months
VOCABULARY = 300_000  # upstream's size of the vocabulary that chance is drawn from
FITTED = {"model": np.log2(VOCABULARY), "model_one_unit": np.log(VOCABULARY)}  # column -> surprisal of chance
EVALUATIONS = 1000


def read_contexts(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """One item for each context of each word of more than one letter."""
    (path,) = inputs["mirror"]
    words = parse_json(read_text(path), str(path))
    if not isinstance(words, dict) or not all(isinstance(contexts, list) for contexts in words.values()):
        raise UserError(f"{path}: expected an object that maps each word to its list of contexts")
    rows = []
    for word, contexts in words.items():
        if not word.strip():
            raise UserError(f"{path}: a word is empty")
        for number, record in enumerate(contexts if len(word) > 1 else (), start=1):
            check_record(record, {"context": str}, f"{path}, {word!r}, context {number}")
            rows.append((f"{word}_{number}", word, [record["context"].strip() + " "], [word.strip()]))
    return items_frame(rows)


def surprisals(model, tokenizer, items: pd.DataFrame, batch_tokens: int) -> pd.DataFrame:
    """Surprisal of every word after its context, in nats."""
    scored = score_items(model, tokenizer, items, batch_tokens)
    return scored[["item", "group"]].assign(surprisal=[-own[0] for own in scored["scores"]])


def surprisal_rows(item_scores: pd.DataFrame) -> list[dict]:
    """`surprisal`: the mean over words of each word's mean."""
    return [metric_row("all", "surprisal", mean(item_scores.groupby("group")["surprisal"].mean()))]


def read_children(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Words with the age in months at which half of the children say them.

    The file has a column `word` and one for each month with the share of children that say it; of a word that
    occurs twice the first line counts.
    """
    (path,) = inputs["mirror"]
    table = read_table(path, keep_default_na=False, na_values=[""])
    months = [str(age) for age in AGES if str(age) in table]
    if "word" not in table or not months:
        raise UserError(f"{path}: expected a column 'word' and columns 16 to 30, the ages in months")
    for month in months:
        if not pd.api.types.is_numeric_dtype(table[month]):
            raise UserError(f"{path}: column {month!r} holds something that is no number")
    if (absent := table["word"].isna()).any():
        raise UserError(f"{path}, line {int(absent.idxmax()) + 2}: field 'word' is empty")
    table = table.drop_duplicates("word")
    ages = np.array([int(month) for month in months], dtype=float)
    values = [age_of_children(ages, shares) for shares in table[months].to_numpy(dtype=float)]
    return pd.DataFrame({"item": table["word"].to_numpy(), "group": "aoa", "value": values})


def sigmoid(x, a: float, b: float, c: float, d: float):
    """The learning curve a / (1 + exp(-b (x - c))) + d."""
    return a / (1 + np.exp(-b * (x - c))) + d


def crossing(x: np.ndarray, y: np.ndarray, level: float, start: list[float], **bounds) -> float:
    """Where the sigmoid fitted to (x, y) crosses `level` upwards; NaN where no fit is found or none crosses it."""
    from scipy.optimize import OptimizeWarning, curve_fit  # slow to load; the workflow asks a suite for its files

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # of the fit's covariance, which nobody uses
        try:
            (a, b, c, d), _ = curve_fit(sigmoid, x, y, p0=start, maxfev=EVALUATIONS, **bounds)
        except (RuntimeError, TypeError, ValueError):  # no convergence; too few points; start outside the bounds
            return float("nan")
        if b <= 0 or a <= 0 or not d < level < a + d:
            return float("nan")
        return float(c - np.log(a / (level - d) - 1) / b)


def age_of_children(ages: np.ndarray, shares: np.ndarray) -> float:
    """Age in months at which half of the children say a word, within `ages`; NaN where there is none."""
    known = np.isfinite(shares)
    ages, shares = ages[known], shares[known]
    if len(ages) < 3:
        return float("nan")
    bounds = ([0, 0, ages[0], -0.5], [2, 1, ages[-1], 0.5])
    age = crossing(ages, shares, 0.5, [1.0, 0.1, float(ages.mean()), 0.0], bounds=bounds)
    return age if ages[0] <= age <= ages[-1] else float("nan")


def age_of_model(words: np.ndarray, values: np.ndarray, chance: float) -> float:
    """log10 of the words seen at which surprisal is halfway from `chance` to its minimum; NaN where it never is.

    All contexts of a word are points of one curve; `words` is ascending.
    """
    if len(words) < 3:
        return float("nan")
    x, y = np.log10(words + 1.0), -values
    level = -(chance - 0.5 * (chance - values.min()))
    age = crossing(x, y, level, [float(np.ptp(y)), 1.0, float(x.mean()), float(y.min())])
    return age if words[0] <= 10**age - 1 <= words[-1] else float("nan")


def fit(parts: pd.DataFrame, children: pd.DataFrame) -> pd.DataFrame:
    """Both ages of acquisition of every word, from the surprisals at all checkpoints."""
    points = dict(iter(parts.sort_values("words", kind="stable").groupby("group")))
    known = children[children["item"].isin(points)].rename(columns={"value": "child"})
    for column, chance in FITTED.items():
        known[column] = [
            age_of_model(points[word]["words"].to_numpy(), points[word]["surprisal"].to_numpy(), chance)
            for word in known["item"]
        ]
    return known.reset_index(drop=True)


def rows(item_scores: pd.DataFrame) -> list[dict]:
    """Pearson's r of the model's and the children's ages, and how many words have both, in either unit."""
    found = []
    for column in FITTED:
        suffix = column.removeprefix("model")
        both = item_scores[["child", column]].dropna()
        too_few = float("nan") if suffix else 0.0
        r = both.corr().iloc[0, 1] if len(both) > 2 else too_few
        found.append(metric_row("all", f"pearson{suffix}", correlation(r, len(both))))
        found.append(metric_row("all", f"words{suffix}", Estimate(len(both), np.nan, np.nan, len(item_scores))))
    return found


SUITES = {
    "aoa": Suite(
        "aoa",
        "Age of acquisition: when the model learns a word against when children do, over all checkpoints",
        read_children,
        (
            Source(
                "evaluation_data/full_eval/*/cdi_human.csv",
                BABYLM_HOME,
                release="babylm_2025",
                instead="evaluation_data/full_eval/*/wordbank_production_by_month.csv",
            ),
        ),
        combiner=fit,
        aggregator=rows,
        has_answers=False,
    ),
    "aoa_surprisal": Suite(
        "aoa_surprisal",
        "Surprisal of children's first words in context, what the age of acquisition is fitted to",
        read_contexts,
        (
            Source(
                "evaluation_data/full_eval/*/cdi_childes.json",
                BABYLM_HOME,
                release="babylm_2025",
                sha256="ae5d269a86b206a1a1982777cf0cad76879e0bfe56fccdf7b2af78149e4c203e",
            ),
        ),
        evaluator=surprisals,
        aggregator=surprisal_rows,
        has_answers=False,
    ),
}
