"""Rule rollout_prompts: caregiver turns that PPO, GRPO and RLOO sample replies to.

snakemake --cores 1 results/prompts/rollouts.parquet
"""

import pandas as pd
import pyarrow.parquet as pq

from babylogue.logs import job_log
from babylogue.preferences.exchanges import COLUMNS
from babylogue.preferences.tuning_settings import TuningSettings
from babylogue.reinforcement.prompts import rollout_prompts


def main(job):
    triplets = pq.read_table(job.input.triplets, columns=COLUMNS)
    families = pd.read_parquet(job.input.split, columns=["transcript", "family"]).set_index("transcript")["family"]
    tuning = TuningSettings(**job.params.tuning)
    prompts = rollout_prompts(triplets, families, tuning, count=job.params.prompts, seed=job.params.seed)
    prompts.to_parquet(job.output[0])


if __name__ == "__main__":
    with job_log(snakemake.log[0], "rollout_prompts", snakemake.input):
        main(snakemake)
