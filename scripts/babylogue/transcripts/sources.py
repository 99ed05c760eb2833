"""Where transcripts lie: folders of .cha files and of TalkBank's zips, nested as they come."""

import zipfile
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


def read_archive(archive: Path, root: Path) -> Iterator[SourceFile]:
    """The transcripts of a zip in the order of their names, or the one of a .cha file.

    Raises:
        UserError: the zip is damaged, or a member of it is too large to be a transcript.
    """
    corpus = corpus_of(archive, root)
    if archive.suffix.lower() == ".cha":
        inner = archive.relative_to(root).with_suffix("")
        name = inner if inner.parts[0] == corpus else Path(corpus) / inner
        yield SourceFile(name.as_posix(), corpus, archive.read_bytes())
        return
    try:
        with zipfile.ZipFile(archive) as zipped:
            for member in sorted(zipped.infolist(), key=lambda member: member.filename):
                if member.is_dir() or not member.filename.lower().endswith(".cha"):
                    continue
                if member.file_size > _MAX_FILE_BYTES:
                    raise UserError(f"{archive}: {member.filename} has {member.file_size:,} bytes, no transcript")
                inner = Path(member.filename).with_suffix("")
                name = inner if inner.parts[0] == corpus else Path(corpus) / inner
                yield SourceFile(name.as_posix(), corpus, zipped.read(member))
    except zipfile.BadZipFile as error:
        raise UserError(f"{archive}: not a readable zip ({error}); download it again") from error
