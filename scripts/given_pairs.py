"""Rule given_pairs: preference pairs made elsewhere.

snakemake --cores 1 results/pairs/dialogue_words_published.parquet
"""

import pyarrow.parquet as pq

from babylogue.logs import job_log, logger
from babylogue.preferences.exchanges import COLUMNS, find_exchanges
from babylogue.preferences.given import given_pairs
from babylogue.preferences.settings import GivenPairs


def main(job):
    test = None
    if "test" in job.input.keys():
        test = find_exchanges(pq.read_table(job.input.test, columns=COLUMNS))
    pairs, filters = given_pairs(GivenPairs(**job.params.settings), test)
    pairs.to_parquet(job.output.pairs)
    filters.write(job.output.filters)
    logger.info("%d pairs", len(pairs))


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"pairs {snakemake.wildcards.pairs}", snakemake.input):
        main(snakemake)
