"""Rule baselines: shallow baselines on the dialogue pairs, trained on tuning pairs alone.

snakemake --cores 2 results/report/baselines.csv
"""

import pandas as pd

from babylogue.analysis.baselines import COLUMNS, evaluate
from babylogue.logs import job_log, logger


def main(job):
    tables = []
    for suite, pairs, *files in zip(
        job.params.suites, job.params.pairs, job.input.train, job.input.test, strict=True
    ):
        train, test = map(pd.read_parquet, files)
        tables.append(evaluate(train, test, seed=0).assign(suite=suite, trained_on=pairs))
        logger.info("%s: learnt from %d pairs of %s, tried on %d", suite, len(train), pairs, len(test))
    columns = ["suite", "trained_on", *COLUMNS]
    (pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns)).to_csv(job.output[0], index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0], "baselines", snakemake.input):
        main(snakemake)
