"""Releases as folders that are laid out like a mirror."""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from ..errors import UserError
from ..file_names import is_hidden
from ..integrity import sha256_of
from ..logs import logger
from ..network.archive import BadArchive, safe_members
from ..network.download import download_zip
from ..network.settings import NetworkSettings

LEAVE_OUT = "suites.download: false leaves out what is not there"


def bring_zip(url: str, file: Path, settings: NetworkSettings) -> dict:
    """Have the zip of an address at `file`, downloaded once: one that is there and as it came is kept.

    Returns:
        What it is: url, date, bytes, sha256; also kept in a file beside it.

    Raises:
        UserError: it cannot be had.
    """
    note = file.with_suffix(".lock.json")
    if file.exists() and note.exists():
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["url"] == url and known["sha256"] == sha256_of(file):
            logger.info("%s: already there", file)
            return known
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    try:
        archive = download_zip(url, file.stem, part, settings)
        os.replace(part, file)
    except UserError as error:
        raise UserError(f"{error}; {LEAVE_OUT}") from None
    finally:
        part.unlink(missing_ok=True)
    known = {
        "url": url,
        "date": datetime.now(UTC).date().isoformat(),
        "bytes": archive.bytes,
        "sha256": archive.sha256,
    }
    note.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    logger.info("%s: %d files, %.1f MB", url, len(archive.members), archive.bytes / 1e6)
    return known


def unpack(file: Path, folders: Mapping[str, str], folder: Path) -> int:
    """Make `folder` hold the members below `folders` (of a Release), whole or not at all; returns how many.

    Raises:
        UserError: the zip has none of the folders, or a member that would land elsewhere.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        staging = Path(scratch, "files")
        staging.mkdir()
        number = 0
        with zipfile.ZipFile(file) as zipped:
            for member, target in _targets(zipped, folders, file):
                (staging / target).parent.mkdir(parents=True, exist_ok=True)
                with zipped.open(member) as source, open(staging / target, "wb") as sink:
                    shutil.copyfileobj(source, sink)
                number += 1
        if not number:
            raise UserError(f"{file}: none of {', '.join(folders)} is in it: is its address right?")
        publish(staging, folder)
    return number


def publish(staging: Path, folder: Path) -> None:
    """Put a finished folder in the place of what may be there."""
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(staging, folder)


def _targets(
    zipped: zipfile.ZipFile, folders: Mapping[str, str], file: Path
) -> Iterator[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """(member, where it belongs) of the files below `folders`, the outermost of a member's folders first."""
    try:
        members = safe_members(zipped)
    except BadArchive as error:
        raise UserError(f"{file} is not to be trusted: {error}") from None
    for member in members:
        path = PurePosixPath(member.filename)
        if is_hidden(path):
            continue
        parts = path.parts
        for start in range(len(parts)):
            for own, target in folders.items():
                inner = PurePosixPath(own).parts
                if parts[start : start + len(inner)] == inner and len(parts) > start + len(inner):
                    yield member, PurePosixPath(target, *parts[start + len(inner) :])
                    break
            else:
                continue
            break
