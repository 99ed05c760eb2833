"""Public files over HTTP, without a login: a zip that is read to its end, or a small text."""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests

from ..errors import UserError
from .answers import Session, check_passing, failures_named, named
from .archive import Archive
from .patience import patiently
from .settings import NetworkSettings
from .transfer import NotAnArchive, Transfer

_USABLE = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)


def download_zip(url: str, name: str, part: Path, settings: NetworkSettings) -> Archive:
    """Bring a zip into the file `part`, every member read to its end; `name` is for progress lines.

    Raises:
        UserError: the server does not answer, however often it is asked, refuses, or sends no zip.
    """
    transfer = Transfer(url, name, part)

    def once() -> Archive:
        _ask(url, transfer.headers(), transfer.receive, settings)
        return transfer.finish()

    try:
        return patiently(url, once, settings)
    except NotAnArchive:
        raise UserError(f"{url} answers with something that is no zip: is the address right?") from None


def download_text(url: str, settings: NetworkSettings) -> str:
    """A small file in UTF-8. Raises UserError as `download_zip` does."""

    def once() -> str:
        texts = []
        _ask(url, {}, lambda response: texts.append(response.content.decode("utf-8-sig")), settings)
        return texts[0]

    try:
        return patiently(url, once, settings)
    except UnicodeDecodeError:
        raise UserError(f"{url} answers with something that is no text: is the address right?") from None


def _ask(
    url: str, headers: dict[str, str], receive: Callable[[requests.Response], None], settings: NetworkSettings
) -> None:
    timeout = (settings.connect_timeout_s, settings.read_timeout_s)
    with (
        failures_named(urlsplit(url).hostname),
        Session() as session,
        session.get(url, headers=headers, stream=True, timeout=timeout) as response,
    ):
        check_passing(response)
        if response.status_code not in _USABLE:
            raise UserError(f"{url} answers with status {named(response.status_code)}: is the address right?")
        receive(response)
