"""Rule rollout_prompts: caregiver turns that PPO replies to, none of which is a prompt of a natural pair set.

snakemake --cores 1 results/prompts/rollouts.parquet
"""

import pandas as pd
import pyarrow.parquet as pq

from babylogue.logs import job_log
from babylogue.preferences.exchanges import COLUMNS
from babylogue.reinforcement.prompts import rollout_prompts


def main(job):
    used = set().union(*(pd.read_parquet(pairs, columns=["prompt"])["prompt"] for pairs in job.input.pairs))
    triplets = pq.read_table(job.input.triplets, columns=COLUMNS)
    prompts = rollout_prompts(triplets, used, count=job.params.prompts, seed=job.params.seed)
    prompts.to_parquet(job.output[0])


if __name__ == "__main__":
    with job_log(snakemake.log[0], "rollout_prompts", snakemake.input):
        main(snakemake)
