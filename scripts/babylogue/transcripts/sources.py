"""Where transcripts lie: folders of .cha files and of TalkBank's zips, nested as they come."""

import os
import zipfile
import zlib
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from ..errors import UserError
from ..file_names import is_hidden, leads_outside, posix_name
from ..inputs import walk

_MAX_FILE_BYTES = 50_000_000  # the largest transcript of CHILDES has some 2 MB
_ENDINGS = (".zip", ".cha")


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
    """All .zip and .cha files below `folder`, sorted, whatever the case of their endings.

    Links to folders and files are followed. Hidden files and folders, and those of macOS, are left out.

    Raises:
        UserError: no such folder, nothing in it, a link that leads nowhere, a folder that cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; put CHAT files or TalkBank zips there, or link it")
    found = []
    for path in walk(folder):
        if not path.exists():
            raise UserError(f"{path}: a link to {os.readlink(path)}, which is not there; mend or remove it")
        if path.suffix.lower() in _ENDINGS and path.is_file():
            found.append(path)
    if not found:
        raise UserError(f"{folder} has no .cha file and no .zip")
    return sorted(found)


def list_files(archives: list[Path], root: Path) -> list[SourceFile]:
    """The transcripts of zips and .cha files below `root`, archive after archive, in the order of their names.

    A zip that cannot be opened is one file with `damage`. So is a transcript that is there twice, as it is where a
    zip lies beside its unpacked folder.
    """
    corpora = corpus_names(archives, root)
    files: list[SourceFile] = []
    names: set[str] = set()
    places: set[PurePosixPath] = set()
    for archive in archives:
        for file in _list_archive(archive, root, corpora[archive]):
            place = _unpacked_place(file, root)
            if file.transcript in names or place in places:
                file = replace(file, damage="twice in the source")
            names.add(file.transcript)
            places.add(place)
            files.append(file)
    return files


def _unpacked_place(file: SourceFile, root: Path) -> PurePosixPath:
    """Where a transcript lies below `root`, or would lie if its zip were unpacked where it is."""
    archive = PurePosixPath(file.archive.relative_to(root).as_posix())
    if file.member is None:
        return archive.with_suffix("")
    return archive.parent / _transcript_name(PurePosixPath(posix_name(file.member)), archive.stem)


def corpus_names(archives: list[Path], root: Path) -> dict[Path, str]:
    """Archive -> the name of its corpus.

    A zip's own name (the names in @ID are unreliable), or a .cha file's first folder. Of zips that share a name
    with another corpus, such as `Eng-NA/Gelman.zip` and `Other/Gelman.zip`, each has its path below `root`.
    """
    names, places = {}, {}
    for archive in archives:
        path = archive.relative_to(root)
        if path.suffix.lower() == ".zip":
            names[archive], places[archive] = path.stem, path.with_suffix("").as_posix()
        else:
            names[archive] = places[archive] = path.parts[0] if len(path.parts) > 1 else root.resolve().name
    sharing = defaultdict(set)
    for archive, name in names.items():
        sharing[name].add(places[archive])
    return {archive: name if len(sharing[name]) == 1 else places[archive] for archive, name in names.items()}


def _list_archive(archive: Path, root: Path, corpus: str) -> list[SourceFile]:
    """The transcripts of a zip in the order of their names, or the one of a .cha file."""
    place = archive.relative_to(root)
    if archive.suffix.lower() == ".cha":
        return [SourceFile(_transcript_name(PurePosixPath(place.as_posix()), corpus), corpus, archive)]
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = sorted(name for name in zipped.namelist() if name.lower().endswith(".cha"))
    except (zipfile.BadZipFile, OSError) as error:
        return [SourceFile(place.as_posix(), corpus, archive, damage=f"not a readable zip: {error}")]
    files = []
    for member in members:
        path = PurePosixPath(posix_name(member))
        if leads_outside(member):
            damage = "its name in the zip leads out of the zip's folder; pack the zip again"
            files.append(SourceFile(f"{corpus}/{member}", corpus, archive, member, damage))
        elif not is_hidden(path):
            files.append(SourceFile(_transcript_name(path, corpus), corpus, archive, member))
    return files


def _transcript_name(path: PurePosixPath, corpus: str) -> str:
    """A transcript's name from its path in a zip or below the source: the corpus in front, and no ending."""
    path = path.with_suffix("")
    top, own_folder = path.parts[0], PurePosixPath(corpus).name
    inner = path.relative_to(top) if top == own_folder else path
    return (PurePosixPath(corpus) / inner).as_posix()
