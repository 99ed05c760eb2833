"""Utterances to triplets: three consecutive turns of one transcript (Padovani et al. 2025, section 3).

triplets/{part}.parquet, one row a triplet: triplet (int), transcript, corpus, child (str), age_months
(float), speakers, roles, turns (list of 3 str), words (int, lexical words without tags and punctuation).
"""

import numpy as np
import pandas as pd

from ..dialogue import count_words
from .settings import PARTS, SplitSettings, TripletSettings

_HEAD = ["transcript", "corpus", "child", "age_months"]


def _merge_turns(utterances: pd.DataFrame) -> pd.DataFrame:
    """Consecutive utterances of one speaker as one turn; inner terminators stay."""
    changes = (utterances[["transcript", "speaker"]] != utterances[["transcript", "speaker"]].shift()).any(axis=1)
    runs = utterances.groupby(changes.cumsum())
    text = runs["text"].agg(" ".join)
    return runs.first().assign(text=text, words=text.map(count_words))


def _windows(utterances: pd.DataFrame, settings: TripletSettings) -> np.ndarray:
    """(triplets,) the row of each triplet's first turn."""
    if len(utterances) < 3:
        return np.empty(0, dtype=np.int64)
    transcript = pd.factorize(utterances["transcript"])[0]
    speaker = pd.factorize(utterances["speaker"])[0]
    words = utterances["words"].to_numpy(dtype=np.int64)
    first = np.arange(len(utterances) - 2)
    a, b, c = speaker[:-2], speaker[1:-1], speaker[2:]
    speakers = 3 - ((a == b).astype(int) + ((c == a) | (c == b)))
    begins = np.searchsorted(transcript, transcript[first])  # transcripts are contiguous and numbered in order
    fits = (
        (transcript[:-2] == transcript[2:])
        & ((first - begins) % settings.stride == 0)
        & (words[:-2] + words[1:-1] + words[2:] >= settings.min_words)
        & (speakers >= settings.min_speakers)
    )
    return first[fits]


def _table(utterances: pd.DataFrame, first: np.ndarray) -> pd.DataFrame:
    """The triplets that begin at the given rows."""
    rows = first[:, None] + np.arange(3)  # (triplets, 3)
    table = utterances.iloc[first][_HEAD].reset_index(drop=True)
    table.insert(0, "triplet", np.arange(len(table)))
    for name, column in (("speakers", "speaker"), ("roles", "role"), ("turns", "text")):
        table[name] = utterances[column].to_numpy(dtype=object)[rows].tolist()
    return table.assign(words=utterances["words"].to_numpy(dtype=np.int64)[rows].sum(axis=1))


def cut_triplets(
    utterances: pd.DataFrame, split: pd.DataFrame, settings: TripletSettings, splitting: SplitSettings
) -> dict[str, pd.DataFrame]:
    """The triplets of every part.

    Args:
        utterances: the table of transcripts/corpus.py, transcripts contiguous.
        split: transcript and part (transcripts/splits.py).

    Returns:
        part -> triplets; transcripts in random order, so that any first share of a part is a fair sample of
        its children, and the pretrain part cut at `pretrain_words`.
    """
    utterances = utterances[~utterances["role"].isin(settings.exclude_roles)]
    if settings.max_age_months is not None:
        utterances = utterances[~(utterances["age_months"] > settings.max_age_months)]
    if settings.merge_turns:
        utterances = _merge_turns(utterances)
    first = _windows(utterances, settings)
    transcript, names = pd.factorize(utterances["transcript"].to_numpy()[first])
    generator = np.random.default_rng(settings.seed)
    order = np.argsort(generator.permutation(len(names))[transcript], kind="stable")
    first, transcript = first[order], transcript[order]
    if splitting.by == "child":
        part = split.set_index("transcript")["part"].reindex(names).to_numpy()[transcript]
    else:
        part = generator.choice(PARTS, size=len(first), p=[splitting.shares[name] for name in PARTS])
    parts = {}
    for name in PARTS:
        chosen = first[part == name]
        if name == "pretrain" and settings.pretrain_words is not None:
            words = utterances["words"].to_numpy(dtype=np.int64)
            words = words[chosen] + words[chosen + 1] + words[chosen + 2]
            chosen = chosen[np.cumsum(words) - words < settings.pretrain_words]
        parts[name] = _table(utterances, chosen)
    return parts
