"""What jobs have taken, from the benchmark files that Snakemake leaves: results/benchmarks/{stage}/....tsv."""

from pathlib import Path

import pandas as pd

from .errors import UserError

COLUMNS = ["stage", "name", "seconds", "cpu_seconds", "peak_memory_mb"]


def benchmark_table(folder: str | Path) -> pd.DataFrame:
    """One row for each job that left a benchmark file.

    Args:
        folder: of the benchmarks; one that does not exist has none.

    Returns:
        COLUMNS. `stage` is the kind of job (models, scores, pairs, split ...), `name` what it was of
        (base/seed0, base/seed0/final/blimp; empty where there is only one); wall seconds; seconds of processor
        time; resident memory at its peak. Numbers that Snakemake could not take, of jobs shorter than its
        sampling, are NaN.

    Raises:
        UserError: a file is not a benchmark.
    """
    rows = []
    for file in sorted(Path(folder).rglob("*.tsv")):
        stage, *name = file.relative_to(folder).with_suffix("").parts
        try:
            taken = pd.read_csv(file, sep="\t", na_values=["-"])[["s", "cpu_time", "max_rss"]].mean()
        except (KeyError, ValueError) as error:
            raise UserError(f"{file}: not a benchmark of Snakemake's; delete it") from error
        rows.append((stage, "/".join(name), *taken))
    return pd.DataFrame(rows, columns=COLUMNS)
