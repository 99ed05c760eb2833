"""Rule tokenizer: train the BPE on the words of the pretrain part, add every speaker tag.

snakemake --cores 1 results/tokenizer
"""

from pathlib import Path

import pandas as pd

from babylogue.logs import job_log, logger, progress
from babylogue.tokenizer.bpe import save_tokenizer, train_tokenizer
from babylogue.tokenizer.settings import TokenizerSettings


def main(job):
    words = pd.read_parquet(job.input.pretrain, columns=["turns"])["turns"].explode()
    speakers = set()
    for triplets in job.input:
        speakers.update(pd.read_parquet(triplets, columns=["speakers"])["speakers"].explode().dropna())
    turns = progress(words.dropna(), description="turns", unit="turn")
    tokenizer = train_tokenizer(turns, speakers, TokenizerSettings(**job.params.settings))
    save_tokenizer(tokenizer, Path(job.output[0]))
    logger.info("%d tokens, %d of them speaker tags", tokenizer.get_vocab_size(), len(speakers))


if __name__ == "__main__":
    with job_log(snakemake.log[0], "tokenizer", snakemake.input):
        main(snakemake)
