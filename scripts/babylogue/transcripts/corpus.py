"""All CHAT files of a source to the tables of tables.py, on all cores."""

import gc
import os
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import pyarrow as pa

from ..logs import progress
from .chat import Unreadable, read_chat
from .children import child_key
from .sources import Damaged, SourceFile, list_files
from .tables import CorpusWriter, Rows

_FILES_PER_TASK = 16


def _read_files(files: list[SourceFile]) -> tuple[pa.Table, pa.Table, list[tuple[str, str, str]]]:
    """The utterances and transcripts of a few files, and the rejected ones."""
    rows, rejected = Rows(), []
    for file in files:
        try:
            transcript = read_chat(file.read())
        except (Damaged, Unreadable) as reason:
            rejected.append((file.transcript, file.corpus, str(reason)))
            continue
        child = child_key(file.corpus, file.transcript, transcript.child_name)
        others = {child_key(file.corpus, file.transcript, name) for name in transcript.child_names} - {child}
        rows.add(
            (file.transcript, file.corpus, child, transcript.age_months),
            transcript.utterances,
            kept=transcript.kept,
            empty=transcript.empty,
            lost=transcript.lost,
            other_children=sorted(others),
        )
    return *rows.tables(), rejected


def read_corpus(
    archives: list[Path],
    root: Path,
    utterances: Path,
    transcripts: Path,
    rejected: Path,
    *,
    max_rejected_share: float,
    processes: int,
) -> dict[str, int]:
    """Read all archives into the tables `utterances`, `transcripts` and `rejected`; returns the counts.

    Few files are in memory at a time, whatever the size of the corpus. The order of the rows is that of
    the sorted archives and members, so two runs write the same bytes.

    Raises:
        UserError: more than `max_rejected_share` of the files cannot be read, or no utterance is left.
    """
    os.environ.setdefault("RAYON_NUM_THREADS", "1")  # the parser's own threads; the processes are ours
    files = list_files(archives, root)
    batches = (files[first : first + _FILES_PER_TASK] for first in range(0, len(files), _FILES_PER_TASK))
    waiting: list[Future] = []
    with (
        # Rows by the million and no cycles among them: collecting garbage would take a tenth of the time.
        ProcessPoolExecutor(processes, initializer=gc.disable) as pool,
        CorpusWriter(utterances, transcripts, rejected) as tables,
        progress(total=len(files), description="transcripts", unit="file") as bar,
    ):
        while True:
            # A bounded queue keeps memory flat.
            while len(waiting) < 4 * processes and (batch := next(batches, None)) is not None:
                waiting.append(pool.submit(_read_files, batch))
            if not waiting:
                break
            bar.update(tables.write(*waiting.pop(0).result()))
    return tables.finish(max_rejected_share, "mend the files")
