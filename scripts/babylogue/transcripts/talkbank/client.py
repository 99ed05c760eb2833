"""TalkBank's web server: login, the corpora of a collection, archives.

Nothing that the server says is repeated in a message, since it may repeat the login.
"""

import json
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import quote, unquote, urljoin, urlsplit

import requests

from ...errors import UserError
from ...file_names import is_hidden
from ...logs import logger
from ...network.answers import Session, check_passing, failures_named, named
from ...network.archive import Archive
from ...network.patience import patiently
from ...network.transfer import NotAnArchive, Transfer
from .credentials import Credentials, find_credentials
from .settings import TalkBankSettings, is_name

_Result = TypeVar("_Result")


def count_transcripts(archive: Archive) -> int:
    """How many .cha files are in an archive."""
    return sum(name.lower().endswith(".cha") and not is_hidden(PurePosixPath(name)) for name in archive.members)


class NoCorpus(UserError):
    """There is no archive of transcripts under this name."""


class _Session(Session):
    """Sends the login where it is told to and nowhere else."""

    def get_redirect_target(self, resp):
        target = super().get_redirect_target(resp)
        return target if target and _same_site(resp.url, target) else None


def _same_site(url: str, target: str) -> bool:
    def site(address: str) -> tuple[str, str | None, int | None]:
        parts = urlsplit(address)
        return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)

    try:
        return site(urljoin(url, target)) == site(url)
    except ValueError:  # no URL at all
        return False


class _Links(HTMLParser):
    """The targets of a page's anchors."""

    def __init__(self):
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.targets += [value for key, value in attrs if key == "href" and value]


class TalkBankClient:
    """One run's talk with TalkBank: logged in before the first request, and again when that has worn off."""

    def __init__(self, settings: TalkBankSettings):
        self._settings = settings
        self._session = _Session()
        self._logged_in = False
        self._asked_for_archive = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._session.close()

    def url(self, corpus: str) -> str:
        """Where the archive of a corpus (`Eng-NA/Brown`) lies."""
        return f"{self._settings.data_url}/{quote(corpus)}?f=zip"

    def corpora(self, collection: str) -> list[str]:
        """Names of the corpora that the page of a collection links to, sorted; none if there is no such page.

        Raises:
            UserError: no login, or TalkBank does not answer.
        """
        self._log_in_once()
        url = f"{self._settings.data_url}/{quote(collection)}/"
        page = self._patiently(url, lambda: self._page(url))
        return sorted(set(_names_below(page, url)))

    def fetch(self, corpus: str, part: Path) -> Archive:
        """Bring the archive of a corpus into the file `part`, sound and with transcripts in it.

        Pauses before every archive but the run's first one.

        Raises:
            NoCorpus: TalkBank has no such corpus, or there is no transcript in it.
            UserError: no login or not enough permission, or TalkBank does not answer as it should.
        """
        self._log_in_once()
        if self._asked_for_archive:
            time.sleep(self._settings.pause_s)
        self._asked_for_archive = True
        archive = self._bring(corpus, part)
        if not count_transcripts(archive):
            raise NoCorpus(f"{corpus}: there is no .cha file in the archive at {self.url(corpus)}")
        return archive

    def _bring(self, corpus: str, part: Path) -> Archive:
        transfer = Transfer(self.url(corpus), corpus, part)
        try:
            return self._patiently(transfer.url, lambda: self._receive(transfer))
        except NotAnArchive:
            logger.info("%s: a page instead of the archive; logging in again", corpus)
        self._log_in()
        try:
            return self._patiently(transfer.url, lambda: self._receive(transfer))
        except NotAnArchive:
            raise UserError(
                f"{transfer.url} answers with a page instead of an archive, though the login is accepted: "
                f"see whether your account may download {corpus} in a browser"
            ) from None

    def _receive(self, transfer: Transfer) -> Archive:
        with failures_named("TalkBank"), self._send("GET", transfer.url, headers=transfer.headers()) as response:
            if response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                _check_status(response, transfer.name)
            transfer.receive(response)
        return transfer.finish()

    def _page(self, url: str) -> str:
        with failures_named("TalkBank"), self._send("GET", url) as response:
            if response.status_code == HTTPStatus.NOT_FOUND:
                return ""
            _check_status(response, url)
            return response.text

    def _log_in_once(self) -> None:
        if not self._logged_in:
            self._log_in()

    def _log_in(self) -> None:
        url = self._settings.login_url
        credentials = find_credentials(urlsplit(url).hostname)
        answer = self._patiently(url, lambda: self._login_answer(credentials))
        if answer.get("success") is not True:
            raise UserError(_refusal(answer.get("respMsg"), credentials, url))
        self._logged_in = True
        logger.info("logged in to TalkBank")

    def _login_answer(self, credentials: Credentials) -> dict:
        url = self._settings.login_url
        body = {"email": credentials.email, "pswd": credentials.password}
        with failures_named("TalkBank"), self._send("POST", url, json=body) as response:
            content, status = response.content, response.status_code
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise UserError(f"{url} answers a login with status {status} and no JSON: is login_url right?")
        return answer

    def _send(self, method: str, url: str, **options) -> requests.Response:
        """One request; the answer's body is still to be read. Raises Passing where asking again may help."""
        timeout = (self._settings.connect_timeout_s, self._settings.read_timeout_s)
        response = self._session.request(method, url, stream=True, timeout=timeout, **options)
        check_passing(response)
        if response.is_redirect:
            response.close()
            raise UserError(f"{url} sends on to another site, which must not get the login: is the URL right?")
        return response

    def _patiently(self, url: str, once: Callable[[], _Result]) -> _Result:
        return patiently(url, once, self._settings)


def _names_below(page: str, url: str) -> list[str]:
    """Names of the folders directly below `url` that a page links to, whatever the form of the links."""
    links = _Links()
    links.feed(page)
    above = urlsplit(url).path
    names = []
    for target in links.targets:
        try:
            path = urlsplit(urljoin(url, target)).path
        except ValueError:  # no URL at all
            continue
        name = unquote(path.removeprefix(above).removesuffix("/"))
        # What begins with 0 is TalkBank's own: metadata, documents, media.
        if path.startswith(above) and is_name(name) and not name.startswith("0"):
            names.append(name)
    return names


def _check_status(response: requests.Response, what: str) -> None:
    status = response.status_code
    if status == HTTPStatus.UNAUTHORIZED:
        raise UserError(
            f"{what} needs more permission than the login has: ask TalkBank for it, or take it out of `corpora`"
        )
    if status == HTTPStatus.NOT_FOUND:
        raise NoCorpus(f"{what}: no such corpus")
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise UserError(f"{what}: TalkBank answers with status {named(status)}: is data_url right?")


def _refusal(code: object, credentials: Credentials, url: str) -> str:
    if code == "NOT_MATCHED":
        return f"TalkBank does not know this e-mail address with this password: correct {credentials.origin}"
    if code == "EMAIL_NOT_VERIFIED":
        return (
            "TalkBank has not verified your e-mail address: follow the link in the message that it sent you, "
            "then run again"
        )
    # Only a code is repeated, and no code that could hold the password.
    if isinstance(code, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", code) and credentials.password not in code:
        return f"{url} refuses the login with {code}: try it in a browser at https://talkbank.org"
    return f"{url} refuses the login without a reason that is known: try it in a browser at https://talkbank.org"
