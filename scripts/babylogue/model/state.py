"""Training state on disk: what a killed training goes on from.

A folder holds made_with.json (settings, seed, inputs, code), the two newest states with the sha256 of each beside
it, and whatever else the training keeps there until it is finished. A state is a file {step}.pt, or a folder that
the training writes itself.
"""

import hashlib
import json
import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..integrity import sha256_of
from ..logs import logger
from .checkpoints import no_space_is_a_user_error
from .parallel import rank, wait_for_all

_KEPT = 2  # so that a torn one has one before it


class TrainingState:
    """The states of one training."""

    def __init__(self, folder: Path, made_with: dict[str, Any], every_s: float = 300.0, name: str = "{}.pt"):
        """Open the folder, or make it.

        Args:
            every_s: how often a state is due, in s.
            made_with: what the result depends on, as plain values under names that a user knows; nested.
            name: what a state is called, {} standing for its step.

        Raises:
            UserError: the folder's states were made with something else.
        """
        self.folder = Path(folder)
        self._name = name
        self._every_s, self._saved_at = every_s, time.monotonic()
        wanted = _flat(json.loads(json.dumps(made_with)))
        known = self.folder / "made_with.json"
        if known.exists():
            made = _flat(json.loads(known.read_text(encoding="utf-8")))
            others = [name for name in sorted(made | wanted) if made.get(name) != wanted.get(name)]
            if others and self._steps():
                raise UserError(
                    f"{self.folder}: an interrupted training with another {', '.join(others)}; "
                    "delete the folder to start anew, or put back what was there to go on"
                )
            if not others:
                return
        self.folder.mkdir(parents=True, exist_ok=True)
        wait_for_all()  # none may see what the first one writes
        if rank():
            return
        for left in self.folder.iterdir():  # of a training that ended before its first state
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
        with no_space_is_a_user_error(self.folder):
            _write_at_once(known, json.dumps(made_with, indent=1))

    def is_due(self) -> bool:
        """Whether the last state, or the start, is long enough ago."""
        return time.monotonic() - self._saved_at >= self._every_s

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step`, and forget all but the one before.

        Raises:
            UserError: the disk is full. The states that were there still are.
        """
        file = self._file(step)
        partial = file.with_suffix(".partial")
        with no_space_is_a_user_error(self.folder):
            try:
                with partial.open("wb") as opened:
                    hashed = _Hashed(opened)
                    try:
                        torch.save(state, hashed)
                    except RuntimeError as error:
                        raise hashed.error or error from None  # torch hides what the file said
                    opened.flush()
                    os.fsync(opened.fileno())
                partial.rename(file)
                self._seal(step, hashed.digest.hexdigest())
            except BaseException:
                partial.unlink(missing_ok=True)
                raise

    def saved(self, step: int) -> None:
        """Take what the training wrote as the state after `step` for whole, and forget all but the one before.

        Raises:
            UserError: the disk is full.
        """
        with no_space_is_a_user_error(self.folder):
            self._seal(step, _digest(self._file(step)))

    def load(self) -> dict[str, Any] | None:
        """What the newest file that is whole holds, on the CPU; None if there is none."""
        file = self.newest()
        return None if file is None else torch.load(file, map_location="cpu", weights_only=True)

    def newest(self) -> Path | None:
        """The newest state that is whole; None if there is none."""
        for step in reversed(self._steps()):
            file = self._file(step)
            with suppress(FileNotFoundError):
                if _sum_of(file).read_text(encoding="utf-8") == _digest(file):
                    return file
            logger.warning("%s is damaged; going back to what is before it", file)
        return None

    def _seal(self, step: int, digest: str) -> None:
        _write_at_once(_sum_of(self._file(step)), digest)
        self._saved_at = time.monotonic()
        # One without its sum was cut short, and what is beyond this step was so before the training went back.
        whole = [own for own in self._steps() if own <= step and _sum_of(self._file(own)).exists()]
        for old in map(self._file, {*self._steps()} - {*whole[-_KEPT:]}):
            _sum_of(old).unlink(missing_ok=True)
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)

    def _file(self, step: int) -> Path:
        return self.folder / self._name.format(step)

    def _steps(self) -> list[int]:
        named = re.compile(re.escape(self._name).replace(r"\{\}", r"(\d+)"))
        return sorted(int(found[1]) for file in self.folder.iterdir() if (found := named.fullmatch(file.name)))


def _sum_of(file: Path) -> Path:
    return file.with_suffix(".sha256")


def _digest(path: Path) -> str:
    """The sha256 of a file, or one for all files of a folder."""
    return content_digest(path) if path.is_dir() else sha256_of(path)


def content_digest(*paths: Path) -> str:
    """One sha256 for the content of files, and of all those of folders, however deep."""
    whole = hashlib.sha256()
    for path in paths:
        for file in sorted(own for own in path.rglob("*") if own.is_file()) if path.is_dir() else [path]:
            with file.open("rb") as opened:
                whole.update(hashlib.file_digest(opened, "sha256").digest())
    return whole.hexdigest()


class _Hashed:
    """A file to write to, and the sha256 of what was written."""

    def __init__(self, file):
        self.file = file
        self.digest = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data) -> int:
        self.digest.update(data)
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


def _write_at_once(file: Path, text: str) -> None:
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.rename(file)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
