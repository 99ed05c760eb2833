"""Rule split: assign every child to one part of the corpus, those with copied transcripts together.

snakemake --cores 1 results/corpus/split.parquet
"""

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.transcripts.copies import find_copies
from babylogue.transcripts.settings import SplitSettings
from babylogue.transcripts.splits import split_by_child


def main(job):
    columns = ["transcript", "corpus", "child", "other_children", "words", "long_utterances"]
    transcripts = pd.read_parquet(job.input[0], columns=columns)
    copies = find_copies(transcripts)
    copies.to_csv(job.output.copies, index=False)
    logger.info("%d pairs of transcripts are copies of each other", len(copies))
    split = split_by_child(transcripts, copies, SplitSettings(**job.params.settings))
    split[["transcript", "corpus", "child", "family", "words", "part"]].to_parquet(job.output.split)


if __name__ == "__main__":
    with job_log(snakemake.log[0], "split", snakemake.input):
        main(snakemake)
