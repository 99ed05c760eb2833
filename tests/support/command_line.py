"""`babylogue` as one types it."""

import os
import subprocess
import sys
from pathlib import Path

from support.project import PROJECT


def babylogue(
    *arguments, folder: Path = PROJECT, given: str | None = None, **environment: str
) -> subprocess.CompletedProcess:
    """Run it in a copy of the project with the copy's library; `given` is its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "babylogue", *map(str, arguments)],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": str(folder / "scripts"), "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}
        | environment,
        input=given,
        capture_output=True,
        text=True,
    )


def refused(*arguments, status: int = 1, **options) -> str:
    """What it says when it ends with `status`: one line, without what argparse says of usage."""
    done = babylogue(*arguments, **options)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1 or status == 2, done.stderr
    return lines[-1]
