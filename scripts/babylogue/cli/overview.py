"""What of the configured table exists, what is stale and why, and how long the rest takes, as plain values."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..benchmarks import benchmark_table
from ..configuration import Configuration
from .estimates import Left, estimates, wall_seconds, work
from .plan import Job, Plan
from .reasons import Cause, causes

# Of a file: whether it is there, and whether a job that is left makes it.
STATES = {"made": (True, False), "stale": (True, True), "missing": (False, True), "removed": (False, False)}


class _View(NamedTuple):
    """A plan, and what can be said of its jobs and of the files that they make."""

    plan: Plan
    pending: dict[str, Job]
    causes_of: Callable[[Job], tuple[Cause, ...]]
    left: Callable[[list[Job]], Left]

    def counts(self, files: Iterable[str]) -> dict[str, int]:
        """How many files are up to date, will be made again, are missing, and are removed and not missed."""
        found = Counter((self.plan.files[file], file in self.pending) for file in files)
        return {name: found[state] for name, state in STATES.items()}

    def rest(self, files: Iterable[str]) -> dict:
        """What is left to do for files."""
        jobs = list(dict.fromkeys(self.pending[file] for file in files if file in self.pending))
        own = {job.outputs[0] for job in jobs}
        causes = dict.fromkeys(cause for job in jobs for cause in self.causes_of(job))
        why = dict.fromkeys(f"{file}: {what}" if {file} - own - {""} else what for file, what in causes)
        return {"why": list(why)} | _as_values(self.left(jobs))


def overview(plan: Plan, config: Configuration, cores: int) -> dict:
    """The table of models, the other stages, and the whole.

    Returns:
        models: a row for each model of the configuration, with its checkpoints and scores; stages: a row for
        each other folder of the results. Counts of files are tables made, stale, missing, removed; what is left is
        `why`, jobs_left, seconds_left (one after the other; in the whole on `cores`) and unmeasured, kinds of jobs
        of which none has been measured, so that they are not in the seconds. `report` is None unless up to date.

    Raises:
        UserError: a benchmark file is none.
    """
    benchmarks = f"{config.results}/benchmarks"
    methods = {run: row.method for run, row in config.models.items()}
    seconds, kind = estimates(benchmark_table(benchmarks), benchmarks, methods)
    pending = {file: job for job in plan.jobs for file in job.outputs}
    view = _View(plan, pending, causes(plan), lambda jobs: work(jobs, seconds, kind))
    wall = wall_seconds(plan.jobs, seconds, cores)
    report = f"{config.results}/report/index.html"
    return {
        "models": _models(view, config),
        "stages": _stages(view, config),
        **_as_values(view.left(plan.jobs)._replace(seconds=wall)),
        "cores": cores,
        "report": None if report in pending else report,
        "locked": plan.locked,
        "warnings": plan.warnings,
    }


def _as_values(left: Left) -> dict:
    return {"jobs_left": left.jobs, "seconds_left": left.seconds, "unmeasured": left.unknown}


def _models(view: _View, config: Configuration) -> list[dict]:
    found = []
    for run, row in config.models.items():
        models, scores = (
            [file for file in view.plan.files if file.startswith(f"{config.results}/{stage}/{run}/")]
            for stage in ("models", "scores")
        )
        checkpoints = [file for file in models if file.rsplit("/", 1)[1] in row.checkpoint_names()]
        found.append(
            {
                "model": run,
                "method": row.method,
                "parent": getattr(row, "parent", None),
                "seeds": config.seeds,
                "checkpoints": view.counts(checkpoints),
                "scores": view.counts(file for file in scores if file.endswith(".json")),
                **view.rest([*models, *scores]),
            }
        )
    return found


def _stages(view: _View, config: Configuration) -> list[dict]:
    stages: dict[str, list[str]] = {}
    for file in view.plan.files:
        stage = file.removeprefix(f"{config.results}/").split("/")[0]
        stages.setdefault(stage, []).append(file)
    order = reversed(stages)  # Snakemake goes from the report back to the transcripts
    return [
        {"stage": stage, "files": view.counts(stages[stage]), **view.rest(stages[stage])}
        for stage in order
        if stage not in ("models", "scores")
    ]
