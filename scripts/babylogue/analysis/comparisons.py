"""comparisons.csv: differences between models, each on the same items, adjusted for the number of tests.

Columns COLUMNS: `difference` is run minus against in the metric's own unit (percentage points for accuracies).
Compared are the suite's headline metric, accuracy_no_shared_token of dialogue suites and accuracy_last_token of
fine-tuned tasks. Left out: `aoa`, which rests on a handful of words and has no items to resample, and
`aoa_surprisal`, of which neither more nor less is better.

The family of tests that Holm's method adjusts for is fixed before any result is seen: the headline metric of
every suite, once for every two checkpoints with different weights. `family` is how many tests these are and
`p_holm` the adjusted p. `differs` is true where `p_holm` is below 0.05 and the interval excludes zero too. Other
metrics have an interval and a p, but no `p_holm`, and are never marked. Two checkpoints with the same weights are
no test. Such are a parent and a tuned model whose best step is its start: their difference is 0, `test` is
`same_weights` and p is empty.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyarrow.parquet import read_schema
from scipy.stats import rankdata

from ..errors import UserError
from ..logs import progress
from ..suites.base import Suite
from ..suites.reading import COVARIATES, MEASURES, reading_scores
from .differences import HEADLINES, SAME_WEIGHTS, Columns, Difference, bootstrap, holm, of_bootstraps, of_credits

COLUMNS = [
    "run", "checkpoint", "against", "against_checkpoint", "suite", "metric", "difference", "ci_low", "ci_high",
    "p", "p_holm", "family", "differs", "test", "n", "seeds",
]  # fmt: skip
_ADJUSTED = ("p_holm", "family", "differs")
ALPHA = 0.05
BULK = {"scores", "tokens"}  # of item scores


class Contrast(NamedTuple):
    """Two checkpoints that are compared."""

    run: str
    checkpoint: str
    against: str
    against_checkpoint: str


class Statistic(NamedTuple):
    """A score that is no accuracy: its metric, and the columns of item scores that it is a function of."""

    metric: str
    columns: tuple[str, ...]
    function: Callable[[Columns], float]


def read_item_scores(path: str | Path) -> pd.DataFrame:
    """Item scores as `differences` takes them, without the columns that no comparison looks at.

    `attrs["weights"]` of the table is the digest of the scored model's weights.
    """
    return pd.read_parquet(path, columns=[name for name in read_schema(path).names if name not in BULK])


def _spearman(columns: Columns) -> float:
    ranks = rankdata([columns["probability"], columns["value"]], axis=1)
    deviations = ranks - ranks.mean(axis=1, keepdims=True)
    size = np.sqrt((deviations**2).sum(axis=1).prod())
    return float(deviations.prod(axis=0).sum() / size) if size else float("nan")


STATISTICS = (
    Statistic("spearman", ("probability", "value"), _spearman),
    Statistic(
        "partial_r2",
        (*COVARIATES, *MEASURES, "pred", "prev_pred"),
        lambda columns: float(reading_scores(columns)[-1]),
    ),
)


def differences(
    suite: Suite, contrasts: Sequence[Contrast], item_scores: Callable[[str, str], list[pd.DataFrame]]
) -> list[dict]:
    """The rows of a suite for `comparisons_table`; none for a suite that is not compared.

    Args:
        item_scores: (run, checkpoint) -> the item scores of each seed, with the digest of the weights in
            `attrs["weights"]`; without it a checkpoint is taken for different from all others.

    Raises:
        UserError: the two models were scored on different items.
    """

    @cache
    def bootstraps(statistic: Statistic, run: str, checkpoint: str) -> np.ndarray:
        tables = (table[list(statistic.columns)].astype(float) for table in item_scores(run, checkpoint))
        columns = ({name: table[name].to_numpy() for name in table} for table in tables)
        return np.array([bootstrap(statistic.function, own) for own in columns])

    rows = []
    for contrast in progress(contrasts, description=suite.name, unit="contrast"):
        a, b = item_scores(*contrast[:2]), item_scores(*contrast[2:])
        _check_items(suite.name, contrast, [table["item"] for table in (*a, *b)])
        if statistic := next((own for own in STATISTICS if {*own.columns} <= {*a[0].columns}), None):
            drawn = (bootstraps(statistic, *side) for side in (contrast[:2], contrast[2:]))
            found = {statistic.metric: of_bootstraps(*drawn, len(a[0]))}
        else:
            found = _accuracies(suite, a, b)
        sides = frozenset((_identity(contrast[:2], a), _identity(contrast[2:], b)))
        if len(sides) == 1:
            found = {metric: _same_weights(own) for metric, own in found.items()}
        rows += [_row(suite.name, contrast, metric, own) | {"sides": sides} for metric, own in found.items()]
    return rows


def _identity(side: tuple[str, str], tables: list[pd.DataFrame]) -> tuple:
    """What is equal for two checkpoints with the same weights in every seed: the digests, else their name."""
    weights = tuple(table.attrs.get("weights") for table in tables)
    return weights if all(weights) else side


def _same_weights(difference: Difference) -> Difference:
    """The difference of a model from itself, which is no test."""
    return Difference(0.0, 0.0, 0.0, float("nan"), SAME_WEIGHTS, difference.n, difference.seeds)


def _row(suite: str, contrast: Contrast, metric: str, difference: Difference) -> dict:
    # Percent, as the metrics of the suites are.
    scale = 100 if metric.startswith("accuracy") else 1
    numbers = {name: scale * getattr(difference, name) for name in ("ci_low", "ci_high")}
    others = {name: getattr(difference, name) for name in ("p", "test", "n", "seeds")}
    named = {"suite": suite, "metric": metric, "difference": scale * difference.value}
    return contrast._asdict() | named | numbers | others


def comparisons_table(rows: Iterable[Mapping]) -> pd.DataFrame:
    """All rows with `p_holm`, `family` and `differs`.

    Args:
        rows: as `differences` gives them: the columns COLUMNS but for those three, and `sides`, the identities of
            the two checkpoints. Rows of a suite with the same sides are one test.
    """
    table = pd.DataFrame(rows, columns=[*(name for name in COLUMNS if name not in _ADJUSTED), "sides"])
    tested = table["metric"].isin(HEADLINES) & table["p"].notna()
    keys = ["suite", "metric", "sides"]
    tests = table[tested].drop_duplicates(keys)
    adjusted = tests[keys].assign(p_holm=holm(tests["p"]), family=len(tests))
    table = table.merge(adjusted, on=keys, how="left").astype({"family": "Int64"})
    excludes_zero = (table["ci_low"] > 0) | (table["ci_high"] < 0)
    return table.assign(differs=(table["p_holm"] < ALPHA) & excludes_zero)[COLUMNS]


def _check_items(suite: str, contrast: Contrast, items: list[pd.Series]) -> None:
    if not all(own.reset_index(drop=True).equals(items[0].reset_index(drop=True)) for own in items):
        raise UserError(
            f"{suite}: {contrast.run} and {contrast.against} were scored on different items; "
            "delete the scores that are out of date"
        )


def _accuracies(suite: Suite, a: list[pd.DataFrame], b: list[pd.DataFrame]) -> dict[str, Difference]:
    """Metric -> difference of two models in accuracy, from the item scores of each seed."""
    columns = set(a[0].columns)
    if "label" in columns:
        return {
            f"accuracy{pooling}": _accuracy(suite, *(_mark(tables, pooling) for tables in (a, b)))
            for pooling in ("", "_last_token")
        }
    if "correct" not in columns:
        return {}
    found = {"accuracy": _accuracy(suite, a, b)}
    if "no_shared_token" in columns and (kept := a[0]["no_shared_token"].to_numpy()).any():
        subset = ([table[kept] for table in tables] for tables in (a, b))
        found["accuracy_no_shared_token"] = _accuracy(suite, *subset)
    return found


def _mark(tables: list[pd.DataFrame], pooling: str) -> list[pd.DataFrame]:
    """Whether each predicted label is right, as the column `correct`."""
    return [table.assign(correct=table["label"] == table[f"predicted{pooling}"]) for table in tables]


def _accuracy(suite: Suite, a: list[pd.DataFrame], b: list[pd.DataFrame]) -> Difference:
    groups = a[0]["group"].tolist()
    names = sorted(set(groups))
    # What a suite has bound to `accuracy_rows`, where it does not weigh its groups alike.
    weigh = getattr(suite.aggregator, "keywords", {}).get("weigh")
    weights = dict(zip(names, weigh(names), strict=True)) if weigh else None
    credits = (np.array([table["correct"] for table in tables], dtype=float) for tables in (a, b))
    return of_credits(*credits, groups, weights)
