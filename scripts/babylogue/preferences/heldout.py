"""Which pairs of a set made elsewhere tuning is judged by."""

import numpy as np
import pandas as pd

from .settings import GivenPairs


def heldout_part(prompts: pd.Series, settings: GivenPairs) -> np.ndarray:
    """train or heldout per pair: whole prompts, drawn until they hold `heldout_share`."""
    if settings.part == "test":
        return np.full(len(prompts), "heldout")
    counts = prompts.value_counts(sort=False).sort_index()
    shuffled = counts.iloc[np.random.default_rng(settings.seed).permutation(len(counts))]
    before = shuffled.cumsum() - shuffled
    heldout = shuffled.index[before < settings.heldout_share * len(prompts)]
    return np.where(prompts.isin(heldout), "heldout", "train")
