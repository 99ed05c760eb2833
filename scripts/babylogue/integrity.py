"""Whether a file still is what was written: checksums beside weights, a look into files that cannot be read."""

import csv
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from .errors import UserError

CHECKSUMS = "checksums.json"
MEND = "delete it and run the same command again: what is missing is made anew"


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_checksums(folder: Path) -> None:
    """Put the sha256 of a model folder's weights beside them: no library would notice a bit that flips there."""
    sums = {file.name: sha256_of(file) for file in sorted(folder.glob("*.safetensors"))}
    (folder / CHECKSUMS).write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")


def check_weights(folder: Path) -> None:
    """Raises UserError where weights are not those that the folder's checksums are of; without any, nothing."""
    if not (folder / CHECKSUMS).exists():
        return
    try:
        sums = dict(json.loads((folder / CHECKSUMS).read_text(encoding="utf-8")))
    except ValueError:
        raise UserError(f"{folder}: its {CHECKSUMS} is damaged; {MEND}") from None
    for name, wanted in sums.items():
        if not (folder / name).is_file() or sha256_of(folder / name) != wanted:
            raise UserError(f"{folder}: {name} is damaged (it is not what was written); {MEND}")


def damaged(paths: Iterable[str | Path]) -> str | None:
    """The first of `paths`, files and folders, that is damaged, and why; None: all can be read."""
    for path in map(Path, paths):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if (look := _LOOKS.get(file.suffix)) and file.is_file():
                try:
                    look(file)
                except Exception as error:  # each reader has errors of its own
                    reason = (str(error).splitlines() or [type(error).__name__])[0]
                    inside = f"{file.relative_to(path)}: " if path.is_dir() else ""
                    return f"{path} is damaged ({inside}{reason})"
    return None


def _look_into_parquet(file: Path) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as table:
        for _ in table.iter_batches():
            pass


def _look_into_safetensors(file: Path) -> None:
    from safetensors import safe_open

    with safe_open(file, "np"):
        pass
    check_weights(file.parent)


def _look_into_csv(file: Path) -> None:
    with file.open(newline="", encoding="utf-8") as stream:
        if not any(csv.reader(stream)):
            raise ValueError("it is empty")


_LOOKS = {
    ".parquet": _look_into_parquet,
    ".json": lambda file: json.loads(file.read_text(encoding="utf-8")),
    ".safetensors": _look_into_safetensors,
    ".csv": _look_into_csv,
}
