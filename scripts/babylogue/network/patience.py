"""Asking a server again: how long to wait, and when to give up."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import TypeVar

from ..errors import UserError
from ..logs import logger
from .settings import NetworkSettings

_Result = TypeVar("_Result")
_EPOCH_S = 1_000_000_000  # a Retry-After above this is a time, not a duration


class Passing(Exception):
    """A failure that may be over at the next attempt; the text says what failed."""

    def __init__(self, reason: str, wait_s: float | None = None):
        super().__init__(reason)
        self.wait_s = wait_s
        """Seconds that the server wants one to wait; None if it does not say."""


def patiently(url: str, once: Callable[[], _Result], settings: NetworkSettings) -> _Result:
    """Do `once`, and again after a growing wait where it raises Passing. Raises UserError in the end."""
    for failures in count(1):
        try:
            return once()
        except Passing as failure:
            reason, asked_s = str(failure), failure.wait_s
        wait_before_next(url, reason, failures, asked_s, settings)


def retry_after_s(header: str | None) -> float | None:
    """Seconds to wait by a Retry-After header: a duration, a date, or a time since the epoch; None for none."""
    header = (header or "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", header):
        seconds = float(header)
        return max(0.0, seconds - time.time()) if seconds > _EPOCH_S else seconds
    try:
        moment = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def wait_before_next(
    url: str, reason: str, failures: int, asked_s: float | None, settings: NetworkSettings
) -> None:
    """Wait after the `failures`th failure, `asked_s` seconds or else a growing time.

    Raises:
        UserError: there were as many failures as attempts, or the server asks for a longer wait than is allowed.
    """
    if failures >= settings.attempts:
        raise UserError(f"{url}: {reason}, after {failures} attempts; try again later")
    wait_s = asked_s
    if wait_s is None:
        wait_s = min(settings.backoff_s * 2 ** (failures - 1), settings.longest_wait_s)
    if wait_s > settings.longest_wait_s:
        raise UserError(
            f"{url}: {reason}, and a wait of {wait_s:.0f} s is asked for, "
            f"more than longest_wait_s ({settings.longest_wait_s:.0f}); try again later"
        )
    logger.warning("%s: %s; again in %.1f s", url, reason, wait_s)
    time.sleep(wait_s)
