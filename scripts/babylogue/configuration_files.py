"""Mistakes in a configuration file that no longer show once YAML has been read."""

import re
from collections.abc import Iterable
from pathlib import Path

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
            f"{yaml.load(node.value, _Loader)}; write that number, or put it in quotes if it is text"
        )
