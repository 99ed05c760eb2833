"""Scores summed up for reading: the metric of a suite that stands in the main table, and seeds pooled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import pandas as pd

from ..analysis.differences import HEADLINES
from ..analysis.fits import COUNTS
from ..analysis.seeds import pooled

_NUMBERS = ["value", "ci_low", "ci_high"]


@dataclass(frozen=True)
class Cell:
    """One model on one suite (or group), over seeds. Undefined numbers are NaN.

    `value` is the mean over seeds; `low` and `high` are the ends of its interval, over items and, with several
    seeds, over seeds too (see `analysis.seeds`). `range` is the lowest and highest seed.
    """

    value: float
    low: float
    high: float
    range: tuple[float, float]
    seeds: int
    n: int | None = None


def pool(rows: pd.DataFrame, metric: str) -> Cell:
    """The cell of a score's rows, one a seed (columns value, ci_low, ci_high and, where known, n).

    No interval goes beyond what the metric can be.
    """
    return _pool(rows[_NUMBERS].to_numpy(dtype=float), int(rows["n"].max()) if "n" in rows else None, metric)


def _pool(numbers: np.ndarray, items: int | None, metric: str) -> Cell:
    """As `pool`, from `numbers` [seeds, _NUMBERS]."""
    value, *ends = pooled(*numbers.T)
    known = numbers[np.isfinite(numbers[:, 0]), 0]
    seeds = (float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan)
    lowest, highest = bounds(metric)
    low, high = (min(max(end, lowest), highest) for end in ends)
    return Cell(value, low, high, seeds, len(numbers), items)


def cells(scores: pd.DataFrame, checkpoints: Mapping[str, str]) -> dict[tuple[str, str, str, str], Cell]:
    """(run, suite, group, metric) -> cell, each run at its checkpoint of `checkpoints`."""
    keys = ["run", "suite", "group", "metric"]
    own = scores[scores["checkpoint"] == scores["run"].map(checkpoints)]
    groups = own.groupby(keys, sort=False)
    # Arrays, cut where a group ends: a table for each of them takes five times as long.
    numbers = own[_NUMBERS].to_numpy(dtype=float)[np.argsort(groups.ngroup(), kind="stable")]
    parts = groups["n"].agg(["size", "max"]).itertuples(name=None)
    end, found = 0, {}
    for key, size, items in parts:
        found[key] = _pool(numbers[end : end + size], int(items), key[-1])
        end += size
    return found


def bounds(metric: str) -> tuple[float, float]:
    """Between which values a metric lies."""
    if metric.startswith(("accuracy", "f1")):
        return (0.0, 100.0)
    return (-1.0, 1.0) if metric.startswith(("spearman", "pearson")) else (-np.inf, np.inf)


def headline(metrics: Iterable[str]) -> str:
    """The metric that stands for a suite, of those that it has."""
    metrics = list(metrics)
    return next((name for name in HEADLINES if name in metrics), metrics[0])


def chance(suite: str, metric: str) -> float:
    """What guessing scores: percent for accuracies, 0 for what a model explains; NaN where it has no meaning."""
    if metric.startswith("accuracy"):
        if suite.startswith("glue"):  # labels are as uneven as the task; accuracy_majority stands beside it
            return float("nan")
        return 100 / _choices(suite)
    return 0.0 if metric in HEADLINES else float("nan")


def _choices(suite: str) -> int:
    """Candidates of an item; two where the suite is none that is known."""
    # By its name: a suite is part of the code of its scores, and one more of them makes no report anew.
    registry = import_module("babylogue.suites.registry")
    return registry.load(suite).choices if suite in registry.NAMES else 2


def decimals(metric: str) -> int:
    """Digits after the point that a metric is shown with."""
    if metric.startswith(COUNTS):
        return 0
    return 1 if metric.startswith(("accuracy", "f1")) else 2


def unit(metric: str) -> str:
    """The unit that a metric is shown with, or nothing."""
    return "%" if metric.startswith(("accuracy", "f1", "partial_r2")) else "nats" if metric == "surprisal" else ""
