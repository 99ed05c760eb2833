"""Learning trajectories: every suite's own aggregate over the words that a model had seen."""

import math
import re

import pandas as pd

COLUMNS = ["run", "seed", "checkpoint", "words", "suite", "metric", "value", "ci_low", "ci_high"]
_NAME = re.compile(r"chck_(\d+)([KM]?)")
_UNITS = {"": 1, "K": 1_000, "M": 1_000_000}


def checkpoint_words(checkpoint: str) -> float:
    """Words seen at a checkpoint by its BabyLM name: chck_50K -> 50,000; NaN for a name that tells none."""
    match = _NAME.fullmatch(checkpoint)
    return int(match[1]) * _UNITS[match[2]] if match else math.nan


def trajectories(scores: pd.DataFrame, final_words: dict[tuple[str, int], int]) -> pd.DataFrame:
    """Columns COLUMNS, by run, suite, metric, seed (each in the order of `scores`) and words, ascending.

    Args:
        scores: the columns of scores.csv; rows of group "all" are used.
        final_words: (run, seed) -> words seen at `final`, for models trained from scratch. A checkpoint whose
            words are unknown (`best`, `final` of a tuned model) is left out.
    """
    table = scores[scores["group"] == "all"].reset_index(drop=True)
    words = [
        final_words.get((run, seed), math.nan) if checkpoint == "final" else checkpoint_words(checkpoint)
        for run, seed, checkpoint in table[["run", "seed", "checkpoint"]].itertuples(index=False, name=None)
    ]
    table = table.assign(words=words).dropna(subset="words").astype({"words": int})
    ranks = {name: pd.factorize(table[name])[0] for name in ("run", "suite", "metric", "seed")}
    keys = pd.DataFrame(ranks | {"words": table["words"].to_numpy()})
    order = keys.sort_values([*ranks, "words"], kind="stable").index
    return table.iloc[order][COLUMNS].reset_index(drop=True)
