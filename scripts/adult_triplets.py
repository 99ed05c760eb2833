"""Rule adult_triplets: cut dialogue between adults into triplets, all of them for pre-training.

snakemake --cores 1 results/adult/triplets.parquet
"""

from pathlib import Path

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.transcripts.settings import SplitSettings, TripletSettings
from babylogue.transcripts.triplets import cut_triplets


def main(job):
    transcripts = pd.read_parquet(job.input.transcripts, columns=["transcript"])
    counts = cut_triplets(
        Path(job.input.utterances),
        transcripts.assign(part="pretrain"),
        {"pretrain": Path(job.output[0])},
        TripletSettings(**job.params.settings),
        SplitSettings(),
    )
    logger.info("%(triplets)d triplets, %(words)d words", counts["pretrain"])


if __name__ == "__main__":
    with job_log(snakemake.log[0], "adult_triplets", snakemake.input):
        main(snakemake)
