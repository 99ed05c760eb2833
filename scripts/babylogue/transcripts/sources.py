"""Where transcripts lie: folders of .cha files and of TalkBank's zips, nested as they come."""

import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import UserError

_MAX_FILE_BYTES = 50_000_000  # the largest transcript of CHILDES has some 2 MB


class Damaged(Exception):
    """Why a file cannot be taken out of its zip."""


@dataclass(frozen=True)
class SourceFile:
    """Where one transcript lies; nothing of it is read yet."""

    transcript: str
    """Its path below the source with the corpus in front: `Brown/Adam/adam01`."""
    corpus: str
    archive: Path
    """The zip that it is in, or the .cha file itself."""
    member: str | None = None
    """Its name in the zip."""
    damage: str = ""
    """What is wrong with it before it is read: the zip is damaged, or it is there twice."""

    def read(self) -> bytes:
        """Its bytes. Raises Damaged if the zip, or this member of it, cannot be read."""
        if self.damage:
            raise Damaged(self.damage)
        try:
            if self.member is None:
                return self.archive.read_bytes()
            zipped = _open(self.archive)
            if (size := zipped.getinfo(self.member).file_size) > _MAX_FILE_BYTES:
                raise Damaged(f"{size:,} bytes is no transcript")
            return zipped.read(self.member)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError) as error:
            raise Damaged(f"it cannot be read: {error}") from error


@lru_cache(maxsize=1)
def _open(archive: Path) -> zipfile.ZipFile:
    """Files of one zip are read one after the other; its list of members is long."""
    return zipfile.ZipFile(archive)


def find_archives(folder: str | Path) -> list[Path]:
    """All .zip and .cha files below `folder`, sorted.

    Raises:
        UserError: no such folder, or nothing in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; put CHAT files or TalkBank zips there, or link it")
    found = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in (".zip", ".cha") and path.is_file()
    )
    if not found:
        raise UserError(f"{folder} has no .cha file and no .zip")
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


def list_archive(archive: Path, root: Path) -> list[SourceFile]:
    """The transcripts of a zip in the order of their names, or the one of a .cha file.

    A zip that cannot be opened comes as one file with `damage`.
    """
    corpus = corpus_of(archive, root)
    if archive.suffix.lower() == ".cha":
        return [SourceFile(_name(archive.relative_to(root), corpus), corpus, archive)]
    try:
        with zipfile.ZipFile(archive) as zipped:
            names = sorted(name for name in zipped.namelist() if name.lower().endswith(".cha"))
    except (zipfile.BadZipFile, OSError) as error:
        place = archive.relative_to(root).as_posix()
        return [SourceFile(place, corpus, archive, damage=f"not a readable zip: {error}")]
    return [SourceFile(_name(Path(name), corpus), corpus, archive, name) for name in names]
