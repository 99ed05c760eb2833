"""The lock file: what the archives of a folder were when they came, since TalkBank gives them no versions."""

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from ...errors import UserError
from ...network.archive import Archive
from ...settings import Settings
from .settings import Name

LOCK_NAME = "talkbank.lock.json"

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LockedArchive(Settings):
    """One archive as it was when it was locked."""

    url: str
    """Where it came from."""
    date: date
    """The day it was locked, UTC."""
    bytes: int
    """Its size."""
    sha256: _Digest
    """Of the whole file."""
    contents: _Digest
    """Of what is in it; TalkBank packs an archive anew whenever it is asked for one."""


class Lock(Settings):
    """All archives of a folder, and the corpora that were found in whole collections."""

    archives: dict[str, LockedArchive] = {}
    """By corpus, as `Eng-NA/Brown`."""
    collections: dict[Name, list[Name]] = {}
    """Names of the corpora of each collection that was asked for as a whole."""


def locked(url: str, archive: Archive) -> LockedArchive:
    """The entry of an archive that is locked today."""
    return LockedArchive(
        url=url,
        date=datetime.now(UTC).date(),
        bytes=archive.bytes,
        sha256=archive.sha256,
        contents=archive.contents,
    )


def read_lock(path: Path) -> Lock:
    """The lock file, or an empty lock where there is none. Raises UserError if it is damaged."""
    if not path.exists():
        return Lock()
    try:
        return Lock.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise UserError(
            f"{path}, {where}: {first['msg']}; mend it, or delete the file to lock anew what is there"
        ) from None


def write_lock(lock: Lock, path: Path) -> None:
    """Write the lock file, whole or not at all."""
    staging = path.with_name(f".{path.name}.new")
    staging.write_text(json.dumps(lock.model_dump(mode="json"), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(staging, path)
