"""Rule reply_prompts: caregiver turns of the test part whose replies the report shows.

snakemake --cores 1 results/replies/prompts.parquet
"""

import pyarrow.parquet as pq

from babylogue.analysis.reply_prompts import reply_prompts
from babylogue.logs import job_log
from babylogue.preferences.exchanges import COLUMNS


def main(job):
    triplets = pq.read_table(job.input.triplets, columns=COLUMNS)
    reply_prompts(triplets, count=job.params.prompts, seed=job.params.seed).to_parquet(job.output[0])


if __name__ == "__main__":
    with job_log(snakemake.log[0], "reply_prompts", snakemake.input):
        main(snakemake)
