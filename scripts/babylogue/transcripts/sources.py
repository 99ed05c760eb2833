"""Where transcripts lie: folders of .cha files and of TalkBank's zips, nested as they come."""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError

_MAX_FILE_BYTES = 50_000_000  # the largest transcript of CHILDES has some 2 MB


@dataclass(frozen=True)
class SourceFile:
    """One transcript before it is read."""

    transcript: str
    """Its path below the source with the corpus in front: `Brown/Adam/adam01`."""
    corpus: str
    data: bytes
    damage: str = ""
    """Why there are no data: the zip, or this member of it, is damaged."""


def find_archives(folder: str | Path) -> list[Path]:
    """All .zip and .cha files below `folder`, sorted.

    Raises:
        UserError: no such folder, or nothing in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"transcripts.path: no folder {folder}; put CHAT files or TalkBank zips there, or link it")
    found = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in (".zip", ".cha") and path.is_file()
    )
    if not found:
        raise UserError(f"transcripts.path: {folder} has no .cha file and no .zip")
    return found


def corpus_of(archive: Path, root: Path) -> str:
    """The corpus: a zip's own name (the names in @ID are unreliable), or a .cha file's first folder."""
    if archive.suffix.lower() == ".zip":
        return archive.stem
    parts = archive.relative_to(root).parts
    return parts[0] if len(parts) > 1 else root.resolve().name


def _name(inner: Path, corpus: str) -> str:
    """A transcript's name from its path in an archive or folder, the corpus in front and without its ending."""
    inner = inner.with_suffix("")
    return (inner if inner.parts[0] == corpus else Path(corpus) / inner).as_posix()


def read_archive(archive: Path, root: Path) -> Iterator[SourceFile]:
    """The transcripts of a zip in the order of their names, or the one of a .cha file.

    A damaged zip, and a damaged, encrypted or far too large member of one, come as files with `damage`.
    """
    corpus = corpus_of(archive, root)
    if archive.suffix.lower() == ".cha":
        yield SourceFile(_name(archive.relative_to(root), corpus), corpus, archive.read_bytes())
        return
    try:
        with zipfile.ZipFile(archive) as zipped:
            for member in sorted(zipped.infolist(), key=lambda member: member.filename):
                if not member.is_dir() and member.filename.lower().endswith(".cha"):
                    yield _read_member(zipped, member, corpus)
    except (zipfile.BadZipFile, OSError) as error:
        yield SourceFile(archive.relative_to(root).as_posix(), corpus, b"", f"not a readable zip: {error}")


def _read_member(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, corpus: str) -> SourceFile:
    name = _name(Path(member.filename), corpus)
    if member.file_size > _MAX_FILE_BYTES:
        return SourceFile(name, corpus, b"", f"{member.file_size:,} bytes is no transcript")
    try:
        return SourceFile(name, corpus, zipped.read(member))
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        return SourceFile(name, corpus, b"", f"damaged in the zip: {error}")
