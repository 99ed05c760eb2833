"""All transcripts of a source to one table of utterances and one of rejected files, on all cores.

utterances.parquet, one row an utterance in its order:
    transcript, corpus, child (str), age_months (float), speaker, role, text (str), words (int)
rejected.csv: transcript, corpus, reason
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..dialogue import count_words
from ..errors import UserError
from ..logs import logger, progress
from .chat import Unreadable, read_chat
from .children import child_key
from .sources import SourceFile, read_archive

SCHEMA = pa.schema(
    [
        ("transcript", pa.string()),
        ("corpus", pa.string()),
        ("child", pa.string()),
        ("age_months", pa.float32()),
        ("speaker", pa.string()),
        ("role", pa.string()),
        ("text", pa.string()),
        ("words", pa.int16()),
    ]
)
_FILES_PER_TASK = 16
_REJECTED_SHOWN = 100


def _read_files(files: list[SourceFile]) -> tuple[pa.Table, list[tuple[str, str, str]], int]:
    """The utterances of a few files, the rejected ones, and how many utterances held no word."""
    columns: dict[str, list] = defaultdict(list)
    rejected, empty = [], 0
    for file in files:
        try:
            if file.damage:
                raise Unreadable(file.damage)
            transcript = read_chat(file.data)
        except Unreadable as reason:
            rejected.append((file.transcript, file.corpus, str(reason)))
            continue
        empty += transcript.empty
        child = child_key(file.corpus, file.transcript, transcript.child_name)
        for utterance in transcript.utterances:
            columns["transcript"].append(file.transcript)
            columns["corpus"].append(file.corpus)
            columns["child"].append(child)
            columns["age_months"].append(transcript.age_months)
            columns["speaker"].append(utterance.speaker)
            columns["role"].append(utterance.role)
            columns["text"].append(utterance.text)
            columns["words"].append(count_words(utterance.text))
    return pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA), rejected, empty


def _batches(archives: list[Path], root: Path) -> Iterator[list[SourceFile]]:
    batch: list[SourceFile] = []
    seen: set[str] = set()
    for archive in archives:
        for file in read_archive(archive, root):
            if file.transcript in seen:
                # A zip beside its unpacked folder must not count twice.
                file = replace(file, data=b"", damage="twice in the source")
            seen.add(file.transcript)
            batch.append(file)
            if len(batch) == _FILES_PER_TASK:
                yield batch
                batch = []
    if batch:
        yield batch


def read_corpus(
    archives: list[Path],
    root: Path,
    utterances: Path,
    rejected: Path,
    *,
    max_rejected_share: float,
    processes: int,
) -> dict[str, int]:
    """Read all archives into `utterances` (parquet) and `rejected` (CSV); returns the counts.

    Few files are in memory at a time, whatever the size of the corpus. The order of the rows is that of
    the sorted archives and members, so two runs write the same bytes.

    Raises:
        UserError: more than `max_rejected_share` of the files cannot be read, or no utterance is left.
    """
    counts = {"files": 0, "read": 0, "rejected": 0, "utterances": 0, "utterances_without_words": 0}
    all_rejected: list[tuple[str, str, str]] = []
    os.environ.setdefault("RAYON_NUM_THREADS", "1")  # the parser's own threads; the processes are ours
    batches = _batches(archives, root)
    waiting: list[tuple[int, Future]] = []
    with (
        ProcessPoolExecutor(processes) as pool,
        pq.ParquetWriter(utterances, SCHEMA) as writer,
        progress(description="transcripts", unit="file") as bar,
    ):
        while True:
            # A bounded queue keeps memory flat.
            while len(waiting) < 4 * processes and (batch := next(batches, None)) is not None:
                waiting.append((len(batch), pool.submit(_read_files, batch)))
            if not waiting:
                break
            files, future = waiting.pop(0)
            table, refused, empty = future.result()
            writer.write_table(table)
            all_rejected.extend(refused)
            counts["files"] += files
            counts["utterances"] += len(table)
            counts["utterances_without_words"] += empty
            bar.update(files)
    counts["rejected"] = len(all_rejected)
    counts["read"] = counts["files"] - counts["rejected"]
    pd.DataFrame(all_rejected, columns=["transcript", "corpus", "reason"]).to_csv(rejected, index=False)
    logger.info("%(read)d of %(files)d files read, %(utterances)d utterances", counts)
    for transcript, _, reason in all_rejected[:_REJECTED_SHOWN]:
        logger.warning("rejected %s: %s", transcript, reason)
    if counts["rejected"] > max_rejected_share * counts["files"]:
        raise UserError(
            f"transcripts.max_rejected_share: {counts['rejected']} of {counts['files']} files cannot be read "
            "(named above and in this job's log); mend the files or raise the share"
        )
    if not counts["utterances"]:
        raise UserError(f"transcripts.path: no utterance with a word in the {counts['files']} files below {root}")
    return counts
