"""What a server's answer, or the lack of one, means: ask again, or give up with a line for the user.

Nothing that a server says is repeated in a message, since it may repeat a login.
"""

from contextlib import contextmanager
from http import HTTPStatus

import requests
from requests.exceptions import ChunkedEncodingError, ContentDecodingError, ProxyError

from ..errors import UserError
from .patience import Passing, retry_after_s

_BROKEN = (requests.ConnectionError, requests.Timeout, ChunkedEncodingError, ContentDecodingError)


class Session(requests.Session):
    """Sends what it is told to and nothing else: no login of ~/.netrc, with redirected requests neither."""

    def __init__(self):
        super().__init__()
        self.headers["User-Agent"] = "babylogue"
        # Without an `auth` of its own, requests would add what ~/.netrc has for the host to every request.
        self.auth = lambda request: request

    def rebuild_auth(self, prepared_request, response):
        """Keep ~/.netrc out of redirected requests too."""


@contextmanager
def failures_named(server: str):
    """Turn the network's failures into Passing, and misuse of HTTP into UserError, in words of our own."""
    try:
        yield
    except _BROKEN as error:
        raise Passing(_cause(error)) from None
    except requests.RequestException as error:
        raise UserError(f"{server}'s answer is not as HTTP wants it ({type(error).__name__}); try later") from None


def check_passing(response: requests.Response) -> None:
    """Raise Passing, and close the answer, for a status that may be another at the next attempt."""
    status = response.status_code
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or status >= 500:
        response.close()
        raise Passing(f"status {named(status)}", retry_after_s(response.headers.get("Retry-After")))


def named(status: int) -> str:
    """A status with the standard's name for it, as `404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _cause(error: BaseException) -> str:
    """What broke a connection: the system's words or the kind of error, nothing that was received."""
    where = " to the proxy" if isinstance(error, ProxyError) else ""
    while inner := error.__cause__ or error.__context__:
        error = inner
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"the connection{where} broke ({getattr(error, 'strerror', None) or type(error).__name__})"
