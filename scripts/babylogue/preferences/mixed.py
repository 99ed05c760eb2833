"""Mixed preference pairs: natural and synthetic ones by share, at equal size for every share."""

import numpy as np
import pandas as pd

from .filters import Filters
from .settings import MixedPairs


def mixed_pairs(sets: dict[str, pd.DataFrame], settings: MixedPairs) -> tuple[pd.DataFrame, Filters]:
    """Draw from each set its share of the smallest set's size, train and heldout pairs apart.

    A set with share 0 gives no pair and bounds the size like the others, so that 100/0, 50/50 and 0/100 have the
    same number of pairs. The children of the heldout part are the same in all sets of one base, so the mixed set
    keeps them apart.
    """
    filters = Filters(f"pairs of {' and '.join(sets)}", sum(map(len, sets.values())))
    everything = pd.concat([pairs.assign(source=name) for name, pairs in sets.items()])
    drawn = []
    for part in ("train", "heldout"):
        size = min(int((pairs["part"] == part).sum()) for pairs in sets.values())
        for name, count in zip(settings.shares, _counts(size, list(settings.shares.values())), strict=True):
            own = everything[(everything["source"] == name) & (everything["part"] == part)]
            drawn.append(own.sample(n=count, random_state=settings.seed))
    mixed = pd.concat(drawn)
    filters.removed["not_drawn"] = len(everything) - len(mixed)
    return mixed.sample(frac=1, random_state=settings.seed).reset_index(drop=True), filters


def _counts(size: int, shares: list[float]) -> np.ndarray:
    """Whole numbers that add up to size and are as the shares, by largest remainder."""
    exact = size * np.array(shares) / sum(shares)
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: size - counts.sum()]] += 1
    return counts
