"""One archive on its way into a file; a broken transfer is continued where the server can do that."""

import re
from http import HTTPStatus
from pathlib import Path

import requests

from ..logs import progress
from .archive import Archive, BadArchive, inspect
from .patience import Passing

_CHUNK_BYTES = 1 << 16


class NotAnArchive(Exception):
    """Something else came with status 200, such as a page."""


class Transfer:
    """The download of one archive, over as many requests as it takes."""

    def __init__(self, url: str, name: str, part: Path):
        self.url = url
        self.name = name
        self._part = part
        # What an earlier run left is of no use: nothing says that it is of the same archive.
        self._start_anew()

    def headers(self) -> dict[str, str]:
        """What the next request asks for: the archive, or the rest of it."""
        headers = {"Accept-Encoding": "identity"}  # a range counts the bytes that are sent
        if have := self._bytes_there():
            headers["Range"] = f"bytes={have}-"
            if self._version:
                headers["If-Range"] = self._version
        return headers

    def receive(self, response: requests.Response) -> None:
        """Write the body of an answer (status 200, 206 or 416) to the file as it comes.

        Raises:
            NotAnArchive: it is something else, such as a page.
            Passing: it is not the rest that was asked for.
            requests.RequestException: the connection broke; the file keeps what had come.
        """
        offset = self._offset(response)
        chunks = response.iter_content(_CHUNK_BYTES)
        if offset == 0:
            first = next(chunks, b"")
            if not first.startswith(b"PK"):
                raise NotAnArchive
            self._version = _version(response)
            self._part.write_bytes(first)
        total = _number(response.headers.get("Content-Length"))
        with (
            self._part.open("ab") as file,
            progress(description=self.name, unit="B", total=total and offset + total) as bar,
        ):
            bar.update(file.tell())
            for chunk in chunks:
                file.write(chunk)
                bar.update(len(chunk))

    def finish(self) -> Archive:
        """Read what has come from beginning to end. Raises Passing if it is damaged."""
        try:
            return inspect(self._part)
        except BadArchive as damage:
            self._start_anew()
            raise Passing(f"what came is damaged ({damage})") from None

    def _bytes_there(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _start_anew(self) -> None:
        self._part.unlink(missing_ok=True)
        self._version: str | None = None

    def _offset(self, response: requests.Response) -> int:
        """At which byte of the archive the body begins."""
        if response.status_code == HTTPStatus.OK:
            return 0
        begins = re.match("bytes ([0-9]{1,18})-", response.headers.get("Content-Range", ""))
        have = self._bytes_there()
        if response.status_code != HTTPStatus.PARTIAL_CONTENT or not begins or int(begins[1]) != have:
            self._start_anew()
            raise Passing("the rest of the archive is not to be had; from its beginning")
        return have


def _version(response: requests.Response) -> str | None:
    """What If-Range takes: the strong ETag, or else the date of the last change."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _number(header: str | None) -> int | None:
    return int(header) if header and re.fullmatch("[0-9]{1,18}", header) else None
