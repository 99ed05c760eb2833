"""Training state on disk: what a killed training goes on from.

A folder holds made_with.json (settings, seed, inputs, code), the two newest states as {step}.pt with the sha256 of
each beside it, and whatever else the training keeps there until it is finished.
"""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..logs import logger
from .checkpoints import no_space_is_a_user_error
from .parallel import rank, wait_for_all

_KEPT = 2  # so that a torn one has one before it


class TrainingState:
    """The states of one training."""

    def __init__(self, folder: Path, made_with: dict[str, Any], every_s: float = 300.0):
        """Open the folder, or make it.

        Args:
            every_s: how often a state is due, in s.
            made_with: what the result depends on, as plain values under names that a user knows; nested.

        Raises:
            UserError: the folder's states were made with something else.
        """
        self.folder = Path(folder)
        self._every_s, self._saved_at = every_s, time.monotonic()
        wanted = _flat(json.loads(json.dumps(made_with)))
        known = self.folder / "made_with.json"
        if known.exists():
            made = _flat(json.loads(known.read_text()))
            if others := [name for name in sorted(made | wanted) if made.get(name) != wanted.get(name)]:
                raise UserError(
                    f"{self.folder}: an interrupted training with another {', '.join(others)}; "
                    "delete the folder to start anew, or put back what was there to go on"
                )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        wait_for_all()  # none may see what the first one writes
        if rank():
            return
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
                _write_at_once(file.with_suffix(".sha256"), hashed.digest.hexdigest())
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        self._saved_at = time.monotonic()
        for old in self._steps()[:-_KEPT]:
            for suffix in (".sha256", ".pt"):
                self._file(old).with_suffix(suffix).unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """The newest state that is whole, on the CPU; None if there is none."""
        for step in reversed(self._steps()):
            file = self._file(step)
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            with suppress(FileNotFoundError):
                if file.with_suffix(".sha256").read_text() == digest:
                    return torch.load(file, map_location="cpu", weights_only=True)
            logger.warning("%s is damaged; going back to what is before it", file)
        return None

    def _file(self, step: int) -> Path:
        return self.folder / f"{step}.pt"

    def _steps(self) -> list[int]:
        return sorted(int(file.stem) for file in self.folder.glob("*.pt"))


def content_digest(*files: Path) -> str:
    """One sha256 for the content of files."""
    whole = hashlib.sha256()
    for file in files:
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
    partial.write_text(text)
    partial.rename(file)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
