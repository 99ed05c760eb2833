"""Runs on rewarded replies in a table, and the correlation of rewards with accuracy."""

import runpy
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import spearmanr

from babylogue.analysis.rewarded_runs import correlation, evaluations, run_row, spearman
from support.jobs import Named
from support.project import PROJECT

NAN = float("nan")


def log_of(rewards, accuracies):
    """A log of as many rows; accuracies are NaN between evaluations."""
    return pd.DataFrame(
        {
            "step": range(len(rewards)),
            "episodes": [16 * (step + 1) for step in range(len(rewards))],
            "reward_mean": rewards,
            "held_out_reward": np.where(np.isnan(accuracies), NAN, rewards),
            "held_out_accuracy": accuracies,
            "held_out_words": np.linspace(2.5, 2.0, len(rewards)),
            "held_out_distinct_2": np.linspace(0.5, 1.0, len(rewards)),
            "kl_full": np.linspace(0, 1, len(rewards)),
        }
    )


SHORT = log_of([0.0, 0.1, 0.3, 0.2, 0.6, 0.9], [50.0, NAN, 52.0, NAN, NAN, 49.0])
TOLD = {"method": "ppo", "reward": "bleu", "best_step": 2, "stopped": ""}


def test_evaluations_by_hand():
    table = evaluations(SHORT)
    assert table["step"].tolist() == [0, 2, 5]
    # Trained on between evaluations: rows 0 and 1, then rows 2, 3 and 4.
    assert table["trained_reward"].tolist() == pytest.approx([NAN, 0.05, 1.1 / 3], nan_ok=True)
    assert table["gain"].tolist() == pytest.approx([NAN, 2.0, -3.0], nan_ok=True)
    assert evaluations(SHORT.iloc[:0]).empty


SAMPLES = pd.DataFrame(
    [
        (0, True, "a", "the dog .", 0.0), (0, True, "b", "the dog barks .", 0.1), (0, False, "c", "no .", 0.5),
        (2, True, "a", "yes", 0.9), (2, True, "b", "no .", 0.9), (5, True, "a", "yes I see .", 0.4),
        (5, True, "b", "no .", 0.3), (5, False, "a", "no .", 0.0),
    ],
    columns=["step", "held_out", "prompt", "reply", "earned"],
)  # fmt: skip


def test_a_run_in_a_row():
    row = run_row(SHORT, SAMPLES, TOLD)
    half = 1.959964 * 0.1  # of gains 0.4 and 0.2
    assert (row["gain"], row["gain_low"], row["gain_high"]) == pytest.approx((0.3, 0.3 - half, 0.3 + half))
    assert (row["start_words"], row["best_words"], row["final_words"]) == (2.5, 2.3, 2.0)
    assert (row["start_distinct_2"], row["best_distinct_2"], row["final_distinct_2"]) == (0.5, 0.7, 1.0)
    assert run_row(SHORT, SAMPLES, TOLD | {"reward": {"a": 1, "b": {"values": [0, 1]}}})["reward"] == "a + b"
    none = run_row(SHORT, SAMPLES[~SAMPLES["held_out"]], TOLD)
    assert all(np.isnan(none[name]) for name in ("gain", "gain_low", "gain_high"))
    assert (row["replies"], row["final_step"], row["stopped"]) == (96, 5, "")
    assert (row["start_accuracy"], row["best_accuracy"], row["final_accuracy"]) == (50.0, 52.0, 49.0)
    assert (row["start_reward"], row["best_reward"], row["final_reward"]) == (0.0, 0.3, 0.9)


def test_rho_is_scipys_with_ties():
    rng = np.random.default_rng(1)
    pairs = rng.integers(5, size=(15, 2)).astype(float)
    value, low, high = spearman(pairs)
    assert value == pytest.approx(spearmanr(pairs).statistic)
    assert low < value < high
    assert np.isnan(spearman(np.array([[1.0, 2.0]] * 10))).all()


def test_intervals_hold_what_they_say():
    """Independent noise, rho 0: near 95 % of the intervals hold it; a strong relation is seen."""
    rng = np.random.default_rng(0)
    held = [low <= 0 <= high for _ in range(60) for _, low, high in [spearman(rng.normal(size=(30, 2)))]]
    assert np.mean(held) > 0.85
    x = rng.normal(size=30)
    assert spearman(np.stack([x, x + 0.3 * rng.normal(size=30)], axis=1))[1] > 0.5


def test_what_goes_with_what():
    """Rewards that say how much the accuracy will gain, over a falling trend of the rewards."""
    rng = np.random.default_rng(3)

    def run(sign):
        rewards = rng.normal(size=41)
        accuracy = 50 + np.cumsum(np.concatenate([[0], sign * rewards[:-1] + 0.2 * rng.normal(size=40)]))
        return log_of(rewards, accuracy)

    for sign in (1, -1):
        found = correlation([run(sign) for _ in range(3)], [False] * 3)
        assert (found["seeds"], found["evaluations"]) == (3, 120)
        assert sign * found["rho"] > 0.9 and sign * found["ci_low"] > 0 and sign * found["ci_high"] > 0
        assert -1 <= found["ci_low"] <= found["rho"] <= found["ci_high"] <= 1


@pytest.mark.parametrize("count", [8, 16, 32])
def test_runs_that_drift_on_their_own_are_rarely_said_to_correlate(count):
    """Reward and accuracy are independent random walks: of 400 intervals 20 leave out zero by chance, +- 3 SE."""
    rng = np.random.default_rng(count)
    walks = (rng.normal(size=(2, count + 1)).cumsum(axis=1) for _ in range(400))
    found = [correlation([log_of(*walk)], [False]) for walk in walks]
    assert all(row["evaluations"] == count for row in found)
    alarms = sum(row["ci_low"] > 0 or row["ci_high"] < 0 for row in found)
    assert 5 <= alarms <= 33


@pytest.mark.parametrize("count", [8, 16, 32])
def test_intervals_hold_a_correlation_that_there_is(count):
    """Normal pairs that correlate by 0.5, whose Spearman's rho is 6 / pi * arcsin(0.25)."""
    rng, rho = np.random.default_rng(count), 6 / np.pi * np.arcsin(0.25)
    pairs = (rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=count) for _ in range(400))
    held = sum(low <= rho <= high for _, low, high in map(spearman, pairs))
    assert 367 <= held <= 395


def test_the_row_at_which_the_guard_stopped_is_left_out():
    log = log_of(np.arange(9.0), [0, 1, 3, 6, 10, 15, 21, 28, -99.0])
    whole, cut = correlation([log], [False]), correlation([log], [True])
    assert (whole["evaluations"], cut["evaluations"]) == (8, 7)
    assert cut["rho"] > 0.9 > whole["rho"]
    few = correlation([SHORT], [False])
    assert (few["seeds"], few["evaluations"]) == (0, 0)
    assert np.isnan(few["rho"])


def test_the_rule_writes_both_tables(tmp_path):
    long = log_of(np.arange(9.0), np.arange(9.0) ** 2)
    runs = [["ppo_bleu", 0], ["ppo_bleu", 1], ["grpo", 0], ["grpo", 1]]
    logs, settings = [], []
    SAMPLES.to_parquet(tmp_path / "short.parquet")
    SAMPLES.replace({"step": {5: 8}}).to_parquet(tmp_path / "long.parquet")
    samples = [str(tmp_path / f"{'long' if run == 'grpo' else 'short'}.parquet") for run, _ in runs]
    for number, (run, _) in enumerate(runs):
        logs.append(str(tmp_path / f"{number}.csv"))
        settings.append(str(tmp_path / f"{number}.yaml"))
        (long if run == "grpo" else SHORT).to_csv(logs[-1], index=False)
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(TOLD | {"stopped": "KL" if number == 1 else ""}))
    outputs = {"runs": str(tmp_path / "runs.csv"), "correlations": str(tmp_path / "correlations.csv")}
    job = SimpleNamespace(
        params=Named(runs=runs),
        input=Named(logs=logs, samples=samples, settings=settings),
        output=Named(outputs),
    )
    runpy.run_path(str(PROJECT / "scripts/rewarded_runs.py"))["main"](job)
    table = pd.read_csv(tmp_path / "runs.csv")
    assert list(zip(table["run"], table["seed"], strict=True)) == [tuple(key) for key in runs]
    assert table["stopped"].fillna("").tolist() == ["", "KL", "", ""]
    found = pd.read_csv(tmp_path / "correlations.csv").set_index("run")
    assert found.loc["grpo", "rho"] == pytest.approx(1)
    assert found.loc["ppo_bleu", "seeds"] == 0
