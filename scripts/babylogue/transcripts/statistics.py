"""What the corpus holds, as counts that add up (statistics.json); files are read piece by piece.

files: files = read + rejected; lines = kept + empty + lost (see tables.py); utterances.
corpora, roles, ages: of each its utterances, words and types (different words, case apart); corpora also
transcripts and children. Ages are years of the target child.
parts: transcripts, children, triplets, words and types of the triplets, left_out_as_seen (see triplets.py).
"""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_BATCH_ROWS = 50_000
_NO_WORDS = pa.array([".", "?", "!", ","])


class _Tally:
    """Utterances, words and types of every label."""

    def __init__(self):
        self._utterances: Counter = Counter()
        self._words: Counter = Counter()
        self._types: dict[str, set[str]] = defaultdict(set)

    def add(self, labels: pa.Array, owners: np.ndarray, tokens: pa.DictionaryArray) -> None:
        """Count utterances with these `labels`; token i is of utterance `owners[i]`."""
        labels = labels.dictionary_encode()
        names, label = labels.dictionary.to_pylist(), labels.indices.to_numpy()
        vocabulary, token = tokens.dictionary.to_numpy(zero_copy_only=False), tokens.indices.to_numpy()
        self._utterances.update(dict(zip(names, np.bincount(label).tolist(), strict=True)))
        self._words.update(
            dict(zip(names, np.bincount(label[owners], minlength=len(names)).tolist(), strict=True))
        )
        pairs = np.sort(pd.unique(label[owners].astype(np.int64) * len(vocabulary) + token))
        ends = np.searchsorted(pairs, np.arange(1, len(names)) * len(vocabulary))
        for name, own in zip(names, np.split(pairs, ends), strict=True):
            self._types[name].update(vocabulary[own % len(vocabulary)])

    def rows(self) -> dict[str, dict[str, int]]:
        """label -> utterances, words, types."""
        return {
            name: {"utterances": utterances, "words": self._words[name], "types": len(self._types[name])}
            for name, utterances in sorted(self._utterances.items(), key=_in_order)
        }


def _in_order(item: tuple[str, int]) -> tuple[bool, int, str]:
    """Names by the alphabet; years by their number, before what is no number."""
    name = item[0]
    return (not name.isdigit(), int(name) if name.isdigit() else 0, name)


def _tokens(texts: pa.Array) -> tuple[np.ndarray, pa.DictionaryArray]:
    """The lexical words of texts, case-folded, and the text that each is of."""
    split = pc.utf8_split_whitespace(pc.utf8_lower(texts))
    owners, tokens = pc.list_parent_indices(split), pc.list_flatten(split)
    lexical = pc.invert(pc.is_in(tokens, _NO_WORDS))
    return owners.filter(lexical).to_numpy(), tokens.filter(lexical).dictionary_encode()


def _years(ages_months: pa.Array) -> pa.Array:
    years = pc.floor(pc.divide(ages_months, 12))
    return pc.fill_null(pc.cast(pc.cast(years, pa.int32()), pa.string()), "unknown")


def _pieces(file: Path, columns: list[str]):
    return pq.ParquetFile(file).iter_batches(_BATCH_ROWS, columns=columns)


def _part(file: Path) -> dict[str, int]:
    tally, transcripts, children, triplets = _Tally(), set(), set(), 0
    for piece in _pieces(file, ["transcript", "child", "turns"]):
        transcripts.update(piece["transcript"].unique().to_pylist())
        children.update(piece["child"].unique().to_pylist())
        triplets += len(piece)
        turns = pc.list_flatten(piece["turns"])
        tally.add(pa.array(["part"] * len(turns)), *_tokens(turns))
    counted = tally.rows().get("part", {"words": 0, "types": 0})
    return {
        "transcripts": len(transcripts),
        "children": len(children),
        "triplets": triplets,
        "words": counted["words"],
        "types": counted["types"],
    }


def corpus_statistics(
    files: dict[str, int],
    transcripts: pd.DataFrame,
    utterances: Path,
    triplets: dict[str, Path],
    left_out_as_seen: dict[str, int],
) -> dict:
    """The counts of statistics.json.

    Args:
        files: what reading counted.
        transcripts: transcript, corpus, child.
        utterances, triplets: the files of tables.py and, by part, of triplets.py.
        left_out_as_seen: triplets that a part leaves out because training has their exchange.
    """
    corpora, roles, ages = _Tally(), _Tally(), _Tally()
    for piece in _pieces(utterances, ["corpus", "role", "age_months", "text"]):
        tokens = _tokens(piece["text"])
        corpora.add(piece["corpus"], *tokens)
        roles.add(piece["role"], *tokens)
        ages.add(_years(piece["age_months"]), *tokens)
    of_corpus = transcripts.groupby("corpus").agg(
        transcripts=("transcript", "size"), children=("child", "nunique")
    )
    none = {"utterances": 0, "words": 0, "types": 0}
    said = corpora.rows()
    return {
        "files": files,
        "corpora": {
            name: {**counts, **said.get(name, none)} for name, counts in of_corpus.to_dict("index").items()
        },
        "roles": roles.rows(),
        "ages": ages.rows(),
        "parts": {
            part: _part(file) | {"left_out_as_seen": left_out_as_seen.get(part, 0)}
            for part, file in triplets.items()
        },
    }
