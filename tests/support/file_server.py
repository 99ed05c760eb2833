"""Files on loopback, as a web server gives them out: whole or from a byte on, with faults on demand."""

import re
import socket
import threading
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Fault = Callable[["_Handler"], None]


def status(code: int, **headers: str) -> Fault:
    """Answer with a status, and headers (`Location="/other"`)."""
    return lambda handler: handler.answer(code, b"", headers)


def page(handler: "_Handler") -> None:
    """Answer with a page, status 200."""
    handler.answer(200, b"<html>Sign in</html>")


def cut(after: int) -> Fault:
    """Send the file as usual and break the connection after so many bytes."""
    return lambda handler: handler.send_file(cut=after)


class FileServer(ThreadingHTTPServer):
    """A server on a free port of this machine, in threads of its own; `files`: path -> content."""

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.daemon_threads = True
        self.files = files
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str) -> str:
        """The address of a file."""
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers.append(dict(self.headers))
        if faults := self.server.faults[self.path]:
            faults.pop(0)(self)
        elif self.path in self.server.files:
            self.send_file()
        else:
            self.answer(404, b"Not Found")

    def answer(self, code: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def send_file(self, cut: int | None = None) -> None:
        content = self.server.files[self.path]
        code, start, headers = 200, 0, {"ETag": f'"{len(content)}"'}
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            code, start = 206, int(asked[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        rest = content[start:]
        self.answer(code, rest[:cut], headers | {"Content-Length": str(len(rest))})
        if cut is not None:
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
