"""Files that people bring: text, CSV, JSON and JSON lines, read strictly.

Text is UTF-8, with or without a byte order mark. A line ends at \\n or \\r\\n; str.splitlines() would break it at
U+2028, U+0085 and form feeds too, which are characters of a text like any other.

Every function raises UserError for a file that is not what it should be: one line that names the file, the line
in it where there is one, and what is wrong.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import UserError

_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SURROGATE = re.compile("[\ud800-\udfff]")
# The escape of one half of a character, where the other half does not stand beside it.
_LONE_ESCAPE = re.compile(
    r"\\u(?:d[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2}\\u)d[c-f][0-9a-f]{2})", re.IGNORECASE
)
_QUOTES = 'write a text with a comma or quotes in quotes, its own quotes doubled: "she said ""hi"", yes ."'


class _RepeatedKey(ValueError):
    """A JSON object has two values of one name."""


def read_text(path: Path) -> str:
    """The text of a file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: it cannot be read: {error.strerror}") from error
    return decode(content, str(path))


def decode(content: bytes, name: str) -> str:
    """The text of a file's bytes; `name` is the file's, for messages."""
    if content.startswith(_UTF_16_MARKS):
        raise UserError(f"{name}: it is not UTF-8 but UTF-16; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{name}, line {line}: it is not UTF-8; save the file as that") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{name}, line {line}: a NUL character, which no text has; save the file as UTF-8 text")
    return text


def split_lines(text: str, name: str) -> list[str]:
    """The lines of a text without their ends."""
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    for number, line in enumerate(lines, start=1):
        if "\r" in line.rstrip("\r"):
            raise UserError(f"{name}, line {number}: a carriage return inside of it; end lines with a line feed")
    return lines


def parse_json(text: str, name: str, line: int = 1) -> Any:
    """The value of a JSON text that begins in a line of the file `name`.

    Stricter than json.loads: an object that names a field twice, and half a character (a lone surrogate, which
    no tokenizer or file takes), are refused.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique_fields)
    except json.JSONDecodeError as error:
        raise UserError(f"{name}, line {line + error.lineno - 1}: not JSON ({error.msg})") from error
    except _RepeatedKey as error:
        raise UserError(f"{name}, line {line}: an object has the field {error} twice; remove one") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name}, line {line}: a number is too long, or values are nested too deep") from error
    if "\\u" in text and (half := _SURROGATE.search(json.dumps(value, ensure_ascii=False))):
        escape = _LONE_ESCAPE.search(text)
        line += text.count("\n", 0, escape.start()) if escape else 0
        raise UserError(
            f"{name}, line {line}: \\u{ord(half[0]):x} is half a character without its other half; "
            "write the character itself, or remove it"
        )
    return value


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _RepeatedKey(repr(_repeated([name for name, _ in pairs])))
    return fields


def _repeated(names: list[str]) -> str | None:
    """The first name that stands twice."""
    return next((name for name, uses in Counter(names).items() if uses > 1), None)


def json_lines(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, value) of JSON lines; empty lines are skipped."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, parse_json(line, name, number)


def check_header(names: list[str], name: str) -> None:
    """Refuse a table of which two columns have one name, so that one would hide the other."""
    repeated = _repeated(names)
    if repeated is not None:
        column = f"names the column {repeated!r} twice" if repeated else "has several columns without a name"
        raise UserError(f"{name}: the header {column}; rename or remove one")


def csv_rows(text: str, name: str, delimiter: str = ",") -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield (line number, column -> cell) of a table with a header; empty lines are skipped.

    Names of columns are stripped. A cell that its row is too short for is None.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        check_header(header, name)
        for cells in reader:
            if len(cells) > len(header):
                raise UserError(f"{name}, line {reader.line_num}: more cells than the header; {_QUOTES}")
            if cells:
                yield reader.line_num, dict.fromkeys(header) | dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise UserError(f"{name}, line {reader.line_num}: {error}; {_QUOTES}") from error


def read_table(path: Path, **options):
    """A CSV file as pandas reads it with these options of read_csv, its header checked."""
    import pandas as pd  # slow to load; the command line shows its help without

    text = read_text(path)
    try:
        check_header(next(csv.reader(io.StringIO(text, newline="")), []), str(path))
        return pd.read_csv(io.StringIO(text, newline=""), **options)
    except (ValueError, csv.Error) as error:  # pandas' own errors are ValueErrors
        raise UserError(f"{path}: not a CSV table: {str(error).splitlines()[0].strip()}") from error


def read_records(path: Path) -> list[dict]:
    """The records of a .csv file, or of one with JSON: a list of objects, or an object a line."""
    text, name = read_text(path), str(path)
    if path.suffix.lower() == ".csv":
        return [row for _, row in csv_rows(text, name)]
    if text.lstrip().startswith("["):
        numbered, place = enumerate(parse_json(text, name), start=1), "entry"
    else:
        numbered, place = json_lines(text, name), "line"
    records = []
    for number, record in numbered:
        if not isinstance(record, dict):
            raise UserError(f"{name}, {place} {number}: not a JSON object")
        records.append(record)
    return records
