"""What a suite was read from: which files, and whether they are those of the release that it was made with."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from ..integrity import sha256_of
from ..logs import logger
from .sources import Source


def release_digest(files: Iterable[Path]) -> str:
    """One sha256 over names and contents of files, whatever folder they lie in.

    It is that of the lines `{name} {sha256 of the file}`, sorted.
    """
    lines = sorted(f"{file.name} {sha256_of(file)}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def describe(source: Source, files: list[Path]) -> dict:
    """What was read of a source; files that are not those of the pinned release are logged in one line.

    Keys: path, files and expected (how many), sha256 (their `release_digest`), pinned (the release's, or None),
    licence, home.
    """
    found = release_digest(files)
    if source.sha256 and found != source.sha256:
        logger.warning(
            "%d files %s are not the %d of the release that the suite was made with (sha256 %s, not %s): "
            "the score is of what is there",
            len(files), source.path, source.count, found, source.sha256,
        )  # fmt: skip
    elif not source.sha256 and files[0].match(source.path) and len(files) != source.count:
        logger.warning(
            "%d files match %s, its home has %d: the score is of what is there",
            len(files), source.path, source.count,
        )  # fmt: skip
    return {
        "path": source.path,
        "files": len(files),
        "expected": source.count,
        "sha256": found,
        "pinned": source.sha256,
        "licence": source.licence,
        "home": source.home,
    }
