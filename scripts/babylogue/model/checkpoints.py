"""Model folders written so that a half one never bears its name."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError
from ..integrity import write_checksums
from ..mishaps import no_space


@contextmanager
def no_space_is_a_user_error(folder: Path) -> Iterator[None]:
    """Turn the many errors that a full disk makes into one line."""
    try:
        yield
    except Exception as error:
        what = no_space(error)
        if not what:
            raise
        raise UserError(f"{folder}: {what}; free some space and run the same command again") from error


def save_model(model, tokenizer, folder: Path) -> None:
    """Write a Hugging Face model folder under a temporary name, then give it its own by rename.

    Raises:
        UserError: the disk is full. What was there before still is.
    """
    folder = Path(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with no_space_is_a_user_error(folder):
        try:
            model.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
            write_checksums(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    _replace(partial, folder)


def publish(folder: Path, target: Path) -> None:
    """Give a finished folder a second name, of hard links where the file system has them."""
    target = Path(target)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with no_space_is_a_user_error(target):
        shutil.copytree(folder, partial, copy_function=_link)
    _replace(partial, target)


def _replace(partial: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
