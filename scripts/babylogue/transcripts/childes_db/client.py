"""Fetching childes-db: a thin client of Redivis' REST API (https://docs.redivis.com/api/rest-api).

A SQL query on one version of the dataset selects the rows, a read session on its result names streams of Arrow
batches. A stream can be begun at any row, so a cut one is resumed where it broke, and it ends with an empty batch
(`eosSentinel`), without which it was cut. The token comes from the environment and goes nowhere but into the
Authorization header.
"""

import io
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import requests
import urllib3

from ...errors import UserError
from ...logs import logger, progress
from ...network.patience import retry_after_s, wait_before_next
from . import RAW_SCHEMA
from .settings import ChildesDbSettings

TOKEN = "REDIVIS_API_TOKEN"
_KEY = "transcripts.childes_db"
_DATASETS = "/datasets/"
_ROWS_PER_GROUP = 100_000
_BUFFER_BYTES = 1 << 16  # what a cut stream may lose of the rows that have come
# What a stream that breaks while it is read may raise; a cut Arrow message is ArrowInvalid.
_CUT = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, pa.ArrowInvalid)
_COLUMNS = """t.corpus_name AS corpus, t.id AS transcript_id, t.filename, t.target_child_id, t.target_child_age,
    u.utterance_order, u.speaker_code, u.speaker_role, u.type, u.gloss"""


def fetch(settings: ChildesDbSettings, file: Path) -> None:
    """Download the utterances of the wanted corpora into `file` (parquet, RAW_SCHEMA), whole or not at all.

    The rows go to disk batch by batch, whatever their number.

    Raises:
        UserError: no token or one that Redivis refuses, no access, no such version, collection or corpus, a query
            that fails, or a server that does not answer as it should, however often it is asked.
    """
    redivis = Redivis(settings, _token())
    redivis.check_version()
    _check_names(redivis, settings)
    result = redivis.query(
        f"SELECT {_COLUMNS} FROM utterance AS u JOIN transcript AS t ON t.id = u.transcript_id "
        f"WHERE t.collection_name IN ({_literals(settings.collections)})"
        + (f" AND t.corpus_name IN ({_literals(settings.corpora)})" if settings.corpora else "")
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    try:
        rows = _write(redivis.rows(result), partial)
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    logger.info("childes-db, dataset version %s: %d utterances fetched", settings.version, rows)


class Redivis:
    """SQL queries on one version of a dataset; every method raises UserError where Redivis does not answer."""

    def __init__(self, settings: ChildesDbSettings, token: str) -> None:
        self._settings = settings
        self._token = token
        self._dataset = f"{settings.dataset}:v{settings.version}"
        self._timeout = (settings.connect_timeout_s, settings.read_timeout_s)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "babylogue"
        # As `auth`, since requests takes that off when it is sent on to another host, and ~/.netrc cannot
        # replace it.
        self._session.auth = _bearer(token)

    def check_version(self) -> None:
        """Raise UserError if the dataset has no such version, or the token does not see it."""
        self._json("GET", _DATASETS + quote(self._dataset, safe=""))

    def query(self, sql: str) -> str:
        """Run a query (BigQuery's SQL) to its end; returns the path of its result."""
        # 0: the answer comes at once, and not only when the query is done or a timeout of ours is over.
        body = {"query": sql, "defaultDataset": self._dataset, "timeoutMs": 0}
        query = self._json("POST", "/queries", "status", "uri", body=body)
        deadline = time.monotonic() + self._settings.query_timeout_s
        while (status := query["status"]) != "completed":
            url = self._settings.api_url + query["uri"]
            if status in ("failed", "cancelled"):
                raise UserError(
                    f"{url}: the query {status}: {self._clean(query.get('errorMessage') or 'no reason')}"
                )
            if time.monotonic() > deadline:
                raise UserError(
                    f"{url}: the query is {status} after {self._settings.query_timeout_s:g} s; try later, or "
                    f"raise {_KEY}.query_timeout_s"
                )
            time.sleep(self._settings.poll_s)
            query = self._json("GET", query["uri"], "status", "uri")
        return query["uri"]

    def rows(self, result: str) -> Iterator[pa.RecordBatch]:
        """The rows of a query's result, batch by batch."""
        body = {"format": "arrow", "requestedStreamCount": 1}
        session = self._json("POST", f"{result}/readSessions", "streams", "numRows", body=body)
        expected, rows = int(session["numRows"]), 0
        with progress(total=expected, description="rows", unit="row") as bar:
            for stream in session["streams"]:
                for batch in self._stream(f"/readStreams/{stream['id']}"):
                    rows += batch.num_rows
                    bar.update(batch.num_rows)
                    yield batch
        if rows != expected:
            raise UserError(
                f"{self._settings.api_url}{result}: {rows} rows came instead of {expected}; run the rule again"
            )

    def _stream(self, path: str) -> Iterator[pa.RecordBatch]:
        """One stream, resumed where it breaks."""
        offset = failures = 0
        while True:
            try:
                for batch in self._batches(path, offset):
                    if not batch.num_rows:
                        return
                    yield batch
                    offset += batch.num_rows
                    failures = 0
                reason = "the stream stopped before its end mark"
            except _CUT as error:
                reason = self._clean(_cause(error))
            failures += 1
            wait_before_next(self._settings.api_url + path, reason, failures, None, self._settings)

    def _batches(self, path: str, offset: int) -> Iterator[pa.RecordBatch]:
        parameters = {"offset": offset, "eosSentinel": "true"}
        with closing(self._request("GET", path, params=parameters, stream=True)) as response:
            response.raw.decode_content = True
            # Arrow asks once more after the last byte, which must not find a closed file.
            response.raw.auto_close = False
            with pa.ipc.open_stream(io.BufferedReader(response.raw, _BUFFER_BYTES)) as reader:
                yield from reader

    def _json(self, method: str, path: str, *needed: str, body: dict | None = None) -> dict:
        """A JSON answer that has the needed fields."""
        response = self._request(method, path, json=body)
        try:
            answer = response.json()
            if all(field in answer for field in needed):
                return answer
        except (requests.JSONDecodeError, TypeError):
            pass
        text = self._clean(response.text)
        raise UserError(f"{self._settings.api_url}{path}: no answer of Redivis: {text}; check {_KEY}.api_url")

    def _request(self, method: str, path: str, **options) -> requests.Response:
        """One answer, after repeats where the server is away, too busy or broken."""
        url = self._settings.api_url + path
        failures = 0
        while True:
            asked = None
            try:
                response = self._session.request(method, url, timeout=self._timeout, **options)
            except requests.RequestException as error:
                reason = self._clean(_cause(error))
            else:
                if response.ok:
                    return response
                reason = f"HTTP {response.status_code}, {self._message(response)}"
                if response.status_code != 429 and response.status_code < 500:
                    raise UserError(self._refusal(url, response.status_code, reason))
                asked = retry_after_s(response.headers.get("Retry-After"))
            failures += 1
            wait_before_next(url, reason, failures, asked, self._settings)

    def _refusal(self, url: str, status: int, reason: str) -> str:
        """What to do about an answer that no repeat would change."""
        todo = {
            401: f"{TOKEN} holds no valid token: create one in your workspace's settings at redivis.com",
            403: f"the token in {TOKEN} has no access: give it the scope data.data at redivis.com, and see on the "
            "dataset's page there whether access must be asked for",
            404: f"{_KEY}.version: no {self._dataset} that the token sees; version 1.4 is childes-db 2026.1"
            if _DATASETS in url
            else "it is gone; run the rule again",
        }
        return f"{url}: {reason}; {todo.get(status, 'see https://docs.redivis.com/api')}"

    def _message(self, response: requests.Response) -> str:
        """The server's own words: {error, error_description}, or as older answers had it {error: {message}}."""
        try:
            answer = response.json()
            error = answer.get("error")
            words = answer.get("error_description") or (error.get("message") if isinstance(error, dict) else error)
        except (requests.RequestException, AttributeError):
            words = None
        return self._clean(str(words or response.reason or "no reason"))

    def _clean(self, words: str) -> str:
        """What others wrote as one short line; a server may have repeated the token."""
        return " ".join(words.replace(self._token, "[token]").split())[:200]


def _token() -> str:
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise UserError(
            f"{TOKEN} is not set: childes-db needs a free account at redivis.com; create an API token with data "
            f"access (scope data.data) in your workspace's settings there and set {TOKEN} to it"
        )
    if not re.fullmatch(r"[!-~]+", token):
        raise UserError(f"{TOKEN} holds blanks or characters that no token has; copy the token again")
    return token


def _bearer(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _cause(error: BaseException) -> str:
    """What broke a request or a stream, in the words of the innermost exception, the only plain ones."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    if isinstance(error, TimeoutError):
        return "no answer in time"
    broken = "not a whole Arrow stream" if isinstance(error, pa.ArrowException) else "the connection broke"
    return f"{broken} ({error or type(error).__name__})"


def _literals(names: list[str]) -> str:
    """Names as SQL string literals."""
    return ", ".join("'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'" for name in names)


def _check_names(redivis: Redivis, settings: ChildesDbSettings) -> None:
    """Raise UserError for a collection or corpus that this version lacks, before a gigabyte is downloaded."""
    batches = redivis.rows(redivis.query("SELECT DISTINCT collection_name, corpus_name FROM transcript"))
    pairs = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    known = {"collections": {collection for collection, _ in pairs}}
    known["corpora"] = {corpus for collection, corpus in pairs if collection in settings.collections}
    for key, wanted in (("collections", settings.collections), ("corpora", settings.corpora or [])):
        if missing := sorted(set(wanted) - known[key]):
            raise UserError(
                f"{_KEY}.{key}: dataset version {settings.version} has no {', '.join(missing)}; it has "
                f"{', '.join(sorted(filter(None, known[key])))}"
            )


def _write(batches: Iterator[pa.RecordBatch], file: Path) -> int:
    """Write batches as row groups of a fair size, as they come; returns the number of rows."""
    rows = waiting = 0
    group: list[pa.RecordBatch] = []
    with pq.ParquetWriter(file, RAW_SCHEMA, compression="zstd") as writer:
        for batch in batches:
            group.append(_conform(batch))
            waiting += batch.num_rows
            rows += batch.num_rows
            if waiting >= _ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_batches(group))
                group, waiting = [], 0
        if group:
            writer.write_table(pa.Table.from_batches(group))
    return rows


def _conform(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch in the order and types of RAW_SCHEMA."""
    try:
        return batch.select(RAW_SCHEMA.names).cast(RAW_SCHEMA)
    except (KeyError, pa.ArrowException) as error:
        raise UserError(f"{_KEY}.dataset: the rows do not have childes-db's columns ({error})") from error
