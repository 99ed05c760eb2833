"""What a downloaded archive is: whether it is sound, and the figures by which it is known again."""

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


class BadArchive(Exception):
    """The file is no zip that can be read to its end; the text says why."""


@dataclass(frozen=True)
class Archive:
    """A sound zip."""

    bytes: int
    sha256: str
    contents: str
    """sha256 over names, sizes and checksums of the members: the same for two packings of the same files."""
    members: tuple[str, ...]
    """Names of the files in it, sorted."""


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def inspect(path: Path) -> Archive:
    """Read a zip to the end of every member.

    Raises:
        BadArchive: it is none, or a member is damaged.
    """
    with path.open("rb") as stream:
        # zipfile would look for a zip anywhere in the file.
        if stream.read(2) != b"PK":
            raise BadArchive("not a zip")
    try:
        with zipfile.ZipFile(path) as zipped:
            if damaged := zipped.testzip():
                raise BadArchive(f"its member {damaged!r} is damaged")
            members = [member for member in zipped.infolist() if not member.is_dir()]
    except _UNREADABLE as error:
        raise BadArchive(f"not a zip that can be read to its end: {error}") from None
    lines = sorted(f"{member.filename} {member.file_size} {member.CRC:08x}" for member in members)
    return Archive(
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        contents=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        members=tuple(sorted(member.filename for member in members)),
    )
