"""Scores summed up for reading: the metric of a suite that stands in the main table, and seeds pooled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..analysis.fits import COUNTS
from ..analysis.seeds import pooled

HEADLINES = ("accuracy", "spearman", "pearson", "partial_r2")
# Suites in which more than two candidates compete; everything else that has an accuracy is a choice of two.
FIVE_WAY = ("entity_tracking", "entity_tracking_fast")
# Judges of the configuration that are there to try the chain, not to judge.
SMALL_JUDGES = ("smollm2",)


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
    columns = [rows[name].to_numpy(dtype=float) for name in ("value", "ci_low", "ci_high")]
    value, *ends = pooled(*columns)
    known = columns[0][np.isfinite(columns[0])]
    seeds = (float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan)
    items = int(rows["n"].max()) if "n" in rows else None
    return Cell(value, *(float(np.clip(end, *bounds(metric))) for end in ends), seeds, len(rows), items)


def cells(scores: pd.DataFrame, checkpoints: Mapping[str, str]) -> dict[tuple[str, str, str, str], Cell]:
    """(run, suite, group, metric) -> cell, each run at its checkpoint of `checkpoints`."""
    keys = ["run", "suite", "group", "metric"]
    own = scores[scores["checkpoint"] == scores["run"].map(checkpoints)]
    return {key: pool(rows, key[-1]) for key, rows in own.groupby(keys, sort=False)}


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
        return 20.0 if suite in FIVE_WAY else 50.0
    return 0.0 if metric in HEADLINES else float("nan")


def decimals(metric: str) -> int:
    """Digits after the point that a metric is shown with."""
    if metric.startswith(COUNTS):
        return 0
    return 1 if metric.startswith(("accuracy", "f1")) else 2


def unit(metric: str) -> str:
    """The unit that a metric is shown with, or nothing."""
    return "%" if metric.startswith(("accuracy", "f1", "partial_r2")) else "nats" if metric == "surprisal" else ""
