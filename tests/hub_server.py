"""The Hugging Face Hub on loopback, as far as publishing models and reading datasets need it."""

import base64
import hashlib
import json
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TOKEN = "hf_right"
COMMIT = "1" * 40


class Hub(ThreadingHTTPServer):
    """`files[repository, branch]`, of models, and `datasets[repository]`: path -> bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.private: dict[str, bool] = {}
        self.files: dict[tuple[str, str], dict[str, bytes]] = defaultdict(dict)
        self.read_only: set[str] = set()
        self.datasets: dict[str, dict[str, bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != TOKEN and token not in self.server.read_only:
            return self._json(401, {"error": "Invalid credentials"})
        if token in self.server.read_only:
            return self._json(403, {"error": "Forbidden"})
        match self.path.strip("/").split("/"):
            case ["api", "repos", "create"]:
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                if name in self.server.private:
                    return self._json(409, {"error": "exists", "url": f"{self.server.url}/{name}"})
                self.server.private[name] = asked.get("private", asked.get("visibility") == "private")
                return self._json(200, {"url": f"{self.server.url}/{name}"})
            case ["api", "models", owner, name, "branch", branch]:
                key = (f"{owner}/{name}", branch)
                if key in self.server.files:
                    return self._json(409, {"error": "Reference already exists"})
                self.server.files[key] = {}
                return self._json(200, {})
            case ["api", "validate-yaml"]:
                return self._json(200, {"warnings": [], "errors": []})
            case ["api", "models", _, _, "preupload", _]:
                # Files of these sizes are sent in the commit itself; large ones would go to storage first.
                modes = [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in json.loads(body)["files"]
                ]
                return self._json(200, {"files": modes})
            case ["api", "models", owner, name, "commit", branch]:
                for line in map(json.loads, body.splitlines()):
                    if line["key"] == "file":
                        content = base64.b64decode(line["value"]["content"])
                        self.server.files[f"{owner}/{name}", branch][line["value"]["path"]] = content
                url = f"{self.server.url}/{owner}/{name}/commit/{len(self.server.files)}"
                return self._json(200, {"success": True, "commitOid": "0" * 40, "commitUrl": url})
        return self._json(404, {"error": "Not found"})

    def do_GET(self) -> None:
        match urlsplit(self.path).path.strip("/").split("/"):
            case ["api", "datasets", owner, name, *rest] if files := self.server.datasets.get(f"{owner}/{name}"):
                if rest[:1] == ["tree"]:
                    return self._json(
                        200, [{"type": "file", "path": path, **_blob(files[path])} for path in files]
                    )
                siblings = [{"rfilename": path} for path in files]
                return self._json(200, {"id": f"{owner}/{name}", "sha": COMMIT, "siblings": siblings})
            case ["datasets", owner, name, "resolve", _, *path] if files := self.server.datasets.get(
                f"{owner}/{name}"
            ):
                content = files.get("/".join(path))
                if content is None:
                    return self._send(404, "text/plain", b"", **{"X-Error-Code": "EntryNotFound"})
                return self._send(200, "application/octet-stream", content, ETag=_blob(content)["oid"])
        return self._send(404, "text/plain", b"", **{"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def _json(self, status: int, content: dict | list) -> None:
        self._send(status, "application/json", json.dumps(content).encode())

    def _send(self, status: int, kind: str, content: bytes, **headers: str) -> None:
        self.send_response(status)
        headers |= {"Content-Type": kind, "Content-Length": str(len(content)), "X-Repo-Commit": COMMIT}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _blob(content: bytes) -> dict:
    return {"oid": hashlib.sha1(content).hexdigest(), "size": len(content)}
