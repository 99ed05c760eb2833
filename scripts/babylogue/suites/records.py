"""Benchmark files as records, each field checked; errors name file, line and field and quote no text."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import UserError


def read_jsonl(paths: Iterable[Path], fields: dict[str, type | tuple]) -> Iterator[tuple[Path, int, dict]]:
    """Yield (path, line number from 1, record) of JSON-lines files; empty lines are skipped.

    `fields` maps each required field to its type. Raises UserError for a line that is no JSON object, a missing
    field, a wrong type or an empty string.
    """
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except json.JSONDecodeError as error:
                    raise UserError(f"{path}, line {number}: not JSON ({error.msg})") from error
                check_record(record, fields, f"{path}, line {number}")
                yield path, number, record


def read_json_list(path: Path, fields: dict[str, type | tuple]) -> list[dict]:
    """A JSON file that is a list of records, checked as in `read_jsonl` (entries are counted from 1)."""
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
    if not isinstance(records, list):
        raise UserError(f"{path}: expected a list of objects with the fields {', '.join(fields)}")
    for number, record in enumerate(records, start=1):
        check_record(record, fields, f"{path}, entry {number}")
    return records


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
