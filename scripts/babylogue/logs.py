"""Job logs and progress lines: the same text on the terminal and in the rule's log file."""

import logging
import sys
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from .errors import UserError
from .mishaps import mishap

logger = logging.getLogger("babylogue")
_TIME = "%H:%M:%S"


@contextmanager
def job_log(path: str, job: str, inputs: Iterable[str] = ()):
    """Log to the terminal and to `path` for as long as one job runs.

    `job` names the job in every line, since several jobs share the terminal. A `UserError` becomes one
    line and exit status 1, as does what the machine did to the job, damage of one of its `inputs` among it.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("", encoding="utf-8")
    handlers = _log_to(path, f"%(asctime)s {job}: %(message)s")
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
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


def shared_log() -> list[tuple[str, str]]:
    """What another process needs to `join_log`: files and forms of the job's log."""
    files = (handler for handler in logger.handlers if isinstance(handler, logging.FileHandler))
    return [(file.baseFilename, file.formatter._fmt) for file in files]


def join_log(shared: list[tuple[str, str]]) -> None:
    """Log to the terminal and to another process' job log until this process ends."""
    for path, form in shared:
        _log_to(path, form)


class _LogFile(logging.FileHandler):
    """A log whose disk may be full; the terminal has the line all the same."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def _log_to(path: str, form: str) -> list[logging.Handler]:
    # Appending, so that a process which trains along may write there, too.
    handlers = [logging.StreamHandler(sys.stderr), _LogFile(path, mode="a", encoding="utf-8")]
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
