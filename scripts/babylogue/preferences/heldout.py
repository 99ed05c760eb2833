"""Which pairs of a set tuning is judged by."""

import numpy as np
import pandas as pd

from .settings import GivenPairs, NaturalPairs


def heldout_part(owners: pd.Series, settings: NaturalPairs | GivenPairs) -> np.ndarray:
    """train or heldout per pair: whole owners (children, prompts), drawn until they hold `heldout_share`."""
    if settings.part == "test":
        return np.full(len(owners), "heldout")
    counts = owners.value_counts(sort=False).sort_index()
    shuffled = counts.iloc[np.random.default_rng(settings.seed).permutation(len(counts))]
    before = shuffled.cumsum() - shuffled
    heldout = shuffled.index[before < settings.heldout_share * len(owners)]
    return np.where(owners.isin(heldout), "heldout", "train")
