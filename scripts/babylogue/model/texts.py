"""What a model is trained on: triplets as texts, or their turns as isolated sentences."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..dialogue import count_words, write_turn, write_turns
from ..errors import UserError
from ..logs import progress

Texts = tuple[list[str], list[int]]
"""Texts with speaker tags, and the lexical words of each."""

_COLUMNS = ["speakers", "turns", "words"]
_PIECE = 20_000  # triplets in memory at a time


def training_texts(
    triplets: Path, form: Literal["triplets", "sentences"], adult: Path | None = None, adult_share: float = 0.0
) -> Iterator[Texts]:
    """The texts of a table of triplets, piece by piece.

    `sentences` has the same words as `triplets`, each turn on its own: the dialogue structure ablation. With
    `adult` triplets of adults stand in place of `adult_share` of the words: as many words in all. Of either table
    the first are taken; both stand in random order.

    Raises:
        UserError: the adults have too few words.
    """
    if adult is None:
        pieces = _pieces(triplets)
    else:
        budget, there = _words(triplets), _words(adult)
        if there < adult_share * budget:
            raise UserError(
                f"adult_dialogue.path: its triplets have {there:,} words, and adult_share {adult_share} of "
                f"{budget:,} words asks for more; add transcripts or lower the share"
            )
        pieces = chain(
            _first_words(_pieces(triplets), (1 - adult_share) * budget),
            _first_words(_pieces(adult), adult_share * budget),
        )
    write = _as_triplets if form == "triplets" else _as_sentences
    return _told(map(write, pieces), _words(triplets))


def _told(texts: Iterable[Texts], budget: int) -> Iterator[Texts]:
    with progress(total=budget, description="texts", unit="w") as bar:
        for piece in texts:
            yield piece
            bar.update(sum(piece[1]))


def _words(triplets: Path) -> int:
    return pc.sum(pq.read_table(triplets, columns=["words"])["words"], min_count=0).as_py()


def _pieces(triplets: Path) -> Iterator[pa.RecordBatch]:
    return pq.ParquetFile(triplets).iter_batches(_PIECE, columns=_COLUMNS)


def _first_words(pieces: Iterable[pa.RecordBatch], words: float) -> Iterator[pa.RecordBatch]:
    for piece in pieces:
        own = piece["words"].to_numpy()
        yield piece.slice(0, int((np.cumsum(own) - own < words).sum()))
        words -= own.sum()
        if words <= 0:
            return


def _as_triplets(piece: pa.RecordBatch) -> Texts:
    speakers, turns, words = (piece[name].to_pylist() for name in _COLUMNS)
    return list(map(write_turns, speakers, turns)), words


def _as_sentences(piece: pa.RecordBatch) -> Texts:
    speakers, turns = (piece[name].flatten().to_pylist() for name in ("speakers", "turns"))
    return list(map(write_turn, speakers, turns)), list(map(count_words, turns))
