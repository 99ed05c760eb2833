"""What YAML makes easy to get wrong in a configuration file: doubled keys, odd numbers, names that are no text."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from .errors import UserError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Numbers of YAML 1.1 that nobody means: 010 is 8 (octal), 1:30 is 90 (base 60).
_ODD_NUMBER = re.compile(r"[-+]?(0[0-7_]+|[\d_]+(:[0-5]?\d)+(\.[\d_]*)?)")


def check_files(files: Iterable[str | Path]) -> None:
    """Look through configuration files that YAML can read.

    Raises:
        UserError: a key stands twice in one table, of which YAML silently takes the last, or a number is octal or
            of base 60. The line names the file and the line in it.
    """
    for file in files:
        try:
            root = yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=_Loader)
        except yaml.YAMLError:
            continue  # JSON that is no YAML; Snakemake tells of all others
        _check(root, str(file))


def check_names(value: Any, *place: str) -> None:
    """Raise UserError for a key of a table, however deep, that YAML reads as a boolean, number, date or null."""
    if isinstance(value, list):
        value = {str(index): item for index, item in enumerate(value)}
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                where = f"{'.'.join(place)}: " if place else ""
                raise UserError(
                    f"{where}a name that YAML reads as {name}, not as text (no, off, yes and on are booleans); "
                    "put it in quotes"
                )
            check_names(item, *place, name)


def _check(node: yaml.Node | None, file: str, *place: str) -> None:
    """Check a node and all below it; `place` are the keys that lead to it."""
    if isinstance(node, yaml.MappingNode):
        first_lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if first := first_lines.get(name):
                raise UserError(
                    f"{file}, line {line}: {'.'.join([*place, name])}: the key stands in line {first} already; "
                    "keep one of the two"
                )
            first_lines[name] = line
            _check(value, file, *place, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _check(item, file, *place, str(index))
    elif node and node.tag.endswith((":int", ":float")) and _ODD_NUMBER.fullmatch(node.value):
        raise UserError(
            f"{file}, line {node.start_mark.line + 1}: {'.'.join(place)}: YAML reads {node.value} as "
            f"{yaml.safe_load(node.value)}; write that number, or put it in quotes if it is text"
        )
