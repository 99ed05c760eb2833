"""Replies that a teacher has given, in files that are only added to.

A folder holds the replies of one writer asked in one way; a file in it holds one batch. A file's name ends in the
digest of its content, so that a damaged one is known.
"""

import hashlib
import io
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..logs import logger

COLUMNS = ["prompt", "sample", "reply", "log_probability", "tokens"]
"""Of a table of replies: prompt, sample (0 ...), reply (one turn as the teacher wrote it), log_probability (nats,
of the reply and its end of line; null where the teacher does not tell) and tokens (how many that sums)."""


class ReplyCache:
    """The replies of one writer, asked in one way."""

    def __init__(self, folder: str | Path, writer: str, depends_on: Mapping):
        """`depends_on`: all that a reply depends on besides its prompt and sample, as JSON can hold it."""
        told = json.dumps(depends_on, indent=2, sort_keys=True)
        self.folder = Path(folder, writer, hashlib.sha256(told.encode()).hexdigest()[:16])
        self.folder.mkdir(parents=True, exist_ok=True)
        self._publish(self.folder / "depends_on.json", told.encode() + b"\n")

    def read(self) -> pd.DataFrame:
        """Every reply that is there, with COLUMNS; of two to one prompt and sample the one written first.

        A damaged file is named in a warning and left out.
        """
        tables = [pd.DataFrame(columns=COLUMNS)]
        for file in sorted(self.folder.glob("*.parquet")):
            content = file.read_bytes()
            if file.stem.rpartition("-")[2] == _digest(content):
                tables.append(pd.read_parquet(io.BytesIO(content), columns=COLUMNS))
            else:
                logger.warning("%s is damaged: what it held is asked again; delete it", file)
        whole = pd.concat(tables[1:] or tables, ignore_index=True)
        return whole.drop_duplicates(["prompt", "sample"], ignore_index=True)

    def add(self, batch: pd.DataFrame) -> None:
        """Keep a batch of replies, whole or not at all, before this returns."""
        stream = io.BytesIO()
        batch[COLUMNS].to_parquet(stream, index=False)
        content = stream.getvalue()
        self._publish(self.folder / f"{time.time_ns():020d}-{_digest(content)}.parquet", content)

    def _publish(self, file: Path, content: bytes) -> None:
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, file)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name, too
        finally:
            os.close(folder)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
