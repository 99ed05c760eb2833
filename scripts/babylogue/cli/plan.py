"""What Snakemake would do: the jobs of a dry run with their reasons, and every file that the workflow wants."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import UserError

_RULE = re.compile(r"(?:local)?(?:rule|checkpoint) (\S+):")
_TOTAL = re.compile(r"^total +(\d+)$", re.MULTILINE)
_DONE = "Nothing to be done"
_LOCKED = "cannot be locked"
_NO_MATTER = ("Using ", "Config file ", "Assuming ", "Building DAG", "host:", "WorkflowError:")


class Job(NamedTuple):
    """A job that is left to do; `benchmark` is empty for one that leaves none."""

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    benchmark: str
    threads: int
    reason: str


class Plan(NamedTuple):
    """The jobs left, every wanted file and whether it exists, what the workflow warns of, and if it is locked."""

    jobs: list[Job]
    files: dict[str, bool]
    warnings: list[str]
    locked: bool


def read_plan(configfiles: Sequence[str], cores: int) -> Plan:
    """Ask Snakemake in the current folder, without changing anything.

    Raises:
        UserError: there is no Snakefile, or Snakemake ends with an error, which is in the message.
    """
    if not Path("Snakefile").is_file():
        raise UserError("no Snakefile in this folder; run babylogue status where you run snakemake")
    for file in configfiles:
        if not Path(file).is_file():
            raise UserError(f"--configfile {file}: there is no such file")
    configured = ["--configfile", *configfiles] if configfiles else []
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *configured, "--nocolor"]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}  # an error is told by what Snakemake prints
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # Side by side: each takes seconds to read the workflow.
    asked = [
        subprocess.Popen([*command, question], env=environment, **piped) for question in ("--dry-run", "--summary")
    ]
    (dry_run, told), (summary, _) = [process.communicate() for process in asked]
    if any(process.returncode for process in asked):
        raise UserError(f"snakemake: {_error(dry_run + told)}")
    warnings = [line for line in (dry_run + told).splitlines() if " is left out: " in line]
    return Plan(_jobs(dry_run), _files(summary), warnings, _LOCKED in dry_run + told)


def _jobs(dry_run: str) -> list[Job]:
    """The jobs that a dry run lists, without the one that makes nothing, the target."""
    found: list[dict[str, str]] = []
    for line in map(str.strip, dry_run.splitlines()):
        if started := _RULE.fullmatch(line):
            found.append({"rule": started[1]})
        elif found and ": " in line:
            key, value = line.split(": ", 1)
            found[-1].setdefault(key, value)
    total = _TOTAL.search(dry_run)
    if len(found) != (int(total[1]) if total else 0) or not (found or _DONE in dry_run):
        raise UserError("snakemake: its dry run lists other jobs than it counts; is `quiet` set in your profile?")
    return [
        Job(
            own["rule"],
            _names(own.get("input")),
            _names(own["output"]),
            own.get("benchmark", ""),
            int(own.get("threads", 1)),
            own.get("reason", ""),
        )
        for own in found
        if "output" in own
    ]


def _names(listed: str | None) -> tuple[str, ...]:
    return tuple(listed.split(", ")) if listed else ()


def _files(summary: str) -> dict[str, bool]:
    """File -> whether it exists."""
    rows = (line.split("\t") for line in summary.splitlines() if line.count("\t") == 5)
    return {row[0]: row[1] != "-" for row in rows if row[0] != "output_file"}


def _error(told: str) -> str:
    """What went wrong as one line."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    if any(line.startswith("Traceback") for line in lines):
        return lines[-1]
    return " ".join(line for line in lines if not line.startswith(_NO_MATTER))[-500:]
