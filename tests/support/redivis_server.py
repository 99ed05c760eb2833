"""A server on loopback that answers as Redivis' API does, on made-up tables, and can be made to fail.

Queries are run by SQLite; their rows are streamed in Arrow batches, chunked, from any row on, and end with an
empty batch. What the next answers to a part of the API do wrong is queued with `fail`.
"""

import gzip
import json
import sqlite3
import threading
import time
from collections import defaultdict, deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa

TOKEN = "token-of-a-test-0123456789"
NO_ACCESS = "token-without-data-access"
DATASET = "datapages.childes_db:b6q6"
_TYPES = defaultdict(
    pa.string,
    {name: pa.int64() for name in ("transcript_id", "target_child_id", "utterance_order")}
    | {"target_child_age": pa.float64()},
)
_TRANSCRIPT = "id, collection_name, corpus_name, filename, target_child_id, target_child_age"
_UTTERANCE = "transcript_id, utterance_order, speaker_code, speaker_role, type, gloss"


class Redivis:
    """The dataset in version 1.4, and what was asked of it."""

    def __init__(self, transcripts: list[tuple], utterances: list[tuple]):
        """Rows in the order of _TRANSCRIPT and _UTTERANCE."""
        self.tables = sqlite3.connect(":memory:", check_same_thread=False)
        for name, columns, rows in (
            ("transcript", _TRANSCRIPT, transcripts),
            ("utterance", _UTTERANCE, utterances),
        ):
            self.tables.execute(f"CREATE TABLE {name} ({columns})")
            marks = ", ".join("?" * (columns.count(",") + 1))
            self.tables.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        self.batch_rows = 4
        self.streams = 1
        self.compressed = False
        self.missing_rows = 0
        """Rows that a read session promises and no stream has."""
        self.requests: list[tuple[str, dict]] = []
        """Path and parameters of every request."""
        self.results: dict[str, pa.Table] = {}
        self.errors: dict[str, str] = {}
        self.polls: defaultdict[str, int] = defaultdict(int)
        self._faults: defaultdict[str, deque] = defaultdict(deque)
        self._forever: dict[str, tuple] = {}

    def fail(self, part: str, fault: str, *details, times: int | None = 1) -> None:
        """Let the next answers to `part` go wrong; None: all.

        Parts: datasets, queries, readSessions, readStreams, or one stream, such as readStreams/2-0.

        Faults: status (code, headers, body), cut (whole batches before it), ends (whole batches before it, with
        all that HTTP wants), silence (seconds), page, elsewhere (url).
        """
        if times is None:
            self._forever[part] = (fault, *details)
        else:
            self._faults[part].extend([(fault, *details)] * times)

    def fault(self, *parts: str) -> tuple | None:
        """What the answer at hand, which is of all these parts, does wrong."""
        for part in parts:
            if self._faults[part]:
                return self._faults[part].popleft()
            if part in self._forever:
                return self._forever[part]
        return None

    def asked(self, part: str) -> list[dict]:
        """Parameters of all requests to a part of the API."""
        return [parameters for path, parameters in self.requests if part in path]

    def run(self, sql: str) -> str:
        """Run a query; returns its number."""
        number = str(len(self.polls) + 1)
        self.polls[number] = 0
        try:
            cursor = self.tables.execute(sql)
            names = [column[0] for column in cursor.description]
            columns = list(zip(*cursor.fetchall(), strict=True)) or [[]] * len(names)
            arrays = [pa.array(values, _TYPES[name]) for name, values in zip(names, columns, strict=True)]
            self.results[number] = pa.table(dict(zip(names, arrays, strict=True)))
        except sqlite3.Error as error:
            self.errors[number] = f"Syntax error: {error}"
        return number

    def part(self, stream: str) -> pa.Table:
        """The rows of one of the streams of a result: `1-0`."""
        number, index = stream.split("-")
        table = self.results[number]
        size = -(-len(table) // self.streams)
        return table.slice(int(index) * size, size)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    redivis: Redivis

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._answer({})

    def do_POST(self):
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}"))

    def _answer(self, body: dict) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.redivis.requests.append((url.path, query | body | {"authorization": self.headers["Authorization"]}))
        parts = [unquote(part) for part in url.path.removeprefix("/api/v1/").split("/")]
        fault = self.redivis.fault("/".join(parts), parts[2] if len(parts) > 2 else parts[0])
        if fault and fault[0] not in ("cut", "ends"):
            self._go_wrong(*fault)
        elif self.headers["Authorization"] == f"Bearer {NO_ACCESS}":
            self._error(403, "insufficient_scope", "The token lacks the scope data.data")
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            # A careless server: it repeats what it was given.
            self._error(401, "invalid_token", f"Invalid credentials: {self.headers['Authorization']}")
        else:
            {"datasets": self._dataset, "queries": self._query, "readStreams": self._stream}[parts[0]](
                parts[1:], query | body, fault
            )

    def _go_wrong(self, fault: str, *details) -> None:
        if fault == "status":
            code, headers, body = [*details, {}, {}][:3]
            self._send(code, json.dumps(body).encode(), headers)
        elif fault == "page":
            self._send(200, b"<html>please log in to the network</html>", {"Content-Type": "text/html"})
        elif fault == "elsewhere":
            self._send(302, b"", {"Location": details[0]})
        else:
            time.sleep(details[0])
            self.close_connection = True

    def _dataset(self, parts, *_) -> None:
        if parts[0] != f"{DATASET}:v1.4":
            self._error(404, "not_found", "No dataset was found")
        else:
            self._json({"kind": "dataset", "qualifiedReference": parts[0]})

    def _query(self, parts, body, _) -> None:
        redivis = self.redivis
        if not parts:
            number = redivis.run(body["query"])
            self._json({"kind": "query", "id": number, "uri": f"/queries/{number}", "status": "queued"})
        elif parts[1:] == ["readSessions"]:
            rows = len(redivis.results[parts[0]])
            streams = [{"id": f"{parts[0]}-{index}"} for index in range(redivis.streams)]
            self._json({"streams": streams, "numRows": rows + redivis.missing_rows})
        else:
            number = parts[0]
            redivis.polls[number] += 1
            done = "failed" if number in redivis.errors else "completed"
            status = "running" if redivis.polls[number] == 1 else done
            error = redivis.errors.get(number)
            self._json({"id": number, "uri": f"/queries/{number}", "status": status, "errorMessage": error})

    def _stream(self, parts, query, fault) -> None:
        table = self.redivis.part(parts[0]).slice(int(query["offset"]))
        whole = fault[1] if fault else None
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apache.arrow.stream")
        self.send_header("Transfer-Encoding", "chunked")
        if self.redivis.compressed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        chunks = _Chunks(self.wfile)
        sink = gzip.GzipFile(fileobj=chunks, mode="wb") if self.redivis.compressed else chunks
        writer = pa.ipc.new_stream(pa.PythonFile(sink, "w"), table.schema)
        for number, batch in enumerate(table.to_batches(max_chunksize=self.redivis.batch_rows)):
            if number == whole:
                break
            writer.write_batch(batch)
        if not fault:
            writer.write_batch(pa.RecordBatch.from_pylist([], schema=table.schema))
            writer.close()
        elif fault[0] == "cut":
            # Half of something that would have been a batch.
            sink.write(b"\xff\xff\xff\xff\x80\x00\x00\x00\x10")
            self.close_connection = True
            return
        sink.close()
        self.wfile.write(b"0\r\n\r\n")

    def _json(self, answer: dict) -> None:
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, error: str, description: str) -> None:
        answer = {"status": status, "error": error, "error_description": description}
        self._send(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Chunks:
    """A file that sends what is written to it as chunks."""

    closed = False

    def __init__(self, file):
        self._file = file

    def write(self, data) -> int:
        if len(data):  # an empty chunk is the last one
            self._file.write(f"{len(data):x}\r\n".encode() + bytes(data) + b"\r\n")
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        pass


@contextmanager
def serving(redivis: Redivis):
    """The URL of the API for as long as the server runs."""
    handler = type("Handler", (_Handler,), {"redivis": redivis})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/v1"
        finally:
            server.shutdown()
            thread.join()
