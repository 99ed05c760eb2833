"""Files that the workflow reads and does not make: which there are, and a state that tells when they change."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from .errors import UserError


def files_at(path: str | Path) -> list[Path]:
    """A file, or all files below a folder, sorted.

    Links to folders are followed, unless they lead back to a folder that they are in. What is hidden (.git) is
    left out.

    Raises:
        UserError: there is nothing at the path, or no file in the folder.
    """
    root = Path(path)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise UserError(f"no file or folder {path}")
    files = []
    for place, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not _leads_back(Path(place, name))]
        files += [file for name in names if not name.startswith(".") and (file := Path(place, name)).is_file()]
    if not files:
        raise UserError(f"{path} has no files in it")
    return sorted(files)


def _leads_back(folder: Path) -> bool:
    """Whether a folder is a link to one that it is in."""
    return folder.is_symlink() and folder.resolve() in [above.resolve() for above in folder.absolute().parents]


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
