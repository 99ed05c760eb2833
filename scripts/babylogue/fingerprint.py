"""What code a rule's result depends on, as one digest that changes with behaviour and not with comments.

Snakemake sees a rule's script but not the modules that the script imports. A rule therefore carries the
fingerprint of its script as a parameter; a change in any module reached from it reruns the rule.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

_LIBRARY = Path(__file__).parent
_PACKAGE = _LIBRARY.name
# What these say to the person at the keyboard is in no result, so that better words rerun nothing.
_SAYING = tuple(_LIBRARY / name for name in ("errors.py", "logs.py", "mishaps.py"))


@cache
def fingerprint(script: Path, *modules: str) -> str:
    """Digest of a script, of further modules by dotted name, and of every library module that they import.

    Imports inside functions count; comments, docstrings, layout and the modules that only say something do not.
    """
    lines = sorted(f"{path.name} {_read(path)[0]}" for path in files(script, *modules))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def files(script: Path, *modules: str) -> set[Path]:
    """A script, further modules by dotted name, and every library module that they import, over whatever way."""
    found: set[Path] = set()
    waiting = [Path(script), *(path for module in modules for path in _module_files(module.split(".")))]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_read(path)[1])
    return found


def behaviour(*modules: str) -> str:
    """Digest of library modules by dotted name below the package, without what they import."""
    named = {name: _LIBRARY.joinpath(*name.split(".")).with_suffix(".py") for name in sorted(modules)}
    lines = [f"{name} {_read(file)[0]}" for name, file in named.items()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@cache
def _read(path: Path) -> tuple[str, tuple[Path, ...]]:
    """A file's digest and the library files that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    imported = tuple(file for name in _imported_names(tree, path) for file in _module_files(name))
    return hashlib.sha256(ascii(_plain(tree)).encode()).hexdigest(), imported


def _plain(value: Any) -> Any:
    """A syntax tree as nested tuples of names and constants, the same under every version of Python.

    `ast.unparse` and `ast.dump` differ between versions: in the quotes of f-strings, in empty fields, and in empty
    strings inside f-strings.
    """
    if isinstance(value, list):
        return tuple(_plain(item) for item in value if not _does_nothing(item))
    if not isinstance(value, ast.AST):
        return value
    if isinstance(value, ast.JoinedStr):
        value = ast.JoinedStr([part for part in value.values if getattr(part, "value", None) != ""])
    fields = [(name, _plain(field)) for name, field in ast.iter_fields(value)]
    return type(value).__name__, *(field for field in fields if field[1] not in (None, ()))


def _does_nothing(item: Any) -> bool:
    """Whether a statement is `pass` or a string on its own: a docstring, or the description of a field."""
    if isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant):
        return isinstance(item.value.value, str)
    return isinstance(item, ast.Pass)


def _imported_names(tree: ast.AST, path: Path) -> list[list[str]]:
    """Dotted names, as lists from the package on, of everything that may be a library module."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module.split(".") if node.module else []
            if node.level:
                here = [_PACKAGE, *path.parent.relative_to(_LIBRARY).parts]
                base = here[: len(here) - node.level + 1] + base
            names += [[*base, alias.name] for alias in node.names]
    return [name for name in names if name and name[0] == _PACKAGE]


def _module_files(name: list[str]) -> list[Path]:
    """The files that importing a dotted name runs; its last part may be no module but something in one."""
    files = []
    for length in range(1, len(name) + 1):
        stem = _LIBRARY.joinpath(*name[1:length])
        for file in (stem / "__init__.py", stem.with_suffix(".py")):
            if file.is_file() and file.is_relative_to(_LIBRARY) and file not in _SAYING:
                files.append(file)
                break
    return files
