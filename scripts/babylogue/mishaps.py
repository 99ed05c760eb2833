"""What a machine does to a job, told in one line: a full disk, a damaged file, a folder that is read-only."""

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

from .integrity import MEND, damaged

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
_OS_ERROR = re.compile(r"os error (\d+)")  # as safetensors and tokenizers, which are Rust, put it
_ERRNO = re.compile(r"\[errno (\d+)\]")  # as pyarrow, which is C++, puts it
_CUT_SHORT = re.compile(r"inline_container.* unexpected pos")  # as torch.save does, without saying why


def no_space(error: BaseException) -> str | None:
    """What is wrong, if it is a full disk, in one of the many ways in which libraries say so."""
    code = _code(error)
    if code in _NO_SPACE:
        return os.strerror(code)
    return "a file was cut short" if _CUT_SHORT.search(str(error)) else None


def mishap(error: BaseException, inputs: Iterable[str | Path], disk: str) -> str | None:
    """What happened to a job that reads `inputs`, with what to do; None where it is no mishap but a defect.

    `disk` is where it happened if the error does not say so.
    """
    place = getattr(error, "filename", None) or disk
    if reason := no_space(error):
        return f"{place}: {reason}; free some space and run the same command again"
    if _code(error) in _NO_RIGHT:
        return f"{place}: {os.strerror(_code(error))}; make it writable and run the same command again"
    if isinstance(error, MemoryError):
        return "out of memory; give the job more, or smaller batches, and run the same command again"
    if found := damaged(inputs):
        return f"{found}; {MEND}"
    return None


def _code(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno:
        return error.errno
    told = _OS_ERROR.search(str(error)) or _ERRNO.search(str(error))
    return int(told[1]) if told else None
