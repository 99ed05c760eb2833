"""Benchmark files as records, each field checked; errors name file, line and field and quote no text."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import UserError
from ..user_files import json_lines, read_text


def read_jsonl(paths: Iterable[Path], fields: dict[str, type | tuple]) -> Iterator[tuple[Path, int, dict]]:
    """Yield (path, line number from 1, record) of JSON-lines files; empty lines are skipped.

    `fields` maps each required field to its type. Raises UserError for a line that is no JSON object, a missing
    field, a wrong type or an empty string.
    """
    for path in paths:
        for number, record in json_lines(read_text(path), str(path)):
            check_record(record, fields, f"{path}, line {number}")
            yield path, number, record


def check_record(record, fields: dict[str, type | tuple], place: str) -> None:
    """Raise UserError unless `record` is an object with each field of its type and no empty string."""
    if not isinstance(record, dict):
        raise UserError(f"{place}: not a JSON object")
    for field, kind in fields.items():
        if field not in record:
            raise UserError(f"{place}: field {field!r} is missing")
        value = record[field]
        if not isinstance(value, kind) or isinstance(value, bool):
            names = [one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,))]
            raise UserError(f"{place}: field {field!r} is {type(value).__name__}, expected {' or '.join(names)}")
        if isinstance(value, str) and not value.strip():
            raise UserError(f"{place}: field {field!r} is empty")
