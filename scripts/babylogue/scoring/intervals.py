"""Confidence intervals of scores, all at 95 % unless said.

Accuracies go in as credits an item (1 right, 0 wrong, between for a tie) and come out as fractions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A value with the two ends of its interval (NaN where it is undefined) and the number of items."""

    value: float
    ci_low: float
    ci_high: float
    n: int


def wilson(credits: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Mean of the credits with Wilson's score interval (a tie's half credit counts as half a success)."""
    # In closed form: loading statsmodels for it would take longer than scoring a small suite.
    credits = np.asarray(credits, dtype=float)
    n, p, z = len(credits), float(credits.mean()), _normal_quantile(confidence)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return Estimate(p, max(0.0, float(centre - half)), min(1.0, float(centre + half)), n)


def stratified_mean(
    credits: Sequence[Sequence[float]], weights: Sequence[float] | None = None, confidence: float = CONFIDENCE
) -> Estimate:
    """Weighted mean over groups of each group's mean credit (default: the unweighted macro mean).

    Normal interval of a stratified sample, the groups fixed and their items drawn: variance
    sum w_g^2 p_g (1 - p_g) / n_g, where p_g and n_g carry Agresti and Coull's two successes and two failures, so
    that a group all right or all wrong is not taken as certain. A single group gets Wilson's interval.
    """
    groups = [np.asarray(group, dtype=float) for group in credits]
    if len(groups) == 1:
        return wilson(groups[0], confidence)
    weights = np.full(len(groups), 1 / len(groups)) if weights is None else np.asarray(weights, dtype=float)
    sizes = np.array([len(group) for group in groups])
    value = float(weights @ [group.mean() for group in groups])
    adjusted = (np.array([group.sum() for group in groups]) + 2) / (sizes + 4)
    error = float(np.sqrt(weights**2 @ (adjusted * (1 - adjusted) / (sizes + 4))))
    half = _normal_quantile(confidence) * error
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), int(sizes.sum()))


def mean(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Mean with its normal interval; NaN ends for fewer than two values."""
    values = np.asarray(values, dtype=float)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    half = float(_normal_quantile(confidence) * error)
    return Estimate(float(values.mean()), float(values.mean()) - half, float(values.mean()) + half, len(values))


def correlation(r: float, n: int, *, ranks: bool = False, confidence: float = CONFIDENCE) -> Estimate:
    """Fisher's z interval of a correlation; for rank correlations with Bonett and Wright's (2000) variance.

    NaN ends where r is undefined or n < 4.
    """
    if not np.isfinite(r) or n < 4:
        return Estimate(float(r), float("nan"), float("nan"), n)
    if abs(r) >= 1:
        return Estimate(float(r), float(r), float(r), n)
    variance = (1 + r**2 / 2) / (n - 3) if ranks else 1 / (n - 3)
    half = _normal_quantile(confidence) * np.sqrt(variance)
    z = np.arctanh(r)
    return Estimate(float(r), float(np.tanh(z - half)), float(np.tanh(z + half)), n)


def percentiles(samples: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The two ends of a bootstrap percentile interval."""
    low, high = np.quantile(np.asarray(samples), [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def _normal_quantile(confidence: float) -> float:
    """How many standard errors a two-sided interval reaches to each side."""
    from scipy.special import ndtri  # here, since every start of the workflow imports this module

    return float(ndtri(0.5 + confidence / 2))
