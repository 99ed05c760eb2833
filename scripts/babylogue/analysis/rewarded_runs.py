"""What rewarding replies does to dialogue: each run in a row, and each reward's correlation with gained accuracy.

Everything here is of the prompts that a run meets and of held-out pairs of the tune part, so that settings may be
chosen by it; no test item is in it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import spearmanr

from ..scoring.intervals import Estimate, mean
from .seeds import pooled

RUN_COLUMNS = [
    "run", "seed", "method", "reward", "replies", "best_step", "final_step", "stopped", "gain", "gain_low",
    "gain_high",
    *(f"{place}_{name}" for name in ("reward", "accuracy", "kl", "words", "distinct_2")
      for place in ("start", "best", "final")),
]  # fmt: skip
CORRELATION_COLUMNS = ["run", "reward", "seeds", "evaluations", "rho", "ci_low", "ci_high"]
FEWEST = 6  # evaluations of a seed; fewer tell nothing of a rank correlation


def evaluations(log: pd.DataFrame) -> pd.DataFrame:
    """The evaluations of a run (columns of `reinforcement.records.LOG_COLUMNS`).

    Columns: step, episodes; accuracy, on held-out pairs, percent; kl, nats a reply; trained_reward, the mean of
    the replies that the policy was trained on since the evaluation before, and gain, the change of the accuracy
    since then: NaN in the first.
    """
    kept = log["held_out_accuracy"].notna()
    trained = log["reward_mean"].groupby(kept.cumsum()).mean()  # rows from an evaluation up to the next
    own = log[kept]
    table = pd.DataFrame(
        {
            "step": own["step"],
            "episodes": own["episodes"],
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


def correlation(logs: Sequence[pd.DataFrame], stopped: Sequence[bool]) -> dict:
    """Spearman's correlation, over the evaluations of a run, of reward and change of held-out accuracy.

    The reward is the mean of the replies trained on between two evaluations, the change that of the accuracy from
    one to the other: whether it is the well-rewarded replies that make dialogue better. The levels of reward and
    accuracy are not correlated: both drift as training goes on, and two series that drift independently of each
    other are strongly correlated more often than not (Yule 1926).

    Seeds are put together by `seeds.pooled`.

    Args:
        logs: of each seed, up to the guard's stop.
        stopped: whether the guard stopped the seed; the row at which it did is left out.
    """
    tables = [evaluations(log.iloc[: len(log) - ended]) for log, ended in zip(logs, stopped, strict=True)]
    pairs = [table[["trained_reward", "gain"]].dropna().to_numpy(float) for table in tables]
    pairs = [own for own in pairs if len(own) >= FEWEST]
    each = [spearman(own) for own in pairs]
    value, low, high = pooled(*zip(*each, strict=True)) if each else (np.nan,) * 3
    return {
        "seeds": len(each),
        "evaluations": sum(map(len, pairs)),
        "rho": value,
        "ci_low": float(np.clip(low, -1, 1)),
        "ci_high": float(np.clip(high, -1, 1)),
    }


def spearman(pairs: np.ndarray) -> tuple[float, float, float]:
    """Spearman's rho of pairs (n, 2), n above 3, and its 95 % interval.

    The interval is that of Fisher's z with the standard error of Bonett and Wright (2000). NaN if one of the two
    does not vary.
    """
    if (np.ptp(pairs, axis=0) == 0).any():
        return (np.nan,) * 3
    rho = float(spearmanr(pairs).statistic)
    error = np.sqrt((1 + rho**2 / 2) / (len(pairs) - 3))
    with np.errstate(divide="ignore"):  # of a perfect correlation z is infinite
        ends = np.tanh(np.arctanh(rho) + ndtri([0.025, 0.975]) * error)
    return rho, *map(float, ends)
