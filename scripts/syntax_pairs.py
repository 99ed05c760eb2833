"""Rule syntax_pairs: preference pairs of sentences and their violations of grammar.

snakemake --cores 1 results/pairs/syntax.parquet
"""

import pandas as pd
import pyarrow.parquet as pq

from babylogue.logs import job_log, logger
from babylogue.preferences.exchanges import COLUMNS
from babylogue.preferences.settings import SyntaxPairs
from babylogue.preferences.syntax import syntax_pairs
from babylogue.preferences.tuning_settings import TuningSettings


def main(job):
    families = pd.read_parquet(job.input.split, columns=["transcript", "family"]).set_index("transcript")["family"]
    pairs, filters = syntax_pairs(
        pq.read_table(job.input.triplets, columns=COLUMNS),
        families,
        job.params.part,
        SyntaxPairs(**job.params.settings),
        TuningSettings(**job.params.tuning),
    )
    pairs.to_parquet(job.output.pairs)
    filters.write(job.output.filters)
    logger.info("%d pairs", len(pairs))


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"pairs {snakemake.wildcards.pairs}", snakemake.input):
        main(snakemake)
