"""The two tables that every source of transcripts is read into.

utterances.parquet, one row an utterance in its order, the utterances of a transcript together:
    transcript, corpus, child (str), age_months (float), speaker, role, text (str), words (int)
transcripts.parquet, one row a transcript in the same order:
    transcript, corpus, child (str), age_months (float), other_children (list of str, further target children),
    lines (int, main tiers of the source) = kept + empty (without any intelligible word) + lost (unreadable),
    utterances (int, at least as many as lines are kept, since pauses split), words (int),
    long_utterances (list of uint64, see copies.py)
rejected.csv, one row a file that cannot be read: transcript, corpus, reason
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import UserError
from ..logs import logger
from .copies import long_utterance_hashes
from .exchanges import UNIDENTIFIED

HEAD = [("transcript", pa.string()), ("corpus", pa.string()), ("child", pa.string()), ("age_months", pa.float32())]
SAID = pa.schema([("speaker", pa.string()), ("role", pa.string()), ("text", pa.string())])
UTTERANCES = pa.schema([*HEAD, *SAID, ("words", pa.int16())])
TRANSCRIPTS = pa.schema(
    [
        *HEAD,
        ("other_children", pa.list_(pa.string())),
        ("lines", pa.int32()),
        ("kept", pa.int32()),
        ("empty", pa.int32()),
        ("lost", pa.int32()),
        ("utterances", pa.int32()),
        ("words", pa.int32()),
        ("long_utterances", pa.list_(pa.uint64())),
    ]
)
REJECTED = ["transcript", "corpus", "reason"]
LINES = ("lines", "kept", "empty", "lost")
_REJECTED_SHOWN = 100


class Rows:
    """The rows of a few transcripts for both tables."""

    def __init__(self):
        self._utterances: list[pa.Table] = []
        self._transcripts: list[tuple] = []

    def add(
        self,
        head: tuple[str, str, str, float | None],
        utterances: pa.Table,
        *,
        kept: int,
        empty: int,
        lost: int = 0,
        other_children: Sequence[str] = (),
    ) -> None:
        """Add a transcript: its head (transcript, corpus, child, age in months) and its utterances (SAID)."""
        self._utterances.append(utterances)
        lines = (kept + empty + lost, kept, empty, lost)
        self._transcripts.append((*head, list(other_children), *lines, len(utterances)))

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """The utterances and the transcripts."""
        columns = [list(column) for column in zip(*self._transcripts, strict=True)]
        own = dict(zip(TRANSCRIPTS.names, columns or [[]] * len(TRANSCRIPTS.names), strict=False))
        sizes = np.array(own["utterances"], dtype=np.int64)
        rows = np.repeat(np.arange(len(sizes)), sizes)
        head = [pa.array(own[name], kind).take(pa.array(rows)) for name, kind in HEAD]
        said = pa.concat_tables([SAID.empty_table(), *self._utterances]).combine_chunks()
        text = said["text"].combine_chunks()
        # In a clean text a space stands before every word but the first, every comma and the terminator.
        words = pc.subtract(pc.count_substring(text, " "), pc.count_substring(text, ","))
        ends = np.cumsum(sizes)[:-1]
        own["words"] = [int(part.sum()) for part in np.split(words.to_numpy(), ends)] if len(sizes) else []
        own["long_utterances"] = long_utterance_hashes(text, words, ends) if len(sizes) else []
        utterances = pa.table([*head, *said.columns, words.cast(pa.int16())], schema=UTTERANCES)
        return utterances, pa.table([own[name] for name in TRANSCRIPTS.names], schema=TRANSCRIPTS)


class CorpusWriter:
    """The files of both tables and of the rejected, filled piece by piece, and the counts of what they hold."""

    def __init__(self, utterances: Path, transcripts: Path, rejected: Path):
        self._rejected_file = rejected
        self._rejected: list[tuple[str, str, str]] = []
        self._counts: Counter = Counter()
        self._utterances = pq.ParquetWriter(utterances, UTTERANCES)
        self._transcripts = pq.ParquetWriter(transcripts, TRANSCRIPTS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._utterances.close()
        self._transcripts.close()

    def write(self, utterances: pa.Table, transcripts: pa.Table, rejected: Sequence[tuple[str, str, str]]) -> int:
        """Add what a few files gave; returns how many files these were."""
        self._utterances.write_table(utterances)
        self._transcripts.write_table(transcripts)
        self._rejected.extend(rejected)
        self._counts["read"] += len(transcripts)
        self._counts["utterances"] += len(utterances)
        unidentified = pc.equal(utterances["role"], UNIDENTIFIED)
        self._counts["unidentified"] += pc.sum(unidentified, min_count=0).as_py()
        for name in LINES:
            self._counts[name] += pc.sum(transcripts[name], min_count=0).as_py()
        return len(transcripts) + len(rejected)

    def finish(self, max_rejected_share: float, advice: str) -> dict[str, int]:
        """Write the rejected files; returns files, read, rejected, lines, kept, empty, lost, utterances.

        Raises:
            UserError: more than `max_rejected_share` of the files are rejected (`advice` says what to do), or no
                utterance is left.
        """
        pd.DataFrame(self._rejected, columns=REJECTED).to_csv(self._rejected_file, index=False)
        counts = {"files": self._counts["read"] + len(self._rejected), "read": self._counts["read"]}
        counts |= {"rejected": len(self._rejected)} | {name: self._counts[name] for name in (*LINES, "utterances")}
        logger.info("%(read)d of %(files)d transcripts read, %(utterances)d utterances", counts)
        if counts["lost"]:
            logger.warning("%(lost)d of %(lines)d lines of talk cannot be read and are left out", counts)
        if unidentified := self._counts["unidentified"]:
            message = "%d utterances are by speakers whom no header identifies; they are not taken for caregivers"
            logger.info(message, unidentified)
        for transcript, _, reason in self._rejected[:_REJECTED_SHOWN]:
            logger.warning("rejected %s: %s", transcript, reason)
        if counts["rejected"] > max_rejected_share * counts["files"]:
            raise UserError(
                f"transcripts.max_rejected_share: {counts['rejected']} of {counts['files']} files cannot be read "
                f"(named above and in this job's log); {advice} or raise the share"
            )
        if not counts["utterances"]:
            raise UserError(f"no utterance with a word in {counts['files']} transcripts; choose others")
        return counts
