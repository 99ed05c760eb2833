"""What jobs have taken, from the benchmark files that Snakemake leaves: results/benchmarks/{stage}/....tsv."""

import csv
import math
from pathlib import Path
from statistics import fmean

import pandas as pd

from .errors import UserError

COLUMNS = ["stage", "name", "seconds", "cpu_seconds", "peak_memory_mb"]
_TAKEN = ("s", "cpu_time", "max_rss")
_NOT_TAKEN = ("-", "NA")  # what Snakemake writes for a number that it has not


def benchmark_table(folder: str | Path) -> pd.DataFrame:
    """One row for each job that left a benchmark file.

    Args:
        folder: of the benchmarks; one that does not exist has none.

    Returns:
        COLUMNS. `stage` is the kind of job (models, scores, pairs, split ...), `name` what it was of
        (base/seed0, base/seed0/final/blimp; empty where there is only one); wall seconds; seconds of processor
        time; resident memory at its peak; each the mean of a job that was repeated. Numbers that Snakemake could
        not take, of jobs shorter than its sampling, are NaN.

    Raises:
        UserError: a file is not a benchmark.
    """
    rows = []
    for file in sorted(Path(folder).rglob("*.tsv")):
        stage, *name = file.relative_to(folder).with_suffix("").parts
        rows.append((stage, "/".join(name), *_taken(file)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _taken(file: Path) -> list[float]:
    """What a job took, of _TAKEN. With csv: pandas takes over a millisecond a file, and there are thousands."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            repeats = list(csv.DictReader(lines, delimiter="\t"))
        columns = [[float(row[name]) for row in repeats if row[name] not in _NOT_TAKEN] for name in _TAKEN]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise UserError(f"{file}: not a benchmark of Snakemake's; delete it") from error
    if not repeats:
        raise UserError(f"{file}: not a benchmark of Snakemake's; delete it")
    return [fmean(values) if values else math.nan for values in columns]


def duration(seconds: float) -> str:
    """Seconds in words, `40 s`, `3 min`, `2 h 5 min`; a dash where they are not known."""
    if not math.isfinite(seconds):
        return "\N{EN DASH}"
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
