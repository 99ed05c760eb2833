"""Rule split: assign every child to one part of the corpus.

snakemake --cores 1 results/corpus/split.parquet
"""

import pandas as pd

from babylogue.logs import job_log
from babylogue.transcripts.settings import SplitSettings
from babylogue.transcripts.splits import split_by_child


def main(job):
    utterances = pd.read_parquet(job.input[0], columns=["transcript", "corpus", "child", "words"])
    by_transcript = utterances.groupby("transcript", sort=True)
    transcripts = by_transcript.agg(corpus=("corpus", "first"), child=("child", "first"), words=("words", "sum"))
    split_by_child(transcripts.reset_index(), SplitSettings(**job.params.settings)).to_parquet(job.output[0])


if __name__ == "__main__":
    with job_log(snakemake.log[0], "split"):
        main(snakemake)
