"""How long jobs will take, from what such jobs have taken."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import pandas as pd

from .plan import Job

Seconds = Callable[[Job], float | None]


class WorkLeft(NamedTuple):
    """Jobs left, the estimated seconds of those that have one, and the kinds of those that have none."""

    jobs: int
    seconds: float
    unmeasured: list[str]


def estimates(measured: pd.DataFrame, folder: str, methods: Mapping[str, str]) -> tuple[Seconds, Callable]:
    """-> (wall seconds of a job, None where nothing like it has been measured; the kind of a job).

    A job takes what it took before, whatever has changed since; one that is new the median of its kind: models by
    one method, scores on one suite, the jobs of one stage. A job without a benchmark takes no time to speak of.

    Args:
        measured: benchmark_table of `folder`.
        methods: run -> the method of its row.
    """

    def kind(stage: str, name: str) -> str:
        if stage == "models":
            run = name.split("/")[0]
            return f"models by {methods.get(run, run)}"
        return f"scores on {name.split('/')[-1]}" if stage == "scores" else stage

    def place(job: Job) -> tuple[str, str]:
        stage, _, name = job.benchmark.removeprefix(f"{folder}/").removesuffix(".tsv").partition("/")
        return stage, name

    measured = measured.dropna(subset="seconds")
    own = {row[:2]: row[2] for row in measured[["stage", "name", "seconds"]].itertuples(index=False, name=None)}
    kinds = [kind(*key) for key in zip(measured["stage"], measured["name"], strict=True)]
    medians = measured["seconds"].groupby(kinds).median().to_dict()

    def seconds(job: Job) -> float | None:
        return own.get(place(job), medians.get(kind(*place(job)))) if job.benchmark else 0.0

    return seconds, lambda job: kind(*place(job))


def work_left(jobs: Sequence[Job], seconds: Seconds, kind: Callable[[Job], str]) -> WorkLeft:
    """What the jobs take one after the other."""
    unmeasured = dict.fromkeys(kind(job) for job in jobs if seconds(job) is None)
    return WorkLeft(len(jobs), sum(seconds(job) or 0.0 for job in jobs), list(unmeasured))


def wall_seconds(jobs: Sequence[Job], seconds: Seconds, cores: int) -> float:
    """What they take at the same time: all work over the cores, or the longest chain of jobs if that is more."""
    makers = {file: job for job in jobs for file in job.outputs}

    @cache
    def ready(job: Job) -> float:
        before = {makers[file] for file in job.inputs if file in makers}
        return (seconds(job) or 0.0) + max(map(ready, before), default=0.0)

    busy = sum((seconds(job) or 0.0) * job.threads for job in jobs)
    return max(busy / cores, max(map(ready, jobs), default=0.0))
