"""A user's own sentences or minimal pairs, from CSV, TSV, JSON lines or plain text."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UserError
from ..user_files import csv_rows, decode, json_lines, read_text, split_lines

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}  # any other suffix is text
STDIN = "-"
_OTHER_NAMES = {"sentence_good": "good", "sentence_bad": "bad", "UID": "group"}  # those of BLiMP


class Record(NamedTuple):
    """One line of a file: its number from 1, and its columns."""

    line: int
    columns: dict[str, Any]


class Sentences(NamedTuple):
    """Sentences or pairs, checked: every field in `fields` is a string with something in it in every record."""

    name: str
    """Of the file, for messages."""
    fields: tuple[str, ...]
    """("sentence",) or ("good", "bad")."""
    records: list[Record]


def read_sentences(file: str, form: str | None = None) -> Sentences:
    """Read `file` (`-` is standard input) as `form`, csv, tsv, jsonl or text; without one as its suffix says.

    Raises:
        UserError: the file cannot be read, a column is missing, a line is malformed, a string is empty or the
            two of a pair are the same. It names the file, the line and the column.
    """
    name = "standard input" if file == STDIN else file
    form = form or FORMATS.get(Path(file).suffix.lower(), "text")
    text = decode(sys.stdin.buffer.read(), name) if file == STDIN else read_text(Path(file))
    records = list(_READERS[form](text, name))
    if not records:
        raise UserError(f"{name}: it holds no sentence")
    fields = ("good", "bad") if {"good", "bad"} & records[0].columns.keys() else ("sentence",)
    for record in records:
        _check(record, fields, f"{name}, line {record.line}")
    return Sentences(name, fields, records)


def _separated(text: str, name: str, delimiter: str) -> Iterator[Record]:
    for number, row in csv_rows(text, name, delimiter):
        yield Record(number, _renamed(row))


def _json_lines(text: str, name: str) -> Iterator[Record]:
    for number, record in json_lines(text, name):
        if not isinstance(record, dict):
            raise UserError(f'{name}, line {number}: not a JSON object, such as {{"sentence": "..."}}')
        yield Record(number, _renamed(record))


def _text_lines(text: str, name: str) -> Iterator[Record]:
    for number, line in enumerate(split_lines(text, name), start=1):
        if line.strip():
            yield Record(number, {"sentence": line.strip()})


_READERS = {
    "csv": partial(_separated, delimiter=","),
    "tsv": partial(_separated, delimiter="\t"),
    "jsonl": _json_lines,
    "text": _text_lines,
}


def _renamed(columns: dict) -> dict:
    """BLiMP's names as ours, where a file has not both."""
    return {
        _OTHER_NAMES[name] if name in _OTHER_NAMES and _OTHER_NAMES[name] not in columns else name: value
        for name, value in columns.items()
    }


def _check(record: Record, fields: tuple[str, ...], place: str) -> None:
    for field in fields:
        if field not in record.columns:
            raise UserError(
                f"{place}: no column {field!r} among {', '.join(record.columns)}; "
                "name them sentence, or good and bad, with an optional context"
            )
    for field in (*fields, "context"):
        value = record.columns.get(field) or ""
        if not isinstance(value, str):
            raise UserError(f"{place}: {field!r} is no text")
        if not value.strip() and field in fields:
            raise UserError(f"{place}: {field!r} is empty")
    if len(fields) > 1 and record.columns["good"] == record.columns["bad"]:
        raise UserError(f"{place}: good and bad are the same")
