"""Scores of several seeds as one: how far the mean of a few seeds may lie from that of all.

All seeds meet the same items, so an interval has two margins: that of the items, and that of the seeds, which with
few of them is Student's t on their own spread. Margins of independent parts add as squares (Zou & Donner 2008).
Resampling the seeds with the items (a two-level bootstrap) is no substitute: two seeds drawn anew have half of
their variance, and its 95 % intervals hold the truth in 69 % of cases with two seeds that differ much and in 81 %
with three (tests/analysis/test_differences.py has the simulation).
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from ..scoring.intervals import CONFIDENCE


def spread(values: np.ndarray) -> float:
    """Standard error of the mean over seeds; 0 for a single one, of which it is not known."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def margin(values: np.ndarray, confidence: float = CONFIDENCE) -> float:
    """Half width of Student's t interval of the mean over seeds; 0 for a single seed."""
    return float(stdtrit(len(values) - 1, 0.5 + confidence / 2) * spread(values)) if len(values) > 1 else 0.0


def pooled(values: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> tuple[float, float, float]:
    """Mean over seeds with the ends of its interval, from each seed's value and interval over items.

    Undefined values are left out; NaN ends if any seed has none. The items' margin is the mean of the seeds' own,
    the most that it can be (it would be that if all seeds erred on the same items), so the interval is wide rather
    than narrow. A single seed keeps its interval.
    """
    values, lows, highs = (np.asarray(numbers, dtype=float) for numbers in (values, lows, highs))
    known = np.isfinite(values)
    if not known.any():
        return float("nan"), float("nan"), float("nan")
    values, lows, highs = values[known], lows[known], highs[known]
    value, low, high = (float(numbers.mean()) for numbers in (values, lows, highs))
    if seeds := margin(values):
        return value, value - float(np.hypot(value - low, seeds)), value + float(np.hypot(high - value, seeds))
    return value, low, high
