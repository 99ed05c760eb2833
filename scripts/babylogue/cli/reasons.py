"""Why jobs are left to do, in a few words, from what Snakemake says of each."""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from .plan import Job, Plan

SHOWN = 3  # files or settings that are named, the others are counted
_DERIVED = "Input files updated by another job"
_SAID = {
    "Set of input files has changed": "it has other inputs than before",
    "Code has changed": "code changed",
    "Software environment definition has changed": "the software environment changed",
}
_PARAMS = re.compile(r"before: (?P<before>.*) now: (?P<now>.*)")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_STATE = re.compile(r"\d+ files [0-9a-f]{16}")
_PLAIN = re.compile(r"[\w.+-]{1,40}")


class Cause(NamedTuple):
    """What made a job necessary, and the first output of the job where it began; empty if `what` names a file."""

    file: str
    what: str


def causes(plan: Plan) -> Callable[[Job], tuple[Cause, ...]]:
    """-> a function from a job to its causes: its own, else those of the jobs that make its inputs anew."""
    makers = {file: job for job in plan.jobs for file in job.outputs}

    @cache
    def of(job: Job) -> tuple[Cause, ...]:
        if own := direct(job, plan.files):
            return tuple(own)
        derived = (makers[file] for file in _files(job.reason, _DERIVED) if file in makers)
        return tuple(dict.fromkeys(cause for maker in derived for cause in of(maker)))

    return of


def direct(job: Job, exists: Mapping[str, bool]) -> list[Cause]:
    """A job's own causes; none where it merely follows from other jobs. `exists`: file -> whether it does."""
    found, place = [], job.outputs[0]
    if missing := _files(job.reason, "Missing output files"):
        part = any(exists[file] for file in job.outputs)
        found.append(Cause("", f"missing: {some(missing)}") if part else Cause(place, "not made"))
    if _files(job.reason, "Incomplete output files"):
        found.append(Cause(place, "left unfinished"))
    if updated := _files(job.reason, "Updated input files"):
        found.append(Cause("", f"changed: {some(updated)}"))
    if "Params have changed" in job.reason:
        found.append(Cause(place, _params(job.reason)))
    return found + [Cause(place, words) for said, words in _SAID.items() if said in job.reason]


def some(names: Iterable[str], between: str = ", ") -> str:
    """The first names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return between.join(names[:SHOWN]) + more


def _files(reason: str, kind: str) -> list[str]:
    named = re.search(rf"(?:^|; ){kind}: (.*?)(?:; |$)", reason)
    return [name for name in named[1].strip().split(", ") if name] if named else []


def _params(reason: str) -> str:
    """`settings changed: beta 0.1 -> 0.3`, as far as Snakemake's words tell."""
    told = _PARAMS.search(reason.split("Params have changed", 1)[1].split("; Software environment", 1)[0])
    before, now = (_literals(told[side]) for side in ("before", "now")) if told else ([], [])
    # The fingerprint of a rule's code is one of its params.
    code = any(isinstance(value, str) and _FINGERPRINT.fullmatch(value) for value in now)
    # And so is the state of files that the workflow does not make.
    files = any(isinstance(value, str) and _STATE.fullmatch(value) for value in now)
    old, new = (dict(pair for value in side for pair in _leaves(value)) for side in (before, now))
    keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    changes = [f"{key} {_shown(old.get(key))} -> {_shown(new.get(key))}" for key in keys]
    settings = f"settings changed: {some(changes)}" if changes else "" if code or files else "settings changed"
    said = ("code changed" if code else "", "files outside the results changed" if files else "", settings)
    return "; ".join(filter(None, said))


def _literals(text: str) -> list[Any]:
    try:
        return ast.literal_eval(f"[{text.strip()}]")
    except (SyntaxError, ValueError):  # <nothing exclusive>
        return []


def _leaves(value: Any, key: str = "") -> list[tuple[str, Any]]:
    """Dotted key -> value of nested tables."""
    if not isinstance(value, dict):
        return [(key, value)] if key else []
    return [pair for name, own in value.items() for pair in _leaves(own, f"{key}.{name}" if key else str(name))]


def _shown(value: Any) -> str:
    # Other texts may be long, or an address with a password in it.
    return str(value) if _PLAIN.fullmatch(str(value)) else "..."
