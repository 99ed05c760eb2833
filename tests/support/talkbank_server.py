"""TalkBank on loopback: a web server that logs in, lists collections and packs archives as TalkBank does."""

import io
import json
import re
import secrets
import socket
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

EMAIL, PASSWORD = "reader@example.org", "Correct-Horse_42"
# What TalkBank sends, with status 200, to those who are not logged in.
LOGIN_PAGE = b"<!DOCTYPE html><html><head><script src='/authModals.js'></script></head><body></body></html>"
BASE = "/data/childes"


def pack(files: dict[str, str], date=(2026, 1, 1, 0, 0, 0)) -> bytes:
    """A zip of `files`, uncompressed so that its size is that of its texts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, date), text)
    return buffer.getvalue()


def corpus(name: str, size: int = 300) -> bytes:
    """The archive of a corpus with two transcripts, `size` bytes of talk in each."""
    talk = "@UTF8\n@Begin\n" + f"*CHI:\tthe {name} dog .\n" * (size // 20) + "@End\n"
    return pack({f"{name}/one.cha": talk, f"{name}/two.cha": talk, f"{name}/0metadata.cdc": "title"})


@dataclass
class Request:
    """One request as it was received."""

    method: str
    path: str
    headers: dict[str, str]
    at: float
    """Seconds of a clock that only goes on."""


Fault = Callable[["_Handler"], None]


def status(code: int, **headers: str) -> Fault:
    """Answer with a status, and headers (`Retry_After="1"`)."""
    return lambda handler: handler.answer(
        code, b"Not today", "text/plain", {name.replace("_", "-"): value for name, value in headers.items()}
    )


def page(handler: "_Handler") -> None:
    """Answer with the login page."""
    handler.answer(200, LOGIN_PAGE, "text/html")


def body(content: bytes) -> Fault:
    """Answer with other bytes."""
    return lambda handler: handler.answer(200, content, "application/zip")


def slow(seconds: float) -> Fault:
    """Say nothing for so long, then hang up."""

    def fault(handler):
        time.sleep(seconds)
        handler.hang_up()

    return fault


def cut(after: int) -> Fault:
    """Send the archive as usual and break the connection after so many bytes."""
    return lambda handler: handler.send_archive(cut=after)


class TalkBankServer:
    """A server on a free port of this machine, in threads of its own, until it is closed."""

    def __init__(self):
        self.archives: dict[str, bytes] = {}
        """Corpus (`Eng-NA/Brown`) -> archive."""
        self.links: dict[str, list[str]] = {}
        """Collection -> further links of its page."""
        self.requests: list[Request] = []
        self.verified = True
        self.ranges = True
        self.tags = True
        self.refusal: dict | None = None
        """What a login is answered with instead of the usual."""
        self.cookie_lasts: int | None = None
        """Requests that a login is good for; None: all."""
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._cookies: dict[str, int] = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.talkbank = self
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        """http://host:port"""
        return f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._http.server_close()

    def fail(self, what: str, *faults: Fault) -> None:
        """Answer the next requests for a corpus, a collection (`Eng-NA/`) or `login` with these faults."""
        self._faults["/logInUser" if what == "login" else f"{BASE}/{what}"] += faults

    def asked(self, what: str = "") -> list[Request]:
        """The requests so far for a corpus, a collection (`Eng-NA/`), `login`, or for everything."""
        path = {"": "", "login": "/logInUser"}.get(what, f"{BASE}/{what}")
        return [request for request in self.requests if not path or urlsplit(request.path).path == path]

    def next_fault(self, path: str) -> Fault | None:
        """What the next request for a path is to meet."""
        return self._faults[path].pop(0) if self._faults[path] else None

    def new_cookie(self) -> str:
        """A fresh login's cookie."""
        cookie = secrets.token_hex(8)
        self._cookies[cookie] = 0
        return cookie

    def accepts(self, header: str) -> bool:
        """Whether a Cookie header is that of a login, which is used up a little by asking."""
        found = re.search(r"\btalkbank=(\w+)", header)
        if not found or found[1] not in self._cookies:
            return False
        self._cookies[found[1]] += 1
        return self.cookie_lasts is None or self._cookies[found[1]] <= self.cookie_lasts


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def talkbank(self) -> TalkBankServer:
        return self.server.talkbank

    def log_message(self, *_):
        pass

    def answer(self, code: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in ({"Content-Type": kind, "Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        if self._received():
            return
        login = json.loads(sent)
        headers = {}
        if self.talkbank.refusal is not None:
            answer = self.talkbank.refusal
        elif login != {"email": EMAIL, "pswd": PASSWORD}:
            answer = {"success": False, "respMsg": "NOT_MATCHED"}
        elif not self.talkbank.verified:
            answer = {"success": False, "respMsg": "EMAIL_NOT_VERIFIED"}
        else:
            answer = {"success": True}
            headers["Set-Cookie"] = f"talkbank={self.talkbank.new_cookie()}; Path=/; HttpOnly"
        self.answer(200, json.dumps(answer).encode(), "application/json", headers)

    def do_GET(self):
        if self._received():
            return
        path = urlsplit(self.path).path
        if not self.talkbank.accepts(self.headers.get("Cookie", "")):
            page(self)
        elif path.endswith("/"):
            self._send_listing(path)
        elif self._archive() is not None and urlsplit(self.path).query == "f=zip":
            self.send_archive()
        else:
            self.answer(404, b"Not Found", "text/plain")

    def _received(self) -> bool:
        """Note the request; True if a fault has answered it."""
        request = Request(self.command, self.path, dict(self.headers), time.monotonic())
        self.talkbank.requests.append(request)
        fault = self.talkbank.next_fault(urlsplit(self.path).path)
        if fault:
            fault(self)
        return fault is not None

    def _archive(self) -> bytes | None:
        return self.talkbank.archives.get(urlsplit(self.path).path.removeprefix(f"{BASE}/"))

    def _send_listing(self, path: str) -> None:
        collection = path.removeprefix(f"{BASE}/").removesuffix("/")
        names = [name.split("/")[1] for name in self.talkbank.archives if name.split("/")[0] == collection]
        if not names and collection not in self.talkbank.links:
            self.answer(404, b"Not Found", "text/plain")
            return
        # Links with the host and its port in them, as TalkBank's.
        links = [f"{self.talkbank.address}{path}{name}/" for name in names] + self.talkbank.links.get(
            collection, []
        )
        rows = "".join(f'<tr><td><a href="{link}">a folder</a></td></tr>' for link in links)
        listing = f'<html><a href="?C=N;O=D">Name</a><a href="{BASE}/">up</a><table>{rows}</table></html>'
        self.answer(200, listing.encode(), "text/html")

    def send_archive(self, cut: int | None = None) -> None:
        content = self._archive()
        tag = f'"{len(content)}-{sum(content)}"'
        headers = {"ETag": tag} if self.talkbank.tags else {}
        code, start = 200, 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.talkbank.ranges and self.headers.get("If-Range", tag) == tag:
            code, start = 206, int(asked[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        rest = content[start:]
        if cut is None:
            self.answer(code, rest, "application/zip", headers)
            return
        self.answer(code, rest[:cut], "application/zip", headers | {"Content-Length": str(len(rest))})
        self.hang_up()
