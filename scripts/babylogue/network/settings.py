"""Settings that every source on the network has."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, NonNegativeFloat, PositiveFloat, PositiveInt

from ..settings import Settings

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def is_safe(url: str) -> bool:
    """Whether a login may go to the URL: over https, or to this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)


def _plain_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("a login does not belong into a URL")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://host/path, with nothing behind the path")
    return url.rstrip("/")


def _safe_url(url: str) -> str:
    plain = _plain_url(url)
    if not is_safe(plain):
        raise ValueError(f"{url!r} must begin with https://, since the login goes there")
    return plain


PlainUrl = Annotated[str, AfterValidator(_plain_url)]
"""An address of a server, without a login in it."""
SafeUrl = Annotated[str, AfterValidator(_safe_url)]
"""A URL that a login may go to."""


class NetworkSettings(Settings):
    """How patiently a server is asked."""

    connect_timeout_s: PositiveFloat = 15.0
    """Seconds to wait for a connection."""
    read_timeout_s: PositiveFloat = 120.0
    """Seconds to wait for the next bytes; archives are packed when they are asked for, which takes a while."""
    attempts: PositiveInt = 5
    """How often one thing is asked for when the network or the server fails."""
    backoff_s: NonNegativeFloat = 2.0
    """Seconds before the second attempt; doubled before each further one."""
    longest_wait_s: PositiveFloat = 300.0
    """Longest wait between two attempts, seconds; a server that asks for more stops the run."""
