"""Mixed preference pairs: natural and synthetic ones by share, at equal size for every share."""

import pandas as pd

from .settings import MixedPairs


def mixed_pairs(sets: dict[str, pd.DataFrame], settings: MixedPairs) -> pd.DataFrame:
    """Draw from each set its share of the smallest set's size, train and heldout pairs apart.

    The children of the heldout part are the same in all sets of one base, so the mixed set keeps them apart.
    """
    drawn = []
    for part in ("train", "heldout"):
        size = min(int((pairs["part"] == part).sum()) for pairs in sets.values())
        for name, share in settings.shares.items():
            pairs = sets[name][sets[name]["part"] == part]
            drawn.append(pairs.sample(n=round(share * size), random_state=settings.seed).assign(source=name))
    mixed = pd.concat(drawn)
    return mixed.sample(frac=1, random_state=settings.seed).reset_index(drop=True)
