"""Dry runs of Snakemake in processes that have its libraries already, which halves their time.

A server that has imported them forks one for each dry run. It knows nothing of the project: the copy that is run
in brings its own library.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pandas", "pydantic", "pylangacq", "snakemake.api", "snakemake.cli"])


def dry_run(arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
    """`snakemake` with `arguments` in `folder`, stdout and stderr together in `.stdout`."""
    with tempfile.NamedTemporaryFile("r") as output:
        process = _CONTEXT.Process(target=_snakemake, args=(arguments, folder, environment, output.name))
        process.start()
        process.join()
        return subprocess.CompletedProcess(["snakemake", *arguments], process.exitcode, output.read())


def _snakemake(arguments: tuple[str, ...], folder: Path, environment: dict[str, str], output: str) -> None:
    file = os.open(output, os.O_WRONLY)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
    sys.dont_write_bytecode = True
    sys.argv = ["snakemake", *arguments]

    from snakemake.cli import main

    main(list(arguments))
