"""What of the configured table exists, what is stale and why, and how long the rest takes, as plain values."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..benchmarks import benchmark_table
from ..configuration import Configuration
from .estimates import WorkLeft, estimates, wall_seconds, work_left
from .plan import Job, Plan
from .reasons import Cause, causes

# Name of a file's state -> whether the file is there, and whether a job that is left makes it.
FILE_STATES = {"made": (True, False), "stale": (True, True), "missing": (False, True), "removed": (False, False)}


class _Outlook(NamedTuple):
    """A plan with what tells why its jobs are left and how long they take."""

    plan: Plan
    maker: dict[str, Job]
    """File -> the job left that makes it."""
    causes_of: Callable[[Job], tuple[Cause, ...]]
    estimate: Callable[[list[Job]], WorkLeft]

    def count_by_state(self, files: Iterable[str]) -> dict[str, int]:
        """How many files are up to date, will be made again, are missing, and are removed and not missed."""
        found = Counter((self.plan.files[file], file in self.maker) for file in files)
        return {name: found[state] for name, state in FILE_STATES.items()}

    def work_left(self, files: Iterable[str]) -> dict:
        """What is left to do for files, and why."""
        jobs = list(dict.fromkeys(self.maker[file] for file in files if file in self.maker))
        own = {job.outputs[0] for job in jobs}
        causes = dict.fromkeys(cause for job in jobs for cause in self.causes_of(job))
        why = dict.fromkeys(f"{file}: {what}" if {file} - own - {""} else what for file, what in causes)
        return {"why": list(why)} | _as_values(self.estimate(jobs))


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
    maker = {file: job for job in plan.jobs for file in job.outputs}
    outlook = _Outlook(plan, maker, causes(plan), lambda jobs: work_left(jobs, seconds, kind))
    wall = wall_seconds(plan.jobs, seconds, cores)
    report = f"{config.results}/report/index.html"
    return {
        "models": _models(outlook, config),
        "stages": _stages(outlook, config),
        **_as_values(outlook.estimate(plan.jobs)._replace(seconds=wall)),
        "cores": cores,
        "report": None if report in maker else report,
        "locked": plan.locked,
        "warnings": plan.warnings,
    }


def _as_values(left: WorkLeft) -> dict:
    return {"jobs_left": left.jobs, "seconds_left": left.seconds, "unmeasured": left.unmeasured}


def _models(outlook: _Outlook, config: Configuration) -> list[dict]:
    found = []
    for run, row in config.models.items():
        models, scores = (
            [file for file in outlook.plan.files if file.startswith(f"{config.results}/{stage}/{run}/")]
            for stage in ("models", "scores")
        )
        checkpoints = [file for file in models if file.rsplit("/", 1)[1] in row.checkpoint_names()]
        found.append(
            {
                "model": run,
                "method": row.method,
                "parent": getattr(row, "parent", None),
                "seeds": config.seeds,
                "checkpoints": outlook.count_by_state(checkpoints),
                "scores": outlook.count_by_state(file for file in scores if file.endswith(".json")),
                **outlook.work_left([*models, *scores]),
            }
        )
    return found


def _stages(outlook: _Outlook, config: Configuration) -> list[dict]:
    stages: dict[str, list[str]] = {}
    for file in outlook.plan.files:
        stage = file.removeprefix(f"{config.results}/").split("/")[0]
        stages.setdefault(stage, []).append(file)
    order = reversed(stages)  # Snakemake goes from the report back to the transcripts
    return [
        {"stage": stage, "files": outlook.count_by_state(stages[stage]), **outlook.work_left(stages[stage])}
        for stage in order
        if stage not in ("models", "scores")
    ]
