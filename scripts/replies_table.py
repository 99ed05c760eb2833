"""Rule replies_table: all reply samples, one row a reply.

snakemake --cores 1 results/report/replies.csv
"""

import pandas as pd

from babylogue.logs import job_log
from babylogue.report.replies import replies_table


def main(job):
    samples = zip(job.params.models, map(pd.read_parquet, job.input.samples), strict=True)
    replies_table(pd.read_parquet(job.input.prompts), samples).to_csv(job.output[0], index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0], "replies_table", snakemake.input):
        main(snakemake)
