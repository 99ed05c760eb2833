"""Names of files in the folders and zips that people bring."""

import re
from pathlib import PurePath, PurePosixPath

_OUTSIDE = re.compile(r"[/\\]|[A-Za-z]:")  # how an absolute path begins, on whatever system


def is_hidden(path: PurePath) -> bool:
    """Whether a relative path is hidden or what macOS adds to zips and foreign disks (`__MACOSX`, `._name`)."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def posix_name(name: str) -> str:
    """The name of a zip's member with `/` between folders; some zips made on Windows have backslashes."""
    return name.replace("\\", "/")


def leads_outside(name: str) -> bool:
    """Whether a zip's member of that name would be unpacked outside of the folder."""
    return bool(_OUTSIDE.match(name)) or ".." in PurePosixPath(posix_name(name)).parts
