"""Rule natural_pairs: preference pairs from real exchanges.

snakemake --cores 1 results/pairs/natural.parquet
"""

import pandas as pd
import pyarrow.parquet as pq

from babylogue.logs import job_log, logger
from babylogue.preferences.exchanges import COLUMNS
from babylogue.preferences.natural import natural_pairs
from babylogue.preferences.settings import NaturalPairs
from babylogue.preferences.tuning_settings import TuningSettings
from babylogue.tokenizer.counting import token_counter


def main(job):
    triplets = pq.read_table(job.input.triplets, columns=COLUMNS)
    families = pd.read_parquet(job.input.split, columns=["transcript", "family"]).set_index("transcript")["family"]
    counter = token_counter(job.input.tokenizer) if "tokenizer" in job.input.keys() else None
    logger.info("choosing from %d triplets", triplets.num_rows)
    settings, tuning = NaturalPairs(**job.params.settings), TuningSettings(**job.params.tuning)
    pairs, filters = natural_pairs(triplets, families, settings, tuning, counter)
    pairs.to_parquet(job.output.pairs)
    filters.write(job.output.filters)
    logger.info("%d pairs of %d children", len(pairs), pairs["child"].nunique())


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"pairs {snakemake.wildcards.pairs}", snakemake.input):
        main(snakemake)
