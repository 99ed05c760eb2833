"""Utterances to triplets: three consecutive turns of one transcript (Padovani et al. 2025, section 3).

triplets/{part}.parquet, one row a triplet: triplet (int), transcript, corpus, child (str), age_months
(float), speakers, roles, turns (list of 3 str), words (int, lexical words without tags and punctuation).

Transcripts stand in random order, so that any first share of a part is a fair sample of its children. They are
shuffled through buckets on disk, so that memory does not grow with the corpus.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..dialogue import count_words
from ..logs import progress
from .exchanges import exchange_keys
from .settings import PARTS, SplitSettings, TripletSettings

HEAD = ("transcript", "corpus", "child", "age_months")
SCHEMA = pa.schema(
    [
        ("triplet", pa.int64()),
        ("transcript", pa.string()),
        ("corpus", pa.string()),
        ("child", pa.string()),
        ("age_months", pa.float32()),
        ("speakers", pa.list_(pa.string())),
        ("roles", pa.list_(pa.string())),
        ("turns", pa.list_(pa.string())),
        ("words", pa.int64()),
    ]
)
ROWS_PER_BUCKET = 200_000  # utterances in memory at a time


def cut_triplets(
    utterances: Path,
    split: pd.DataFrame,
    outputs: dict[str, Path],
    settings: TripletSettings,
    splitting: SplitSettings,
) -> dict[str, dict[str, int]]:
    """Write the triplets of the parts in `outputs`, a parquet file each.

    The pretrain part ends at `pretrain_words`. Of a split by child the test part leaves out every triplet with an
    exchange (caregiver's turn and child's reply) whose words pretrain or tune have too: what everybody says would
    test memory.

    Args:
        utterances: the table of transcripts/corpus.py, the utterances of a transcript together.
        split: transcript and part (transcripts/splits.py), one row a transcript.

    Returns:
        part -> counts: triplets, words, and left_out_as_seen, triplets of the test part that were left out.
    """
    generator = np.random.default_rng(settings.seed)
    ranks = pd.Series(generator.permutation(len(split)), index=split["transcript"].to_numpy())
    part_of = pd.Series(split["part"].to_numpy(), index=ranks.to_numpy()).sort_index().to_numpy()
    with (
        tempfile.TemporaryDirectory(dir=next(iter(outputs.values())).parent) as scratch,
        ExitStack() as open_files,
    ):
        buckets = _scatter(utterances, ranks, settings, Path(scratch))
        writers = {
            part: open_files.enter_context(
                _PartWriter(file, settings.pretrain_words if part == "pretrain" else None)
            )
            for part, file in outputs.items()
        }
        if splitting.by == "triplet":
            for table, rank in _shuffled(buckets, settings):
                first = _windows(table, rank, settings)
                parts = generator.choice(PARTS, size=len(first), p=[splitting.shares[name] for name in PARTS])
                for part, writer in writers.items():
                    writer.write(table, first[parts == part])
            return {part: writer.counts for part, writer in writers.items()}

        seen = [np.empty(0, dtype=np.uint64)]
        for table, rank in _shuffled(buckets, settings):
            first, keys = _windows(table, rank, settings), exchange_keys(table, rank)
            parts = part_of[rank[first]]
            for part in outputs.keys() - {"test"}:
                chosen = writers[part].write(table, first[parts == part])
                if part in ("pretrain", "tune"):
                    # pandas' unique and isin: numpy's take a hundred times as long on hashes.
                    seen.append(pd.unique(keys[np.concatenate([chosen, chosen + 1])]))
        known = pd.unique(np.concatenate(seen))
        for table, rank in _shuffled(buckets, settings, keep=part_of == "test") if "test" in outputs else ():
            first, keys = _windows(table, rank, settings), exchange_keys(table, rank)
            repeats = (keys > 0) & pd.Series(keys).isin(known).to_numpy()
            fresh = first[~(repeats[first] | repeats[first + 1])]
            writers["test"].write(table, fresh)
            writers["test"].counts["left_out_as_seen"] += len(first) - len(fresh)
    return {part: writer.counts for part, writer in writers.items()}


class _PartWriter:
    """The file of one part, up to a budget in words."""

    def __init__(self, file: Path, budget: int | None):
        self.budget = budget
        self.counts = {"triplets": 0, "words": 0, "left_out_as_seen": 0}
        self._writer = pq.ParquetWriter(file, SCHEMA)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._writer.close()

    def write(self, table: pa.Table, first: np.ndarray) -> np.ndarray:
        """Write the triplets that begin at the rows `first`, as far as the budget goes; returns those rows."""
        spoken = table["words"].to_numpy().astype(np.int64)
        words = spoken[first] + spoken[first + 1] + spoken[first + 2]
        if self.budget is not None:
            within = np.cumsum(words) - words < self.budget - self.counts["words"]
            first, words = first[within], words[within]
        if len(first):
            self._writer.write_table(self._rows(table, first, words))
            self.counts["triplets"] += len(first)
            self.counts["words"] += int(words.sum())
        return first

    def _rows(self, table: pa.Table, first: np.ndarray, words: np.ndarray) -> pa.Table:
        offsets = pa.array(np.arange(0, 3 * len(first) + 1, 3, dtype=np.int32))
        turns = (first[:, None] + np.arange(3)).ravel()
        lists = [
            pa.ListArray.from_arrays(offsets, pc.take(table[name], turns).combine_chunks())
            for name in ("speaker", "role", "text")
        ]
        number = self.counts["triplets"] + np.arange(len(first))
        head = [pc.take(table[name], first) for name in HEAD]
        return pa.table([number, *head, *lists, words], schema=SCHEMA)


def _scatter(utterances: Path, ranks: pd.Series, settings: TripletSettings, scratch: Path) -> list[Path]:
    """The utterances of the wanted roles and ages in buckets by the rank of their transcript, with that rank."""
    source = pq.ParquetFile(utterances)
    count = -(-source.metadata.num_rows // ROWS_PER_BUCKET) or 1
    files = [scratch / f"{number}.arrow" for number in range(count)]
    schema = source.schema_arrow.append(pa.field("rank", pa.int64()))
    with ExitStack() as open_files:
        buckets = [open_files.enter_context(pa.ipc.new_file(file, schema)) for file in files]
        for piece in source.iter_batches(ROWS_PER_BUCKET):
            piece = piece.filter(_wanted(piece, settings))
            names = piece["transcript"].dictionary_encode()
            rank = ranks[names.dictionary.to_pylist()].to_numpy()[names.indices.to_numpy()]
            piece = piece.append_column("rank", pa.array(rank, pa.int64()))
            bucket = rank * count // len(ranks)
            piece = piece.take(pa.array(np.argsort(bucket, kind="stable")))
            ends = np.cumsum(np.bincount(bucket, minlength=count))
            for number, (start, end) in enumerate(pairwise([0, *ends.tolist()])):
                buckets[number].write_batch(piece.slice(start, end - start))
    return files


def _wanted(table: pa.RecordBatch, settings: TripletSettings) -> pa.Array:
    wanted = pc.invert(pc.is_in(table["role"], pa.array(settings.exclude_roles, pa.string())))
    for bound, inside in ((settings.min_age_months, pc.greater_equal), (settings.max_age_months, pc.less_equal)):
        if bound is not None:
            # A transcript of unknown age stays.
            wanted = pc.and_(wanted, pc.fill_null(inside(table["age_months"], bound), True))
    return wanted


def _shuffled(
    buckets: list[Path], settings: TripletSettings, keep: np.ndarray | None = None
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Bucket by bucket the utterances in the order of their transcripts' ranks, and those ranks.

    `keep` [ranks] says which transcripts are wanted; None: all.
    """
    for file in progress(buckets, description="transcripts, in random order", unit="bucket"):
        table = pa.ipc.open_file(file).read_all()
        if keep is not None:
            table = table.filter(pa.array(keep[table["rank"].to_numpy()]))
        table = table.take(np.argsort(table["rank"].to_numpy(), kind="stable"))
        if settings.merge_turns:
            table = _merge_turns(table)
        yield table, table["rank"].to_numpy()


def _merge_turns(table: pa.Table) -> pa.Table:
    """Consecutive utterances of one speaker as one turn; inner terminators stay."""
    utterances = table.to_pandas()
    changes = (utterances[["rank", "speaker"]] != utterances[["rank", "speaker"]].shift()).any(axis=1)
    runs = utterances.groupby(changes.cumsum())
    text = runs["text"].agg(" ".join)
    merged = runs.first().assign(text=text, words=text.map(count_words))
    return pa.Table.from_pandas(merged, schema=table.schema, preserve_index=False)


def _windows(table: pa.Table, rank: np.ndarray, settings: TripletSettings) -> np.ndarray:
    """[triplets] the row of each triplet's first turn."""
    if len(table) < 3:
        return np.empty(0, dtype=np.int64)
    speaker = table["speaker"].combine_chunks().dictionary_encode().indices.to_numpy()
    words = table["words"].to_numpy().astype(np.int64)
    first = np.arange(len(table) - 2)
    a, b, c = speaker[:-2], speaker[1:-1], speaker[2:]
    speakers = 3 - ((a == b).astype(int) + ((c == a) | (c == b)))
    begins = np.searchsorted(rank, rank[first])
    fits = (
        (rank[:-2] == rank[2:])
        & ((first - begins) % settings.stride == 0)
        & (words[:-2] + words[1:-1] + words[2:] >= settings.min_words)
        & (speakers >= settings.min_speakers)
    )
    return first[fits]
