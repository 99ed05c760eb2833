"""How the tune part is divided: validation children, prompts of rollouts, and the rest, which pairs train on.

The division depends on the tune part and on the section `tuning` alone, never on a pair set. Every pair set and
the rollouts follow the same one, and adding a pair set changes nothing for the others.
"""

from hashlib import blake2b

import numpy as np
import pandas as pd

from .exchanges import PROMPT_MIN_TOKENS
from .tuning_settings import TuningSettings


def validation_families(exchanges: pd.DataFrame, families: pd.Series, settings: TuningSettings) -> set[str]:
    """Families of the validation children: drawn at random up to `validation_share` of the exchanges.

    A family that would exceed the share is skipped. If every family would, the smallest one is taken.

    Args:
        exchanges: all of the tune part, by `find_exchanges`.
        families: transcript -> family of its child.
    """
    sizes = families.loc[exchanges["transcript"]].value_counts()
    room = settings.validation_share * len(exchanges)
    chosen = set()
    for family in sorted(sizes.index, key=lambda name: (_fraction(name, settings.seed), name)):
        if sizes[family] <= room:
            chosen.add(family)
            room -= sizes[family]
    return chosen or set(sizes.sort_index().nsmallest(1).index)


def reserved_for_rollouts(turns: pd.Series, settings: TuningSettings) -> np.ndarray:
    """bool [turns]: whether a caregiver's turn may be a prompt of rollouts, and of no natural pair.

    A hash of the words decides, so equal turns, case apart, are treated alike wherever they occur. A larger
    `rollout_share` keeps every turn that a smaller one reserves.
    """
    folded = turns.str.casefold()
    fractions = {turn: _fraction(turn, settings.seed) for turn in folded.unique()}
    long_enough = turns.str.split().str.len() >= PROMPT_MIN_TOKENS
    return long_enough.to_numpy(dtype=bool) & (folded.map(fractions).to_numpy() < settings.rollout_share)


def _fraction(text: str, seed: int) -> float:
    """A number in [0, 1) that depends on text and seed alone, uniform over texts."""
    digest = blake2b(f"{seed} {text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
