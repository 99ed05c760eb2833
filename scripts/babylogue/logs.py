"""What people see of a job or a command: our own lines, on the terminal and in the log file of a job.

Only the logger `babylogue` writes to the terminal. Whatever else is written to standard error (warnings, log lines
and bars of dependencies, messages of C code) goes to the log file of a job. A command has none, and drops it.
"""

import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from .errors import UserError
from .mishaps import mishap

logger = logging.getLogger("babylogue")
_TIME = "%H:%M:%S"
_STANDARD_ERROR = 2  # its file descriptor


@contextmanager
def job_log(path: str, job: str, inputs: Iterable[str] = ()):
    """Log to the terminal and to `path` for as long as one job runs.

    `job` names the job in every line, since several jobs share the terminal. A `UserError` becomes one
    line and exit status 1, as does what the machine did to the job, damage of one of its `inputs` among it.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("", encoding="utf-8")
    with _standard_error_to(path) as terminal, _handlers(f"%(asctime)s {job}: %(message)s", terminal, path):
        try:
            yield
        except UserError as error:
            logger.error("%s", error)
            sys.exit(1)
        except BaseException as error:
            if isinstance(error, Exception) and (told := mishap(error, inputs, f"the disk of {path}")):
                logger.error("%s", told)
                sys.exit(1)
            logger.exception("stopped by an error")
            raise


@contextmanager
def console_log() -> Iterator[TextIO]:
    """Log to the terminal, in bare lines, for as long as one command runs; -> the terminal.

    Where Python's -W or PYTHONWARNINGS asks for warnings, nothing is dropped.
    """
    if set(sys.warnoptions) - {"ignore"}:
        with _handlers("%(message)s", sys.stderr):
            yield sys.stderr
    else:
        with _standard_error_to(os.devnull) as terminal, _handlers("%(message)s", terminal):
            yield terminal


@contextmanager
def _standard_error_to(path: str) -> Iterator[TextIO]:
    """Append standard error of this process and its children to a file; -> the terminal, for our own lines.

    The file descriptor is redirected. To replace `sys.stderr` would not do: libraries keep the stream that they
    find when they are imported, and C code knows nothing of it.
    """
    terminal, before = _duplicate(sys.stderr), os.dup(_STANDARD_ERROR)
    _redirect_standard_error(path)
    try:
        with warnings.catch_warnings():
            if sys.warnoptions == ["ignore"]:  # from the Snakefile, for the time before the log is open
                warnings.simplefilter("default")
            yield terminal
    finally:
        os.dup2(before, _STANDARD_ERROR)
        os.close(before)


def _redirect_standard_error(path: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        os.dup2(file.fileno(), _STANDARD_ERROR)


def _duplicate(stream: TextIO) -> TextIO:
    """A stream to the same file or terminal, with a descriptor of its own; the stream itself if it has none."""
    try:
        descriptor = os.dup(stream.fileno())
    except OSError:  # in memory, as in a notebook
        return stream
    return open(descriptor, "w", buffering=1, encoding=stream.encoding, errors=stream.errors)


@contextmanager
def _handlers(form: str, terminal: TextIO, path: str | None = None) -> Iterator[None]:
    handlers = _log_to(form, terminal, path)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


# --- several processes -----------------------------------------------------------------------------------------


def shared_log() -> list[tuple[str, str]]:
    """What another process needs to `join_log`: files and forms of the job's log."""
    files = (handler for handler in logger.handlers if isinstance(handler, logging.FileHandler))
    return [(file.baseFilename, file.formatter._fmt) for file in files]


def join_log(shared: list[tuple[str, str]], own_lines: bool) -> None:
    """Append standard error to another process' job log until this process ends.

    With `own_lines`, our own lines go there and to the terminal, as those of the other process do, which has to
    start this one within `terminal_for_children`.
    """
    for path, form in shared:
        terminal = _duplicate(sys.stderr)
        _redirect_standard_error(path)
        if own_lines:
            _log_to(form, terminal, path)


@contextmanager
def terminal_for_children() -> Iterator[None]:
    """Give processes that are started meanwhile the terminal as standard error."""
    before = os.dup(_STANDARD_ERROR)
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:
            os.dup2(handler.stream.fileno(), _STANDARD_ERROR)
    try:
        yield
    finally:
        os.dup2(before, _STANDARD_ERROR)
        os.close(before)


# --- handlers and bars -----------------------------------------------------------------------------------------


class _LogFile(logging.FileHandler):
    """A log whose disk may be full; the terminal has the line all the same."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def _log_to(form: str, terminal: TextIO, path: str | None) -> list[logging.Handler]:
    handlers: list[logging.Handler] = [logging.StreamHandler(terminal)]
    if path:
        # Appending, so that a process which trains along may write there, too.
        handlers.append(_LogFile(path, mode="a", encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter(form, _TIME))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handlers


class _ProgressLines:
    """The file that tqdm writes to: every refresh becomes one line of the log."""

    def write(self, text: str) -> None:
        if line := text.strip():
            logger.info("%s", line)

    def flush(self) -> None:
        pass


class ProgressBar(tqdm):
    """A tqdm bar whose refreshes are log lines, at most one in `every_s` seconds."""

    def __init__(self, *arguments, every_s: float = 5.0, **named):
        form = {"file": _ProgressLines(), "unit_scale": True, "ascii": True, "position": 0}  # lines have no cursor
        pace = {"mininterval": every_s, "maxinterval": float("inf"), "delay": every_s}
        super().__init__(*arguments, **named | form | pace)


def progress(
    iterable=None, *, total=None, initial: int = 0, description: str, unit: str, every_s: float = 5.0
) -> ProgressBar:
    """A ProgressBar of which `initial` is done already."""
    return ProgressBar(iterable, total=total, initial=initial, desc=description, unit=unit, every_s=every_s)
