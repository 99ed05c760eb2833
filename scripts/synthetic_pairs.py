"""Rule synthetic_pairs: preference pairs whose chosen reply the teacher wrote.

snakemake --cores 2 results/pairs/synthetic.parquet
"""

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.preferences.settings import SyntheticPairs
from babylogue.preferences.synthetic import synthetic_pairs


def main(job):
    natural, replies = pd.read_parquet(job.input.natural), pd.read_parquet(job.input.replies)
    pairs, filters = synthetic_pairs(natural, replies, SyntheticPairs(**job.params.settings))
    pairs.to_parquet(job.output.pairs)
    filters.write(job.output.filters)
    logger.info("%d pairs", len(pairs))


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"pairs {snakemake.wildcards.pairs}", snakemake.input):
        main(snakemake)
