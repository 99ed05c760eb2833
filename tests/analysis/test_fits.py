"""The form of learning curves and their peaks: curves of known form, and the published ones."""

from itertools import chain

import numpy as np
import pandas as pd
import pytest

from babylogue.analysis.fits import COLUMNS, curve, fit, left_out_errors, trajectory_fits
from babylogue.analysis.trajectories import COLUMNS as TRAJECTORY_COLUMNS

# Checkpoints and scores of the base model as published by Padovani et al. (2025), millions of words and percent.
PUBLISHED_WORDS = (1, 2, 3, 5, 8, 10, 20, 30, 40, 50, 70, 100)
PUBLISHED = {
    "dialogue_words": (56.1, 57.6, 59.7, 60.3, 61.4, 61.7, 62.6, 63.7, 64.4, 64.0, 64.2, 64.3),
    "dialogue_tokens": (54.9, 57.0, 58.6, 60.3, 61.4, 61.5, 62.4, 63.4, 63.4, 63.7, 63.9, 63.8),
    "zorro": (59.2, 63.9, 66.9, 67.9, 68.7, 67.3, 70.9, 71.6, 68.7, 69.3, 66.5, 65.5),
    "lexical_decision": (39.3, 38.9, 39.2, 39.3, 40.3, 39.9, 40.5, 40.3, 40.5, 41.5, 40.9, 40.3),
}
# Standard errors from the suites' sizes: 7,548 and 7,520 pairs, 46,000 sentences, 4,310 words.
PUBLISHED_ERRORS = {"dialogue_words": 0.55, "dialogue_tokens": 0.55, "zorro": 0.21, "lexical_decision": 0.75}
MILLIONS = np.array(PUBLISHED_WORDS, dtype=float)


def rows(values, error: float, *, run="base", suite="s", seed=0, metric="accuracy", millions=MILLIONS) -> list:
    return [
        (run, seed, f"chck_{x:g}M", round(x * 1e6), suite, metric, y, y - 1.96 * error, y + 1.96 * error)
        for x, y in zip(millions, values, strict=True)
    ]


def fits(*curves: list) -> pd.DataFrame:
    return trajectory_fits(pd.DataFrame([*chain(*curves)], columns=TRAJECTORY_COLUMNS))


@pytest.mark.parametrize(
    ("form", "values", "parameters"),
    [
        ("power", 80 - 25 * MILLIONS**-0.4, (80, 25, 0.4)),
        ("power", 2 + 3 * MILLIONS**-0.7, (2, -3, 0.7)),
        ("exponential", 70 - 20 * np.exp(-0.1 * MILLIONS), (70, 20, 0.1)),
    ],
)
def test_a_curve_without_noise_gives_its_parameters_back(form, values, parameters):
    found = fit(form, MILLIONS, values)
    assert found == pytest.approx(parameters, rel=1e-4)
    row = fits(rows(values, 0.1)).iloc[0]
    assert (row["best"], row["not_worse"], row["note"]) == (form, "", "")
    assert [row[f"{form}_{name}"] for name in "abc"] == pytest.approx(parameters, rel=1e-4)
    assert row[f"{form}_cv_error"] < 1e-3 < row["constant_cv_error"]
    assert curve(row, [2e6, 5e7]) == pytest.approx(np.interp([2, 50], MILLIONS, values), rel=1e-4)


def test_left_out_errors_by_hand():
    # Seeds at one x are left out together: the mean of the others is 4, 4 and 1.
    x, y = np.array([1.0, 1, 2, 3]), np.array([0.0, 2, 3, 5])
    assert left_out_errors("constant", x, y) == pytest.approx([(16 + 4) / 2, (3 - 7 / 3) ** 2, (5 - 5 / 3) ** 2])


@pytest.mark.parametrize("seed", range(3))
def test_noise_around_a_level_is_not_told_from_a_constant(seed):
    values = 60 + np.random.default_rng(seed).normal(size=len(MILLIONS))
    row = fits(rows(values, 1.0)).iloc[0]
    assert "constant" in [row["best"], *row["not_worse"].split()]
    assert row["constant_a"] == pytest.approx(values.mean())
    assert not row["falls"]
    assert row["peak_words"] == PUBLISHED_WORDS[values.argmax()] * 1_000_000
    assert (row["peak_from_words"], row["peak_to_words"]) == (1_000_000, 100_000_000)


def test_a_flat_curve_has_no_peak_of_its_own():
    row = fits(rows(np.full(len(MILLIONS), 50.0), 0.0)).iloc[0]
    assert (row["peak_from_words"], row["peak_to_words"], row["falls"]) == (1_000_000, 100_000_000, False)
    assert row["constant_cv_error"] == 0


def test_a_peak_is_claimed_where_the_intervals_carry_it():
    values = 70 - 8 * np.log10(MILLIONS / 10) ** 2
    sure, unsure = fits(rows(values, 0.3)).iloc[0], fits(rows(values, 4.0)).iloc[0]
    assert sure["peak_words"] == unsure["peak_words"] == 10_000_000
    # Eleven comparisons, one-sided: z 2.61 times 0.3 sqrt 2 is 1.1; 5M and 20M lie 0.7 below, 3M and 30M 2.2, 1.8.
    assert (sure["peak_from_words"], sure["peak_to_words"], sure["falls"]) == (5_000_000, 20_000_000, True)
    assert not unsure["falls"]
    assert sure["peak_value"] == 70


def test_surprisal_is_best_where_it_is_lowest():
    row = fits(rows(8 + np.log10(MILLIONS / 10) ** 2, 0.01, metric="surprisal")).iloc[0]
    assert (row["peak_words"], row["peak_value"], row["falls"]) == (10_000_000, 8, True)


def test_the_true_peak_is_among_the_checkpoints_not_told_from_it():
    """At least 95 %: on a broad peak, where the highest checkpoint is often not the true one."""
    random = np.random.default_rng(0)
    millions = np.array([1.0, 2, 5, 10, 20, 50])
    truth = 60 - 2 * np.log10(millions / 10) ** 2
    covered = top = 0
    for _ in range(60):
        row = fits(rows(truth + random.normal(size=6), 1.0, millions=millions)).iloc[0]
        covered += row["peak_from_words"] <= 10_000_000 <= row["peak_to_words"]
        top += row["peak_words"] == 10_000_000
    assert top < 40
    assert covered >= 57


def test_curves_of_few_checkpoints_are_named_and_not_fitted():
    millions = np.array([1.0, 2, 3, 4])
    row = fits(rows([50.0, 55, 58, 60], 1.0, millions=millions)).iloc[0]
    assert (row["note"], row["checkpoints"]) == ("fewer than 5 checkpoints", 4)
    assert row[[name for name in COLUMNS if "_" in name and name != "not_worse"]].isna().all()
    assert curve(row, [1e6]) is None
    undefined = fits(rows([50.0, np.nan, 58, 60, 61], 1.0, millions=np.arange(1.0, 6))).iloc[0]
    assert undefined["note"] == "fewer than 5 checkpoints"


def test_seeds_are_points_of_one_curve_and_the_end_counts_once():
    one = [rows(80 - 25 * MILLIONS**-0.4 + shift, 0.5, seed=seed) for seed, shift in ((0, 1.0), (1, -1.0))]
    # Both seeds end some words apart, on what the last checkpoint by words is too.
    ends = [
        ("base", seed, "final", 100_000_000 + 400 * seed, "s", "accuracy", 76.0, 75.0, 77.0) for seed in (0, 1)
    ]
    row = fits(*one, ends).iloc[0]
    assert (row["checkpoints"], row["seeds"]) == (12, 2)
    assert row["power_a"] == pytest.approx(80, rel=1e-3)
    # The seeds lie one either way of the curve that predicts them.
    assert row["power_cv_error"] == pytest.approx(1, rel=1e-2)
    # With two seeds 2 apart hardly any checkpoint can be told from another.
    assert (row["peak_from_words"], row["peak_to_words"]) == (1_000_000, 100_000_000)
    only = [("base", 0, "final", 120_000_000, "s", "accuracy", 76.0, 75.0, 77.0)]
    assert fits(one[0], only).iloc[0]["checkpoints"] == 13


def test_every_curve_has_a_row_and_counts_have_none():
    values = 80 - 25 * MILLIONS**-0.4
    table = fits(
        rows(values, 0.5),
        rows(values, np.nan, metric="f1"),
        rows(values, 0.5, metric="ties"),
        rows(values, 0.5, run="other"),
    )
    assert list(table) == COLUMNS
    assert table[["run", "metric"]].values.tolist() == [
        ["base", "accuracy"],
        ["base", "f1"],
        ["other", "accuracy"],
    ]
    without_interval = table.iloc[1]
    assert without_interval["peak_words"] == 100_000_000
    assert np.isnan(without_interval["peak_from_words"]) and not without_interval["falls"]
    assert list(trajectory_fits(pd.DataFrame(columns=TRAJECTORY_COLUMNS))) == COLUMNS


def test_the_published_base_model():
    """Zorro peaks at 30M words and falls; dialogue rises like a power law; lexical decision hardly moves."""
    table = fits(*(rows(values, PUBLISHED_ERRORS[suite], suite=suite) for suite, values in PUBLISHED.items()))
    found = {row["suite"]: row for _, row in table.iterrows()}
    zorro = found["zorro"]
    assert (zorro["peak_words"], zorro["peak_value"], zorro["falls"]) == (30_000_000, 71.6, True)
    assert (zorro["peak_from_words"], zorro["peak_to_words"]) == (20_000_000, 30_000_000)
    for suite in ("dialogue_words", "dialogue_tokens", "lexical_decision"):
        assert found[suite]["peak_to_words"] == 100_000_000 and not found[suite]["falls"]
    for suite in ("dialogue_words", "dialogue_tokens"):
        assert found[suite]["best"] == "power"
        assert found[suite]["power_cv_error"] < 0.6 < found[suite]["exponential_cv_error"] < 0.8
        assert 64 < found[suite]["power_a"] < 69  # where more words of the same would lead
    assert zorro["power_cv_error"] > zorro["constant_cv_error"], "no rising curve describes a peak"
