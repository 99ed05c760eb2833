"""What the corpus holds, as counts that add up (statistics.json)."""

from collections import Counter

import pandas as pd

from ..dialogue import words
from .settings import PARTS


def corpus_statistics(counts: dict[str, int], utterances: pd.DataFrame, triplets: dict[str, pd.DataFrame]) -> dict:
    """Counts of files, of utterances by corpus and role, and of triplets by part."""
    by_corpus = utterances.groupby("corpus").agg(
        transcripts=("transcript", "nunique"),
        children=("child", "nunique"),
        utterances=("text", "size"),
        words=("words", "sum"),
    )
    by_role = utterances.groupby("role").agg(utterances=("text", "size"), words=("words", "sum"))
    parts = {}
    for part in PARTS:
        types = Counter(word for turns in triplets[part]["turns"] for turn in turns for word in words(turn))
        parts[part] = {
            "transcripts": int(triplets[part]["transcript"].nunique()),
            "children": int(triplets[part]["child"].nunique()),
            "triplets": len(triplets[part]),
            "words": int(triplets[part]["words"].sum()),
            "types": len(types),
        }
    return {
        "files": counts,
        "corpora": by_corpus.astype(int).to_dict("index"),
        "roles": by_role.astype(int).to_dict("index"),
        "parts": parts,
    }
