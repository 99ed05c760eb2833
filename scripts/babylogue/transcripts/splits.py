"""Children to parts, so that no child of the test part was seen in training (mends leakage of the paper)."""

import numpy as np
import pandas as pd

from ..errors import UserError
from .children import join_unnamed
from .copies import families
from .settings import PARTS, SplitSettings


def split_by_child(transcripts: pd.DataFrame, copies: pd.DataFrame, settings: SplitSettings) -> pd.DataFrame:
    """Assign every transcript to a part.

    Children are taken by size class, large ones first, in random order within a class, each to the part
    that lacks most words, so that the shares come out closely whatever the sizes. Children who are recorded
    together, or whose transcripts are copies of each other, go together.

    Args:
        transcripts: transcript, corpus, child, other_children, words; one row a transcript.
        copies: first, second; one row a pair of transcripts that are copies.

    Returns:
        The table with the columns `family`, the first of the children that go together, and `part`.

    Raises:
        UserError: there are fewer children than parts.
    """
    transcripts = join_unnamed(transcripts)
    transcripts["family"] = families(transcripts, copies)
    words = transcripts.groupby("family", sort=True)["words"].sum()
    if len(words) < len(PARTS):
        raise UserError(f"split.by: {len(words)} children cannot fill {len(PARTS)} parts; add transcripts")
    shuffled = words.iloc[np.random.default_rng(settings.seed).permutation(len(words))]
    size_class = np.floor(np.log2(shuffled.clip(lower=1)))
    lacking = {part: settings.shares[part] * words.sum() for part in PARTS}
    part_of = {}
    order = size_class.sort_values(ascending=False, kind="stable").index
    for position, child in enumerate(order):
        empty = [part for part in PARTS if part not in part_of.values()]
        # The last children go to parts that would else stay empty.
        open_parts = empty if len(order) - position <= len(empty) else PARTS
        part = max(open_parts, key=lacking.__getitem__)
        part_of[child] = part
        lacking[part] -= words[child]
    return transcripts.assign(part=transcripts["family"].map(part_of))
