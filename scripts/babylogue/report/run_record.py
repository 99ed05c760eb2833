"""What was run: what made the models, and what the stages took."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

STAGE_COLUMNS = ["stage", "jobs", "wall_s", "cpu_s", "peak_memory_mb"]
_OF_MODELS = "models"


def stages_table(benchmarks: pd.DataFrame) -> pd.DataFrame:
    """STAGE_COLUMNS: jobs that each stage has had, their wall and processor seconds added up, the largest memory.

    Args:
        benchmarks: as `babylogue.benchmarks.benchmark_table` gives them. Training is a stage for each model, its
            seeds together.
    """
    run = benchmarks["name"].str.partition("/")[0]
    stage = benchmarks["stage"].where(benchmarks["stage"] != _OF_MODELS, "training " + run)
    rows = [
        (name, len(own), own["seconds"].sum(), own["cpu_seconds"].sum(), own["peak_memory_mb"].max())
        for name, own in benchmarks.groupby(stage, sort=False)
    ]
    return pd.DataFrame(rows, columns=STAGE_COLUMNS).sort_values("wall_s", ascending=False, kind="stable")


@dataclass(frozen=True)
class RunRecord:
    """What the settings.yaml of the models say."""

    commits: dict[str, list[str]]
    """Commit of the code -> the models that it made; more than one where code changed nothing of the others."""
    software: dict[str, str]
    """Python and packages -> versions, several with a comma between them where models differ."""
    settings: dict[str, str]
    """Model -> its settings as YAML."""


def run_record(settings: Mapping[str, Mapping[str, Any]]) -> RunRecord:
    """The record of models from their settings.yaml, model -> content."""
    commits: dict[str, list[str]] = {}
    software: dict[str, dict[str, None]] = {}
    for run, own in settings.items():
        commits.setdefault(own["commit"] or "unknown", []).append(run)
        for package, version in {"python": own["python"], **own["packages"]}.items():
            software.setdefault(package, {})[version] = None
    return RunRecord(
        commits,
        {package: ", ".join(versions) for package, versions in software.items()},
        {run: yaml.safe_dump(own["settings"], sort_keys=False) for run, own in settings.items()},
    )
