"""What rewarding replies does to dialogue: each run in a row, and each reward's correlation with the accuracy.

Everything here is of the prompts that a run meets and of held-out pairs of the tune part, so that settings may be
chosen by it; no test item is in it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from ..scoring.intervals import Estimate, mean, percentiles
from .seeds import pooled

RUN_COLUMNS = [
    "run", "seed", "method", "reward", "replies", "best_step", "final_step", "stopped", "gain", "gain_low",
    "gain_high",
    *(f"{place}_{name}" for name in ("reward", "accuracy", "kl", "words", "distinct_2")
      for place in ("start", "best", "final")),
]  # fmt: skip
CORRELATION_COLUMNS = ["run", "reward", "relation", "seeds", "evaluations", "rho", "ci_low", "ci_high"]
SAMPLES = 2000
FEWEST = 6  # evaluations of a seed; fewer tell nothing of a rank correlation


def evaluations(log: pd.DataFrame) -> pd.DataFrame:
    """The evaluations of a run (columns of `reinforcement.records.LOG_COLUMNS`).

    Columns: step, episodes; reward, the mean of the rollouts since the evaluation before; accuracy, on
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

    Rewards, lengths (words) and distinct-2 are of the replies to held-out prompts, at the start, at `best` and at
    the last evaluation (final); without held-out prompts they are missing. gain is the last evaluation's reward
    less the start's, with the normal interval over prompts: `best` has been chosen by the same replies.

    Args:
        samples: columns of `reinforcement.records.SAMPLE_COLUMNS`.
        told: the run's settings.yaml.
    """
    evaluated = log[log["held_out_accuracy"].notna()].set_index("step")
    places = {"start": evaluated.index[0], "best": told["best_step"], "final": evaluated.index[-1]}
    earned = samples[samples["held_out"]].groupby(["step", "prompt"])["earned"].mean().unstack("prompt")
    gains = (earned.loc[places["final"]] - earned.loc[places["start"]]) if len(earned) else earned
    gain = mean(gains) if len(gains) else Estimate(np.nan, np.nan, np.nan, 0)
    row = {
        "method": told["method"],
        "reward": reward_name(told["reward"]),
        "replies": int(log["episodes"].iloc[-1]),
        "best_step": told["best_step"],
        "final_step": int(places["final"]),
        "stopped": told["stopped"],
        "gain": gain.value,
        "gain_low": gain.ci_low,
        "gain_high": gain.ci_high,
    }
    for place, step in places.items():
        own = evaluated.loc[step]
        row |= {
            f"{place}_reward": own["held_out_reward"],
            f"{place}_accuracy": own["held_out_accuracy"],
            f"{place}_kl": own["kl_full"],
            f"{place}_words": own["held_out_words"],
            f"{place}_distinct_2": own["held_out_distinct_2"],
        }
    return row


def reward_name(reward: str | Mapping) -> str:
    """A reward's name, or those of a sum's terms."""
    return reward if isinstance(reward, str) else " + ".join(reward)


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
