"""Rule mixed_pairs: preference pairs drawn from other sets by share.

snakemake --cores 2 results/pairs/mixed.parquet
"""

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.preferences.mixed import mixed_pairs
from babylogue.preferences.settings import MixedPairs


def main(job):
    settings = MixedPairs(**job.params.settings)
    sets = {name: pd.read_parquet(file) for name, file in zip(settings.shares, job.input, strict=True)}
    pairs, filters = mixed_pairs(sets, settings)
    pairs.to_parquet(job.output.pairs)
    filters.write(job.output.filters)
    logger.info("%d pairs", len(pairs))


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"pairs {snakemake.wildcards.pairs}", snakemake.input):
        main(snakemake)
