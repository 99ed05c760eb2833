"""What a command prints: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from ..logs import logger

WIDE = 100_000  # columns of what is no terminal: a row is a line, however long


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: fitted to a terminal, plain lines elsewhere. Columns of numbers stand to the right."""
    # Slow to load.
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(map(str, row)) for row in rows]
    terminal = sys.stdout.isatty()
    table = Table(box=SIMPLE_HEAD if terminal else None, pad_edge=False)
    for number, column in enumerate(columns):
        numbers = all(row[number][:1] in "-+.0123456789" for row in rows)
        words = any(" " in row[number] for row in rows)  # where a narrow terminal breaks the line
        table.add_column(Text(column), justify="right" if numbers else "left", overflow="fold", no_wrap=not words)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(width=None if terminal else WIDE, highlight=False)
    if terminal:
        console.print(table)
    else:
        with console.capture() as printed:
            console.print(table)
        print("\n".join(line.rstrip() for line in printed.get().splitlines()))


def note(text: str) -> None:
    """Print a line for people beside the output, to standard error."""
    logger.info("%s", text)


def print_json(content: Any) -> None:
    """Print one JSON value; what has to be a number and is none is null."""
    print(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
