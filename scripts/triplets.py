"""Rule triplets: cut utterances into triplets, part by part, and count the corpus.

snakemake --cores 1 results/corpus/triplets/pretrain.parquet
"""

import json
from pathlib import Path

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.transcripts.settings import SplitSettings, TripletSettings
from babylogue.transcripts.statistics import corpus_statistics
from babylogue.transcripts.triplets import cut_triplets


def main(job):
    utterances, split = pd.read_parquet(job.input.utterances), pd.read_parquet(job.input.split)
    triplets = cut_triplets(
        utterances, split, TripletSettings(**job.params.settings), SplitSettings(**job.params.split)
    )
    for part, table in triplets.items():
        table.to_parquet(job.output[part])
        logger.info("%s: %d triplets, %d words", part, len(table), table["words"].sum())
    counts = json.loads(Path(job.input.counts).read_text())
    statistics = corpus_statistics(counts, utterances, triplets)
    Path(job.output.statistics).write_text(json.dumps(statistics, indent=2) + "\n")


if __name__ == "__main__":
    with job_log(snakemake.log[0], "triplets"):
        main(snakemake)
