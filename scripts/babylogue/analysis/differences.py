"""The difference of two models that were scored on the same items, with its interval and a test.

Items are resampled within their groups, the same ones for both models and for all seeds (paired, stratified
bootstrap), and the suite's own aggregate is taken of each sample. With one seed the interval is that of the
percentiles. With more, seed s of one model is paired with seed s of the other, and two margins are added as
squares: that of what the items do to all seeds alike (the mean covariance of the seeds' bootstrapped differences),
and Student's t of the seeds' own differences, which holds the rest (see `seeds`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import binomtest

from ..scoring.intervals import CONFIDENCE, percentiles
from .seeds import spread

SEED = 0
SAMPLES = 2000
_SMALLEST_P = 1e-12
SAME_WEIGHTS = "same_weights"
"""The `test` of a model and another one with the same weights: none."""
HEADLINES = ("accuracy", "spearman", "pearson", "partial_r2")
"""Metrics that stand for a suite, the first of them that it has."""
Columns = Mapping[str, np.ndarray]
"""Columns of item scores, [items] each."""


class Difference(NamedTuple):
    """a - b over the seeds: interval, two-sided p and where it is from, number of items and of seeds."""

    value: float
    ci_low: float
    ci_high: float
    p: float
    test: str
    n: int
    seeds: int


def of_credits(
    credits_a: np.ndarray, credits_b: np.ndarray, groups: Sequence[str], weights: dict[str, float] | None = None
) -> Difference:
    """Difference of two weighted means over groups of each group's mean credit, as a fraction.

    Args:
        credits_a, credits_b: [seeds, items], 1 for right and 0 for wrong.
        groups: of the items.
        weights: group -> its weight, adding up to 1; default: all alike.

    `test`: `mcnemar_exact` with one seed and items that all weigh the same; `mcnemar_normal`, of the weighted sum
    of changed decisions, with one seed and items that do not; `two_level` with more seeds (see `_two_level_p`).
    """
    changes = np.asarray(credits_a, dtype=float) - np.asarray(credits_b, dtype=float)
    names = np.asarray(groups)
    strata = {name: changes[:, names == name] for name in dict.fromkeys(names.tolist())}
    weights = weights or dict.fromkeys(strata, 1 / len(strata))
    random = np.random.default_rng(SEED)
    drawn = sum(weights[name] * _resampled_means(own, random) for name, own in strata.items())
    values = sum(weights[name] * own.mean(axis=1) for name, own in strata.items())
    if len(changes) > 1:
        return _two_levels(values, drawn, changes.shape[1])
    item_weights = {name: weights[name] / own.shape[1] for name, own in strata.items()}
    p, test = _mcnemar(changes[0], np.array([item_weights[name] for name in names.tolist()]))
    return Difference(float(values[0]), *percentiles(drawn[:, 0]), p, test, changes.shape[1], 1)


def bootstrap(statistic: Callable[[Columns], float], columns: Columns, samples: int = 1000) -> np.ndarray:
    """A statistic of the items' columns, then of resamples of the items, [1 + samples].

    Items of one number are resampled alike.
    """
    random = np.random.default_rng(SEED)
    count = len(next(iter(columns.values())))
    draws = (random.integers(count, size=count) for _ in range(samples))
    drawn = ({name: column[items] for name, column in columns.items()} for items in draws)
    return np.array([statistic(columns), *map(statistic, drawn)])


def of_bootstraps(a: np.ndarray, b: np.ndarray, items: int) -> Difference:
    """Difference of a statistic from each seed's `bootstrap`, [seeds, 1 + samples] both, of so many items.

    `test`: `bootstrap`, the normal test with the bootstrap's standard error, with one seed; `two_level` with more.
    Samples in which the statistic is undefined are left out; all is NaN where it is undefined of the items or of
    most samples.
    """
    changes = np.asarray(a) - np.asarray(b)
    values, drawn = changes[:, 0], changes[:, 1:]
    known = np.isfinite(drawn).all(axis=0)
    if not np.isfinite(values).all() or known.mean() < 0.5:
        return Difference(*[float("nan")] * 4, "", items, len(values))
    drawn = drawn[:, known].T
    if len(values) > 1:
        return _two_levels(values, drawn, items)
    error = drawn.std(ddof=1)
    p = 2 * float(ndtr(-abs(values[0]) / error)) if error > 0 else float(values[0] == 0)
    return Difference(float(values[0]), *percentiles(drawn[:, 0]), p, "bootstrap", items, 1)


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's (1979) adjusted p values; undefined ones stay so and are none of the family."""
    p = np.asarray(p, dtype=float)
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p)[: np.isfinite(p).sum()]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return adjusted


def _resampled_means(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Means of resampled items, [samples, seeds], of values [seeds, items]."""
    # Changes take few values, so drawing items is drawing counts of value tuples: exact, and small in memory.
    kinds, counts = np.unique(values, axis=1, return_counts=True)
    size = values.shape[1]
    return random.multinomial(size, counts / size, size=SAMPLES) @ kinds.T / size


def _two_levels(values: np.ndarray, drawn: np.ndarray, items: int) -> Difference:
    """From each seed's difference [seeds] and its bootstrap [samples, seeds]."""
    count = len(values)
    covariance = np.cov(drawn, rowvar=False)
    shared = max(0.0, float(covariance[~np.eye(count, dtype=bool)].mean()))
    value = float(values.mean())
    half = _half_width(1 - CONFIDENCE, shared, spread(values), count)
    p = _two_level_p(value, shared, spread(values), count)
    return Difference(value, value - half, value + half, p, "two_level", items, count)


def _half_width(p: float, item_variance: float, seed_error: float, seeds: int) -> float:
    """Half width of the interval that leaves out p."""
    return float(np.hypot(ndtri(1 - p / 2) * np.sqrt(item_variance), stdtrit(seeds - 1, 1 - p / 2) * seed_error))


def _two_level_p(value: float, item_variance: float, seed_error: float, seeds: int) -> float:
    """The p at which the interval's end meets zero; 1 for no difference at all."""

    def left(p: float) -> float:
        return _half_width(p, item_variance, seed_error, seeds) - abs(value)

    if left(1.0) >= 0:  # no difference, or one that is only rounding: older scipy has stdtrit(1, 0.5) at 8e-17
        return 1.0
    return float(brentq(left, _SMALLEST_P, 1.0)) if left(_SMALLEST_P) > 0 else _SMALLEST_P


def _mcnemar(changes: np.ndarray, weights: np.ndarray) -> tuple[float, str]:
    """p of McNemar's test and its name, from changed decisions (1, 0, -1) and the items' weights, [items]."""
    changed = changes != 0
    if np.ptp(weights) <= 1e-9 * weights.max():
        if not changed.any():
            return 1.0, "mcnemar_exact"
        return float(binomtest(int((changes > 0).sum()), int(changed.sum())).pvalue), "mcnemar_exact"
    error = float(np.sqrt((weights**2) @ changes**2))
    return (2 * float(ndtr(-abs(weights @ changes) / error)) if error else 1.0), "mcnemar_normal"
