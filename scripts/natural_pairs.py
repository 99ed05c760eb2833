"""Rule natural_pairs: preference pairs from real exchanges.

snakemake --cores 1 results/pairs/natural.parquet
"""

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.preferences.natural import natural_pairs
from babylogue.preferences.settings import NaturalPairs


def main(job):
    counter = None
    if "tokenizer" in job.input.keys():
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(job.input.tokenizer)

        def counter(replies):
            return [len(ids) for ids in tokenizer(replies, add_special_tokens=False)["input_ids"]]

    pairs = natural_pairs(pd.read_parquet(job.input.triplets), NaturalPairs(**job.params.settings), counter)
    pairs.to_parquet(job.output[0])
    logger.info("%d pairs of %d children", len(pairs), pairs["child"].nunique())


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"pairs {snakemake.wildcards.pairs}"):
        main(snakemake)
