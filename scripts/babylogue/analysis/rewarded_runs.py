"""What rewarding replies does to dialogue: each run in a row, and each reward's correlation with the accuracy.

Everything here is of the prompts that a run meets and of held-out pairs of the tune part, so that settings may be
chosen by it; no test item is in it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from ..dialogue import words
from ..scoring.intervals import Estimate, mean, percentiles
from .seeds import pooled

RUN_COLUMNS = [
    "run", "seed", "method", "reward", "replies", "best_step", "start_reward", "best_reward", "gain", "gain_low",
    "gain_high", "start_accuracy", "best_accuracy", "best_kl", "start_words", "best_words", "start_distinct_2",
    "best_distinct_2", "final_step", "final_reward", "final_accuracy", "final_kl", "stopped",
]  # fmt: skip
CORRELATION_COLUMNS = ["run", "reward", "relation", "seeds", "evaluations", "rho", "ci_low", "ci_high"]
SAMPLES = 2000
FEWEST = 6  # evaluations of a seed; fewer tell nothing of a rank correlation


def evaluations(log: pd.DataFrame) -> pd.DataFrame:
    """The evaluations of a run (columns of `reinforcement.records.LOG_COLUMNS`).

    Columns: step, episodes; reward, the mean since the evaluation before, as `best` is chosen by; accuracy, on
    held-out pairs, percent; kl, nats a reply; trained_reward, the mean of the replies that the policy was trained
    on since the evaluation before, and gain, the change of the accuracy since then: NaN in the first.
    """
    kept = log["held_out_accuracy"].notna()
    group = (kept.shift(fill_value=False)).cumsum()  # rows up to an evaluation, it included
    trained = log["reward_mean"].groupby(kept.cumsum()).mean()  # rows from an evaluation up to the next
    own = log[kept]
    table = pd.DataFrame(
        {
            "step": own["step"],
            "episodes": own["episodes"],
            "reward": log["reward_mean"].groupby(group).mean()[group[kept]].to_numpy(),
            "accuracy": own["held_out_accuracy"],
            "kl": own["kl_full"],
        }
    ).reset_index(drop=True)
    table["trained_reward"] = trained.reindex(range(len(table))).to_numpy()
    table["gain"] = table["accuracy"].diff()
    table.loc[:0, "trained_reward"] = np.nan
    return table


def run_row(log: pd.DataFrame, samples: pd.DataFrame, told: Mapping) -> dict:
    """A row of rewarded_runs.csv but run and seed.

    Rewards, lengths (words) and distinct-2 are of the replies to held-out prompts; gain is the reward of `best`
    less that of the start, with the normal interval over prompts. Without held-out prompts they are missing.

    Args:
        samples: columns of `reinforcement.records.SAMPLE_COLUMNS`.
        told: the run's settings.yaml.
    """
    rows = log.set_index("step")
    first, best, last = rows.iloc[0], rows.loc[told["best_step"]], rows.iloc[-1]
    held_out = samples[samples["held_out"]]
    start, kept = (held_out[held_out["step"] == step] for step in (rows.index[0], told["best_step"]))
    gains = kept.groupby("prompt")["earned"].mean() - start.groupby("prompt")["earned"].mean()
    gain = mean(gains) if len(gains) else Estimate(np.nan, np.nan, np.nan, 0)
    return {
        "method": told["method"],
        "reward": reward_name(told["reward"]),
        "replies": int(last["episodes"]),
        "best_step": told["best_step"],
        "start_reward": first["held_out_reward"],
        "best_reward": best["held_out_reward"],
        "gain": gain.value,
        "gain_low": gain.ci_low,
        "gain_high": gain.ci_high,
        "start_accuracy": first["held_out_accuracy"],
        "best_accuracy": best["held_out_accuracy"],
        "best_kl": best["kl_full"],
        "start_words": mean_words(start["reply"]),
        "best_words": mean_words(kept["reply"]),
        "start_distinct_2": distinct_2(start["reply"]),
        "best_distinct_2": distinct_2(kept["reply"]),
        "final_step": int(rows.index[-1]),
        "final_reward": last["held_out_reward"],
        "final_accuracy": last["held_out_accuracy"],
        "final_kl": last["kl_full"],
        "stopped": told["stopped"],
    }


def reward_name(reward: str | Mapping) -> str:
    """A reward's name, or those of a sum's terms."""
    return reward if isinstance(reward, str) else " + ".join(reward)


def mean_words(replies: Sequence[str]) -> float:
    """Mean number of words of a reply, punctuation not counted; NaN of none."""
    return float(np.mean([len(words(reply)) for reply in replies])) if len(replies) else np.nan


def distinct_2(replies: Sequence[str]) -> float:
    """Different pairs of neighbouring words among all pairs of the replies (Li et al. 2016, section 5.4); NaN of
    none."""
    pairs = [pair for reply in replies for pair in pairwise(words(reply))]
    return len(set(pairs)) / len(pairs) if pairs else np.nan


def correlations(logs: Sequence[pd.DataFrame], stopped: Sequence[bool]) -> list[dict]:
    """Spearman's correlation of reward and held-out accuracy along a run, one row a relation.

    level: the mean reward since the evaluation before against the accuracy. A trend that both share is in it.
    change: the mean reward of the replies trained on between two evaluations against the change of the accuracy
    from one to the other: whether it is the well-rewarded replies that make dialogue better.

    A seed's interval is that of the percentiles of a moving-block bootstrap over its evaluations (Kuensch 1989),
    since neighbours are alike; it takes the run to be stationary. Seeds are put together by `seeds.pooled`.

    Args:
        logs: of each seed, up to the guard's stop.
        stopped: whether the guard stopped the seed; the row at which it did is left out.
    """
    tables = [evaluations(log.iloc[: len(log) - ended]) for log, ended in zip(logs, stopped, strict=True)]
    found = []
    for relation, columns in (("level", ["reward", "accuracy"]), ("change", ["trained_reward", "gain"])):
        pairs = [table[columns].dropna().to_numpy(float) for table in tables]
        each = [spearman(own) for own in pairs if len(own) >= FEWEST]
        value, low, high = pooled(*zip(*each, strict=True)) if each else (np.nan,) * 3
        found.append(
            {
                "relation": relation,
                "seeds": len(each),
                "evaluations": sum(len(own) for own in pairs if len(own) >= FEWEST),
                "rho": value,
                "ci_low": float(np.clip(low, -1, 1)),
                "ci_high": float(np.clip(high, -1, 1)),
            }
        )
    return found


def spearman(pairs: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Spearman's rho of pairs (n, 2) in their order, and its interval by a moving-block bootstrap.

    Blocks have the cube root of n, rounded up. NaN if one of the two does not vary.
    """
    n = len(pairs)
    length = int(np.ceil(n ** (1 / 3)))
    starts = np.random.default_rng(seed).integers(n - length + 1, size=(SAMPLES, -(-n // length)))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(SAMPLES, -1)[:, :n]
    value, samples = _rank_correlation(pairs), _rank_correlation(pairs[drawn])
    known = samples[np.isfinite(samples)]
    return float(value), *(percentiles(known) if len(known) else (np.nan, np.nan))


def _rank_correlation(pairs: np.ndarray) -> np.ndarray:
    """Spearman's rho (...) of pairs (..., n, 2), ties at their mean rank; NaN without variance."""
    ranks = rankdata(pairs, axis=-2)
    ranks = ranks - ranks.mean(axis=-2, keepdims=True)
    x, y = ranks[..., 0], ranks[..., 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (x * y).sum(axis=-1) / np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
