"""Differences between models against hand-computed numbers, other libraries and simulation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from babylogue.analysis.comparisons import COLUMNS, Contrast, comparisons_table, differences
from babylogue.analysis.differences import bootstrap, holm, of_bootstraps, of_credits
from babylogue.analysis.seeds import margin, pooled
from babylogue.errors import UserError
from babylogue.suites import registry
from babylogue.suites.reading import COVARIATES, MEASURES

CONTRAST = Contrast("dpo", "final", "base", "final")


# --- one seed -----------------------------------------------------------------------------------------------


def test_one_seed_by_hand_and_by_statsmodels():
    # Of 200 items both are right on 100, a alone on 50, none on 50; then b alone on 30 of the latter.
    a = np.array([[1, 1, 1, 0] * 50])
    b = np.array([[1, 0, 1, 0] * 50])
    gain = of_credits(a, b, ["x"] * 200)
    assert (gain.value, gain.test, gain.n, gain.seeds) == (0.25, "mcnemar_exact", 200, 1)
    assert gain.p == 2 * 0.5**50
    # The standard error of a share of 1/4 is 0.0306.
    assert (gain.ci_low, gain.ci_high) == pytest.approx((0.25 - 0.06, 0.25 + 0.06), abs=0.01)
    assert gain == of_credits(a, b, ["x"] * 200)
    b[0, 3:120:4] = 1
    table = [[100, 50], [30, 20]]
    assert of_credits(a, b, ["x"] * 200).p == pytest.approx(mcnemar(table, exact=True).pvalue)
    same = of_credits(a, a, ["x"] * 200)
    assert (same.value, same.ci_low, same.ci_high, same.p) == (0, 0, 0, 1)


def test_groups_weigh_as_the_suite_weighs_them():
    groups = ["large"] * 9 + ["small"]
    a, b = np.array([[1] * 9 + [0]]), np.array([[0] * 10])
    assert of_credits(a, b, groups)[:3] == (0.5, 0.5, 0.5)
    gain = of_credits(a, b, groups, {"large": 0.9, "small": 0.1})
    assert (gain.value, gain.test) == (pytest.approx(0.9), "mcnemar_exact")  # every item weighs a tenth
    # Nine changes of weight 1/18 each: z = 9 / sqrt(9).
    assert of_credits(a, b, groups).p == pytest.approx(2 * ndtr(-3.0))
    assert of_credits(a, b, groups).test == "mcnemar_normal"


def test_items_are_drawn_within_their_groups():
    # Every item of x gains and none of y: nothing varies within a group.
    a, b = np.array([[1] * 5 + [0] * 20]), np.zeros((1, 25))
    gain = of_credits(a, b, ["x"] * 5 + ["y"] * 20)
    assert gain.value == gain.ci_low == gain.ci_high == 0.5


# --- several seeds ------------------------------------------------------------------------------------------


def decisions(random, effects, *, items: int, seed_spread: float) -> np.ndarray:
    """Decisions [models, seeds, items]: right where item + seed + noise exceed minus the model's effect."""
    seeds = effects["seeds"]
    item = random.normal(size=items)
    shared = random.normal(size=(seeds, items)) * 0.5  # a tuned model and its parent err alike
    made = [
        item
        + mean
        + random.normal(size=(seeds, 1)) * seed_spread
        + shared
        + random.normal(size=(seeds, items)) * 0.5
        > 0
        for mean in effects["means"]
    ]
    return np.array(made, dtype=float)


@pytest.fixture
def few_samples(monkeypatch):
    """Enough for the ends of an interval in a simulation of hundreds."""
    monkeypatch.setattr("babylogue.analysis.differences.SAMPLES", 400)


@pytest.mark.parametrize(("seeds", "seed_spread"), [(1, 0.0), (2, 0.0), (2, 0.15), (3, 0.0), (3, 0.15)])
def test_intervals_cover_the_truth(seeds, seed_spread, few_samples):
    """95 %, whether all of the spread is between items or most of it between seeds.

    A single seed tells nothing of others, and its interval does not claim to.
    """
    random = np.random.default_rng(seeds)
    size = np.sqrt(1 + 0.25 + 0.25 + seed_spread**2)
    truth = ndtr(0.35 / size) - ndtr(0.25 / size)
    rounds, covered, agree = 300, 0, 0
    for _ in range(rounds):
        a, b = decisions(random, {"means": (0.35, 0.25), "seeds": seeds}, items=300, seed_spread=seed_spread)
        found = of_credits(a, b, ["x"] * 100 + ["y"] * 200, {"x": 1 / 3, "y": 2 / 3})
        covered += found.ci_low <= truth <= found.ci_high
        agree += (found.p < 0.05) == (found.ci_low > 0 or found.ci_high < 0)
    assert 0.91 <= covered / rounds <= 0.985
    # An exact test and a bootstrap differ at the edge; with more seeds p is where the interval meets zero.
    assert agree >= 0.95 * rounds if seeds == 1 else agree == rounds


def test_resampling_seeds_would_not_cover_the_truth():
    """Why the seeds' margin is Student's t: the two-level bootstrap has intervals that are far too narrow."""
    random = np.random.default_rng(0)
    truth = ndtr(0.35 / np.sqrt(1.5225)) - ndtr(0.25 / np.sqrt(1.5225))
    covered = 0
    for _ in range(200):
        a, b = decisions(random, {"means": (0.35, 0.25), "seeds": 2}, items=300, seed_spread=0.15)
        changes = a - b
        means = random.multinomial(300, np.full(300, 1 / 300), size=400) @ changes.T / 300
        drawn = np.take_along_axis(means, random.integers(2, size=(400, 2)), axis=1).mean(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        covered += low <= truth <= high
    assert covered < 0.85 * 200


def test_false_alarms_are_rare_with_few_seeds(few_samples):
    random = np.random.default_rng(5)
    alarms = 0
    for _ in range(300):
        a, b = decisions(random, {"means": (0.3, 0.3), "seeds": 3}, items=200, seed_spread=0.1)
        alarms += of_credits(a, b, ["x"] * 200).p < 0.05
    assert alarms <= 25  # 15 are expected


def test_seeds_that_agree_make_a_difference_surer_than_one():
    random = np.random.default_rng(3)
    a = (random.random((5, 500)) < 0.6).astype(float)
    b = (random.random((5, 500)) < 0.5).astype(float)
    five, one = of_credits(a, b, ["x"] * 500), of_credits(a[:1], b[:1], ["x"] * 500)
    assert (five.seeds, five.test) == (5, "two_level")
    assert five.ci_high - five.ci_low < one.ci_high - one.ci_low
    assert five.value == pytest.approx(a.mean() - b.mean())
    same = of_credits(a, a, ["x"] * 500)
    assert (same.value, same.ci_low, same.ci_high, same.p) == (0, 0, 0, 1)


def test_pooled_seeds_by_hand():
    # Two seeds, 70 and 72: standard error 1, Student's t with one degree of freedom 12.706; items 2 either way.
    value, low, high = pooled([70, 72], [68, 70], [72, 74])
    half = np.hypot(2, 12.7062)
    assert (value, low, high) == pytest.approx((71, 71 - half, 71 + half), abs=1e-3)
    assert pooled([70.1], [68.3], [71.7]) == (70.1, 68.3, 71.7)
    assert pooled([70, np.nan], [68, np.nan], [72, np.nan]) == (70, 68, 72)
    assert np.isnan(pooled([np.nan], [np.nan], [np.nan])).all()
    assert np.isnan(pooled([3, 4], [np.nan] * 2, [np.nan] * 2)[1])
    assert margin(np.array([1.0])) == 0
    assert margin(np.array([1.0, 2.0, 3.0])) == pytest.approx(4.30265 / np.sqrt(3), abs=1e-4)


def test_pooled_intervals_cover_the_truth():
    """An accuracy over three seeds, its truth the mean over all seeds and items."""
    random = np.random.default_rng(0)
    truth = ndtr(0.3 / np.sqrt(1.5225))
    covered = 0
    for _ in range(400):
        (own,) = decisions(random, {"means": (0.3,), "seeds": 3}, items=300, seed_spread=0.15)
        share = own.mean(axis=1)
        half = 1.96 * np.sqrt(share * (1 - share) / 300)
        _, low, high = pooled(share, share - half, share + half)
        covered += low <= truth <= high
    assert covered >= 0.94 * 400


# --- statistics that are no accuracy ------------------------------------------------------------------------


def test_bootstrap_of_a_statistic():
    random = np.random.default_rng(0)
    x = random.normal(size=400)
    y = x - 0.2 + random.normal(size=400) * 0.1
    drawn = [np.array([bootstrap(lambda own: own["x"].mean(), {"x": own})]) for own in (x, y)]
    found = of_bootstraps(*drawn, 400)
    assert (found.test, found.n, found.seeds) == ("bootstrap", 400, 1)
    assert found.value == pytest.approx(x.mean() - y.mean())
    assert found.ci_high - found.ci_low == pytest.approx(2 * 1.96 * 0.1 / 20, rel=0.15)  # paired: 0.1, not 1.4
    assert found.p < 1e-10
    nan = np.nan
    for unknown in ([nan] * 5, [nan, 1, 1, 1, 1], [1, nan, nan, nan, 1]):
        assert np.isnan(of_bootstraps(np.array([unknown]), drawn[0][:, :5], 400)[:4]).all()
    twice = of_bootstraps(*(np.vstack([own, own]) for own in drawn), 400)
    assert twice.test == "two_level"
    assert (twice.ci_low, twice.ci_high) == pytest.approx((found.ci_low, found.ci_high), abs=1e-3)


# --- many comparisons ---------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_agrees_with_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_leaves_out_what_is_undefined():
    np.testing.assert_allclose(holm([0.04, np.nan, 0.01]), [0.04, np.nan, 0.02])


# --- suites -------------------------------------------------------------------------------------------------


def accuracy_items(seed: int, groups: list[str]) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "item": [f"item_{number}" for number in range(len(groups))],
            "group": groups,
            "correct": random.random(len(groups)) < 0.6,
            "credit": 1.0,
        }
    )


def dialogue_items(seed: int) -> pd.DataFrame:
    return accuracy_items(seed, ["pairs"] * 60).assign(no_shared_token=np.arange(60) % 3 == 0)


def label_items(seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    labels = np.random.default_rng(0).integers(2, size=60)
    predicted = ("", "_last_token", "_last_token_last_epoch", "_majority")
    return pd.DataFrame(
        {
            "item": [f"item_{number}" for number in range(60)],
            "group": ["rte"] * 20 + ["mrpc"] * 40,
            "label": labels,
            **{f"predicted{name}": random.integers(2, size=60) for name in predicted},
        }
    )


def wug_items(seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "item": [f"item_{number}" for number in range(50)],
            "group": "wug",
            "correct": True,
            "value": np.random.default_rng(9).random(50).round(1),
            "probability": random.random(50),
        }
    )


def reading_items(seed: int) -> pd.DataFrame:
    same, random = np.random.default_rng(9), np.random.default_rng(seed)
    table = pd.DataFrame({name: same.normal(size=80) for name in (*COVARIATES, *MEASURES)})
    names = {"item": [f"item_{number}" for number in range(80)], "group": "reading"}
    surprisals = {
        name: random.normal(size=80) for name in ("pred", "prev_pred", "pred_whole_word", "prev_pred_whole_word")
    }
    return table.assign(**names, **surprisals)


ENTITY_GROUPS = ["regular_0_ops"] * 30 + ["regular_1_ops"] * 10 + ["ambiref_0_ops"] * 20


@pytest.mark.parametrize(
    ("suite", "items", "metrics"),
    [
        ("dialogue_words", dialogue_items, ["accuracy", "accuracy_no_shared_token"]),
        ("blimp", lambda seed: accuracy_items(seed, ["x"] * 40 + ["y"] * 20), ["accuracy"]),
        ("entity_tracking", lambda seed: accuracy_items(seed, ENTITY_GROUPS), ["accuracy"]),
        ("glue", label_items, ["accuracy", "accuracy_last_token"]),
        ("wug_adj", wug_items, ["spearman"]),
        ("reading", reading_items, ["partial_r2"]),
    ],
)  # fmt: skip
def test_the_difference_is_that_of_the_suites_own_rows(suite, items, metrics, monkeypatch):
    monkeypatch.setattr("babylogue.suites.reading.BOOTSTRAP_SAMPLES", 2)
    loaded = registry.load(suite)
    tables = {"dpo": [items(1), items(2)], "base": [items(3), items(4)]}
    values = {
        (run, seed, row["metric"]): row["value"]
        for run, own in tables.items()
        for seed, table in enumerate(own)
        for row in loaded.rows(table)
        if row["group"] == "all"
    }
    for seeds in (1, 2):
        rows = differences(loaded, [CONTRAST], lambda run, checkpoint, seeds=seeds: tables[run][:seeds])
        assert [row["metric"] for row in rows] == metrics
        for row in rows:
            own = [
                values["dpo", seed, row["metric"]] - values["base", seed, row["metric"]] for seed in range(seeds)
            ]
            assert row["difference"] == pytest.approx(np.mean(own))
            assert row["ci_low"] <= row["difference"] <= row["ci_high"]
            assert 0 <= row["p"] <= 1
            assert (row["suite"], row["run"], row["against"], row["seeds"]) == (suite, "dpo", "base", seeds)


def test_other_items_are_refused_and_other_scores_left_out():
    suite = registry.load("blimp")
    tables = {"dpo": [accuracy_items(1, ["x"] * 9)], "base": [accuracy_items(1, ["x"] * 8)]}
    with pytest.raises(UserError, match="blimp: dpo and base were scored on different items"):
        differences(suite, [CONTRAST], lambda run, checkpoint: tables[run])
    ages = pd.DataFrame({"item": ["dog"], "group": ["aoa"], "child": [20.0], "model": [5.0]})
    assert differences(registry.load("aoa"), [CONTRAST], lambda run, checkpoint: [ages]) == []


ROW = CONTRAST._asdict() | {"suite": "s", "metric": "accuracy", "test": "two_level", "n": 9, "seeds": 2}
NUMBERS = ("difference", "ci_low", "ci_high", "p")


def rows_of(*numbers, **changes):
    """Rows as `differences` gives them, of two checkpoints of their own each."""
    return [
        ROW | dict(zip(NUMBERS, own, strict=True)) | {"sides": frozenset((f"a{place}", "b"))} | changes
        for place, own in enumerate(numbers)
    ]


def test_only_what_survives_the_family_differs():
    numbers = [(3, 1, 5, 0.01), (3, 1, 5, 0.03), (3, -1, 7, 0.001), (-4, -6, -2, 1e-6), (np.nan,) * 4]
    table = comparisons_table(rows_of(*numbers))
    assert list(table) == COLUMNS
    assert table["p_holm"].tolist()[:4] == pytest.approx([0.02, 0.03, 0.003, 4e-6])
    assert table["differs"].tolist() == [True, True, False, True, False]
    assert table["family"].tolist()[:4] == [4] * 4
    table = comparisons_table(rows_of(*[(3, 1, 5, 0.03)] * 2))
    assert table["p_holm"].tolist() == [0.06, 0.06]
    assert not table["differs"].any()
    assert list(comparisons_table([])) == COLUMNS


def test_what_is_no_test_of_its_own_changes_no_adjusted_p():
    """Other metrics of the same items, models compared with themselves, and the same two checkpoints once more."""
    tests = rows_of((3, 1, 5, 0.01), (2, 1, 3, 0.02), (1, -1, 3, 0.3))
    alone = comparisons_table(tests)
    others = [
        *rows_of((9, 8, 10, 1e-9), metric="accuracy_no_shared_token"),
        *rows_of((9, 8, 10, 1e-9), metric="accuracy_last_token"),
        *rows_of((0.0, 0.0, 0.0, np.nan), test="same_weights", sides=frozenset("b")),
        tests[0] | {"run": "the_same_weights_under_another_name"},
    ]
    table = comparisons_table([*tests, *others])
    pd.testing.assert_frame_equal(table.head(3), alone, check_dtype=False)
    assert table["family"].tolist()[:3] == [3] * 3
    assert table["p_holm"].isna().tolist() == [False] * 3 + [True] * 3 + [False]
    assert table["p_holm"].iloc[-1] == alone["p_holm"].iloc[0] == pytest.approx(0.03)
    assert not table["differs"].iloc[3:6].any() and table["differs"].iloc[6]


def weighed(seed: int, weights: str | None) -> pd.DataFrame:
    """Item scores with the digest of the weights that they are of."""
    table = dialogue_items(seed)
    table.attrs["weights"] = weights
    return table


def test_a_checkpoint_with_the_weights_of_the_other_is_no_test():
    suite = registry.load("dialogue_words")

    def table(dpo, base):
        tables = {"dpo": [weighed(1, own) for own in dpo], "base": [weighed(2, own) for own in base]}
        return comparisons_table(differences(suite, [CONTRAST], lambda run, checkpoint: tables[run]))

    same = table(["a", "b"], ["a", "b"])
    assert same["test"].tolist() == ["same_weights"] * 2
    assert same[["difference", "ci_low", "ci_high"]].eq(0).all(axis=None)
    assert same[["p", "p_holm", "family"]].isna().all(axis=None) and not same["differs"].any()
    # With the same weights in one seed of two, or with weights that are not known, there is something to test.
    for dpo, base in ((["a", "b"], ["a", "c"]), ([None], [None])):
        found = table(dpo, base)
        assert "same_weights" not in set(found["test"]) and found["family"].tolist() == [1, pd.NA]


def test_two_pairs_of_checkpoints_with_the_same_weights_are_one_test():
    suite = registry.load("blimp")
    seeds = {"base": (1, "a"), "dpo": (2, "b"), "ppo": (1, "a"), "later": (2, "b")}

    def scores(run, checkpoint):
        number, weights = seeds[run]
        own = accuracy_items(number, ["x"] * 60)
        own.attrs["weights"] = weights
        return [own]

    contrasts = [Contrast(run, "best", against, "final") for run, against in (("dpo", "base"), ("ppo", "later"))]
    table = comparisons_table(differences(suite, contrasts, scores))
    assert table["family"].tolist() == [1, 1]
    assert table["difference"].iloc[0] == -table["difference"].iloc[1]
    assert table["p_holm"].tolist() == table["p"].tolist()
