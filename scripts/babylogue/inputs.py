"""Files that the workflow reads and does not make: which there are, and a state that tells when they change."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from .errors import UserError
from .file_names import is_hidden


def files_at(path: str | Path) -> list[Path]:
    """A file, or all files below a folder, sorted.

    Links are followed, but those that lead nowhere. What is hidden (.git) is left out.

    Raises:
        UserError: there is nothing at the path, no file in the folder, or a folder in it that cannot be read.
    """
    root = Path(path)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise UserError(f"no file or folder {path}")
    files = [file for file in walk(root) if file.is_file()]
    if not files:
        raise UserError(f"{path} has no files in it")
    return sorted(files)


def walk(root: Path) -> Iterator[Path]:
    """All files below a folder that are not hidden, those of linked folders and broken links too.

    Each folder is read once, so that cycles of links end. Links wait until the folders that are no links are
    read: what can be reached both ways has the path without a link.

    Raises:
        UserError: a folder cannot be read.
    """
    seen: set[str] = set()
    starts = [str(root)]
    for start in starts:
        for folder, subfolders, files in os.walk(start, onerror=_refuse_folder):
            real = os.path.realpath(folder)
            if real in seen:
                subfolders.clear()
                continue
            seen.add(real)
            subfolders[:] = sorted(name for name in subfolders if not is_hidden(Path(name)))
            paths = (os.path.join(folder, name) for name in subfolders)
            starts += [path for path in paths if os.path.islink(path)]
            yield from (Path(folder, name) for name in files if not is_hidden(Path(name)))


def _refuse_folder(error: OSError) -> None:
    raise UserError(f"{error.filename}: this folder cannot be read: {error.strerror}") from error


def state_of(files: Iterable[str | Path], root: str | Path) -> str:
    """`12 files 3f9a0c1b2d4e5f60`: a digest of the files' names below `root`, sizes and modification times.

    Times alone do not tell: a file that is unpacked or copied may be older than the one that it replaces. No file
    is read. Names are relative, so that a project that is moved as a whole has the same state.
    """
    lines = []
    for file in files:
        status = os.stat(file)
        lines.append(f"{os.path.relpath(file, root)} {status.st_size} {status.st_mtime_ns}")
    digest = hashlib.sha256("\n".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()[:16]
    return f"{len(lines)} files {digest}"
