"""Exchanges in a table of utterances: a caregiver's turn and the target child's reply right after it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..dialogue import CHILD

# CHAT roles of children.
CHILD_ROLES = (
    "Target_Child", "Child", "Brother", "Sister", "Sibling", "Playmate", "Cousin", "Friend", "Student",
    "Boy", "Girl",
)  # fmt: skip
UNIDENTIFIED = "Unidentified"
"""CHAT's role of a speaker of whom nothing is known. A speaker whom no header names has it too."""
NO_CAREGIVER_ROLES = (*CHILD_ROLES, UNIDENTIFIED)
"""Roles whose turns are no caregiver's."""


def exchange_keys(utterances: pa.Table, transcript: np.ndarray) -> np.ndarray:
    """uint64 [utterances]: a hash of the words that utterance i and the next exchange, 0 where they do not.

    Two exchanges of the same words, whatever their case and speakers, have the same key. `transcript` [utterances]
    tells transcripts apart; `utterances` has the columns speaker, role and text.
    """
    keys = np.zeros(len(utterances), dtype=np.uint64)
    if len(utterances) < 2:
        return keys
    child = pc.equal(utterances["speaker"], CHILD).to_numpy()
    caregiver = ~pc.is_in(utterances["role"], pa.array(NO_CAREGIVER_ROLES)).to_numpy() & ~child
    first = np.flatnonzero(caregiver[:-1] & child[1:] & (transcript[:-1] == transcript[1:]))
    texts = pc.utf8_lower(utterances["text"])
    joined = pc.binary_join_element_wise(texts.take(first), texts.take(first + 1), "\n")
    hashed = pd.util.hash_array(joined.to_numpy(zero_copy_only=False), categorize=False) if len(first) else []
    keys[first] = np.maximum(hashed, 1)  # 0 is taken
    return keys
