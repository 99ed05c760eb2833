"""What an archive is: whether it is sound and may be unpacked, and the figures by which it is known again."""

import hashlib
import stat
import zipfile
import zlib
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from ..file_names import leads_outside, posix_name
from ..integrity import sha256_of

_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
# Far above every corpus, benchmark and model that the project knows, far below what fills a disk.
MAX_MEMBERS = 100_000
MAX_BYTES = 32 << 30


class BadArchive(Exception):
    """The file is no zip that can be read to its end, or none to be trusted; the text says why."""


@dataclass(frozen=True)
class Archive:
    """A sound zip."""

    bytes: int
    sha256: str
    contents: str
    """sha256 over names, sizes and checksums of the members: the same for two packings of the same files."""
    members: tuple[str, ...]
    """Names of the files in it, sorted."""


def safe_members(zipped: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of a zip that may be unpacked below a folder, their names with `/` between folders.

    zipfile itself reads no more of a member than the size that the zip states for it.

    Raises:
        BadArchive: there are too many or they are too large together, one is a link, or one would land outside.
    """
    members = list(map(copy, zipped.infolist()))  # zipfile looks its own entries up by their names
    for member in members:
        member.filename = posix_name(member.filename)
    members = [member for member in members if not member.is_dir()]
    if len(members) > MAX_MEMBERS:
        raise BadArchive(f"it has {len(members):,} members, and no more than {MAX_MEMBERS:,} are unpacked")
    if (size := sum(member.file_size for member in members)) > MAX_BYTES:
        raise BadArchive(f"it would unpack to {size:,} bytes, and no more than {MAX_BYTES:,} are unpacked")
    for member in members:
        name = member.filename
        if leads_outside(name):
            raise BadArchive(f"its member {name!r} would land outside of the folder")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise BadArchive(f"its member {name!r} is a link")
    return members


def inspect(path: Path) -> Archive:
    """Read a zip to the end of every member.

    Raises:
        BadArchive: it is none, a member is damaged, or it is not to be trusted.
    """
    with path.open("rb") as stream:
        # zipfile would look for a zip anywhere in the file.
        if stream.read(2) != b"PK":
            raise BadArchive("not a zip")
    try:
        with zipfile.ZipFile(path) as zipped:
            members = safe_members(zipped)
            if damaged := zipped.testzip():
                raise BadArchive(f"its member {damaged!r} is damaged")
    except _UNREADABLE as error:
        raise BadArchive(f"not a zip that can be read to its end: {error}") from None
    lines = sorted(f"{member.filename} {member.file_size} {member.CRC:08x}" for member in members)
    return Archive(
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        contents=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        members=tuple(sorted(member.filename for member in members)),
    )
