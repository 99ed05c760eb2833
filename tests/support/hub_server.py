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
    """`files[repository, branch]` of models, `datasets[repository]`: path -> bytes.

    What is `gated`, a model or a dataset, wants TOKEN.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.private: dict[str, bool] = {}
        self.files: dict[tuple[str, str], dict[str, bytes]] = defaultdict(dict)
        self.read_only: set[str] = set()
        self.datasets: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()

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
            case ["api", "datasets", owner, name, *rest] if f"{owner}/{name}" in self.server.datasets:
                files = self.server.datasets[f"{owner}/{name}"]
                if rest[:1] == ["tree"]:
                    blobs = [{"type": "file", "path": path, **_blob(content)} for path, content in files.items()]
                    return self._json(200, blobs)
                siblings = [{"rfilename": path} for path in files]
                return self._json(200, {"id": f"{owner}/{name}", "sha": COMMIT, "siblings": siblings})
            case ["api", "models", owner, name, "auth-check"] if f"{owner}/{name}" in self.server.gated:
                return self._send(200, b"", "text/plain", {}) if self._let_in(f"{owner}/{name}") else None
            case ["datasets", owner, name, "resolve", _, *path] if f"{owner}/{name}" in self.server.datasets:
                return self._file(f"{owner}/{name}", "/".join(path))
        return self._send(404, b"", "text/plain", {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def _file(self, name: str, path: str) -> None:
        if not self._let_in(name):
            return None
        content = self.server.datasets[name].get(path)
        if content is None:
            return self._send(404, b"", "text/plain", {"X-Error-Code": "EntryNotFound"})
        headers = {"ETag": _blob(content)["oid"], "Accept-Ranges": "bytes"}
        return self._send(200, content, "application/octet-stream", headers)

    def _let_in(self, name: str) -> bool:
        """Whether the asker may read the repository; one who may not has got his answer."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if name not in self.server.gated or token == TOKEN:
            return True
        code = 403 if token in self.server.read_only else 401
        self._json(code, {"error": "Access is restricted"}, {"X-Error-Code": "GatedRepo"})
        return False

    def _json(self, status: int, content: dict | list, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), "application/json", headers or {})

    def _send(self, status: int, content: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(content)), "X-Repo-Commit": COMMIT, **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _blob(content: bytes) -> dict:
    return {"oid": hashlib.sha1(content).hexdigest(), "size": len(content)}
