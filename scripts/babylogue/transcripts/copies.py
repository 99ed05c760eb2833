"""Transcripts that are copies of each other, whole or in part, under other names or in other corpora.

A recording may stand in two corpora, or twice in one with the child under two names. Two transcripts are copies if
of the long utterances (LONG_UTTERANCE_WORDS words or more, case apart) of the shorter one at least MIN_SHARE, and
at least MIN_SHARED, stand in the other. What more than MAX_TRANSCRIPTS transcripts say, such as the lines of a
picture book or of a test, does not count as shared.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

LONG_UTTERANCE_WORDS = 5
MIN_SHARE = 0.5
MIN_SHARED = 8
MAX_TRANSCRIPTS = 10
_HASHES_AT_ONCE = 200_000


def long_utterance_hashes(texts: pa.Array, words: pa.Array, ends: np.ndarray) -> list[np.ndarray]:
    """For each transcript the hashes (uint64, each once) of its long utterances.

    Args:
        texts, words: text and number of words of the utterances of several transcripts, one after the other.
        ends: where each transcript but the last ends.
    """
    long = np.flatnonzero(words.to_numpy() >= LONG_UTTERANCE_WORDS)
    lowered = pc.utf8_lower(texts.take(pa.array(long))).to_numpy(zero_copy_only=False)
    hashes = pd.util.hash_array(lowered, categorize=False) if len(long) else _NONE
    return [pd.unique(own) for own in np.split(hashes, np.searchsorted(long, ends))]


_NONE = np.empty(0, dtype=np.uint64)


def find_copies(transcripts: pd.DataFrame) -> pd.DataFrame:
    """Pairs of copies: first, second (transcripts), shared (long utterances), share (of those of the shorter one).

    Args:
        transcripts: transcript, long_utterances (hashes).
    """
    names, sizes = transcripts["transcript"].to_numpy(), transcripts["long_utterances"].map(len).to_numpy()
    numbers = np.repeat(np.arange(len(names), dtype=np.int32), sizes)
    hashes = np.concatenate([_NONE, *transcripts["long_utterances"]])
    # In shares, so that what the pairing takes does not grow with the corpus.
    shares = 1 + len(hashes) // _HASHES_AT_ONCE
    shared = [_shared(numbers[own], hashes[own]) for own in (hashes % shares == share for share in range(shares))]
    pairs = pd.concat(shared).groupby(level=[0, 1]).sum().rename("shared").reset_index()
    shorter = np.minimum(sizes[pairs["number_x"]], sizes[pairs["number_y"]])
    pairs["share"] = pairs["shared"] / shorter
    pairs = pairs[(pairs["shared"] >= MIN_SHARED) & (pairs["share"] >= MIN_SHARE)]
    return pd.DataFrame(
        {
            "first": names[pairs["number_x"]],
            "second": names[pairs["number_y"]],
            "shared": pairs["shared"].to_numpy(),
            "share": pairs["share"].to_numpy(),
        }
    )


def _shared(numbers: np.ndarray, hashes: np.ndarray) -> pd.Series:
    """(number_x, number_y) -> how many of the hashes both transcripts have."""
    said = pd.DataFrame({"number": numbers, "hash": hashes})
    speakers = said.groupby("hash")["number"].transform("size")
    said = said[(speakers > 1) & (speakers <= MAX_TRANSCRIPTS)]
    both = said.merge(said, on="hash")
    both = both[both["number_x"] < both["number_y"]]
    return both.groupby(["number_x", "number_y"]).size()


def families(transcripts: pd.DataFrame, copies: pd.DataFrame) -> pd.Series:
    """For each transcript the first, in the order of the alphabet, of the children that belong together.

    Copies tie children together, and so does a transcript of several target children.

    Args:
        transcripts: transcript, child, other_children.
        copies: first, second (transcripts).
    """
    child_of = pd.Series(transcripts["child"].to_numpy(), index=transcripts["transcript"].to_numpy())
    together = transcripts[["child", "other_children"]].explode("other_children").dropna()
    ties = [
        *zip(child_of[copies["first"]], child_of[copies["second"]], strict=True),
        *together.itertuples(index=False, name=None),
    ]
    children = np.array(sorted({*transcripts["child"], *together["other_children"]}), dtype=object)
    number = {child: index for index, child in enumerate(children)}
    first, second = np.array([[number[a], number[b]] for a, b in ties], dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(ties)), (first, second)), shape=(len(children), len(children)))
    _, family = connected_components(graph, directed=False)
    head = pd.Series(children).groupby(family).first()  # children are sorted
    return transcripts["child"].map(number).map(lambda index: head[family[index]])
