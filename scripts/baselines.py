"""Rule baselines: shallow baselines on the dialogue pairs, trained on the tuning pairs alone.

snakemake --cores 2 results/report/baselines.csv
"""

import pandas as pd

from babylogue.analysis.baselines import evaluate
from babylogue.logs import job_log


def main(job):
    tables = []
    for suite, test in zip(job.params.suites, job.input.test, strict=True):
        table = evaluate(pd.read_parquet(job.input.train[0]), pd.read_parquet(test), seed=0)
        tables.append(table.assign(suite=suite))
    columns = ["suite", "baseline", "reply_only", "metric", "value", "ci_low", "ci_high", "n"]
    (pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns)).to_csv(job.output[0], index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0], "baselines"):
        main(snakemake)
