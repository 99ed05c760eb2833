"""`babylogue COMMAND`: what one does with models and results beside the workflow.

A command is a module of this package with HELP, a line; EXAMPLES; `add_arguments(parser)`; and `run(arguments)`,
which returns the exit status. It is imported only when it is asked for, since torch takes seconds.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from importlib import import_module

from ..errors import UserError
from ..logs import console_log
from .output import note

COMMANDS = ("chat", "score", "compare", "status")
FAILED = 1  # a user's mistake in a file or name; argparse ends with 2 where the arguments are wrong
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, FAILED, INTERRUPTED or what the command says."""
    with console_log() as terminal:
        parser = _parser()
        with redirect_stderr(terminal):  # where argparse says what is wrong with the arguments
            parsed = parser.parse_args(arguments)
        try:
            status = parsed.run(parsed)
            sys.stdout.flush()
            return status
        except UserError as error:
            note(f"babylogue: {error}")
            return FAILED
        except BrokenPipeError:  # what reads the output has had enough, as head has
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        except KeyboardInterrupt:
            return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("babylogue", description="Work with the models and results of Babylogue.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        command = import_module(f".{name}", __package__)
        own = subparsers.add_parser(
            name,
            help=command.HELP,
            description=command.HELP,
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(own)
        own.set_defaults(run=command.run)
    return parser
