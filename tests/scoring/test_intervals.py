"""Intervals against hand-computed numbers and simulation."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from babylogue.scoring.intervals import correlation, stratified_mean, wilson


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (1, 3), (731, 1000), (27, 54)])
def test_wilson_agrees_with_statsmodels(right, n):
    estimate = wilson([1] * right + [0] * (n - right))
    low, high = proportion_confint(right, n, method="wilson")
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((low, high), abs=1e-12)


def test_wilson_by_hand():
    # 8 of 10: (p + z^2/2n -+ z sqrt(p q / n + z^2 / 4n^2)) / (1 + z^2/n)
    estimate = wilson([1] * 8 + [0] * 2)
    assert estimate.value == 0.8
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((0.49016, 0.94332), abs=1e-5)
    assert wilson([0.5] * 10) == pytest.approx(wilson([1] * 5 + [0] * 5))


def test_stratified_mean_by_hand():
    # Group means 1 and 0.5; adjusted shares 4/6 of 6 and 4/8 of 8.
    estimate = stratified_mean([[1, 1], [1, 0, 1, 0]])
    assert (estimate.value, estimate.n) == (0.75, 6)
    half = 1.959964 * np.sqrt(0.25 * (4 / 6 * 2 / 6 / 6 + 0.25 / 8))
    assert estimate.ci_low == pytest.approx(0.75 - half, abs=1e-6)
    assert estimate.ci_high == 1.0
    assert stratified_mean([[1, 1], [1, 0, 1, 0]], [0.2, 0.8]).value == pytest.approx(0.6)
    assert stratified_mean([[1, 0, 1]]) == wilson([1, 0, 1])


def test_stratified_mean_covers_the_truth():
    random = np.random.default_rng(0)
    shares = np.array([0.5, 0.7, 0.95, 1.0])
    covered = 0
    for _ in range(300):
        estimate = stratified_mean([random.random(50) < share for share in shares])
        covered += estimate.ci_low <= shares.mean() <= estimate.ci_high
    assert covered >= 275


def test_correlation():
    estimate = correlation(0.5, 103)
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((0.339, 0.632), abs=1e-3)
    wider = correlation(0.5, 103, ranks=True)
    assert wider.ci_low < estimate.ci_low
    assert np.isnan(correlation(float("nan"), 10).ci_low)
    assert np.isnan(correlation(0.9, 3).ci_high)
