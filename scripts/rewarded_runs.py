"""Rule rewarded_runs: runs whose replies are rewarded, and how each reward goes with dialogue accuracy.

snakemake --cores 1 results/report/reward_correlations.csv
"""

from pathlib import Path

import pandas as pd
import yaml

from babylogue.analysis.rewarded_runs import CORRELATION_COLUMNS, RUN_COLUMNS, correlation, reward_name, run_row
from babylogue.logs import job_log


def main(job):
    keys = [tuple(key) for key in job.params.runs]
    logs = dict(zip(keys, map(pd.read_csv, job.input.logs), strict=True))
    told = {
        key: yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        for key, file in zip(keys, job.input.settings, strict=True)
    }
    samples = dict(zip(keys, map(pd.read_parquet, job.input.samples), strict=True))
    rows = [{"run": key[0], "seed": key[1]} | run_row(logs[key], samples[key], told[key]) for key in keys]
    pd.DataFrame(rows, columns=RUN_COLUMNS).to_csv(job.output.runs, index=False)
    found = []
    for run in dict.fromkeys(run for run, _ in keys):
        own = [key for key in keys if key[0] == run]
        row = correlation([logs[key] for key in own], [bool(told[key]["stopped"]) for key in own])
        found.append({"run": run, "reward": reward_name(told[own[0]]["reward"])} | row)
    pd.DataFrame(found, columns=CORRELATION_COLUMNS).to_csv(job.output.correlations, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0], "rewarded_runs", snakemake.input):
        main(snakemake)
