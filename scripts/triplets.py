"""Rule triplets: cut utterances into triplets, part by part.

snakemake --cores 1 results/corpus/triplets/pretrain.parquet
"""

import json
from pathlib import Path

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.transcripts.settings import PARTS, SplitSettings, TripletSettings
from babylogue.transcripts.triplets import cut_triplets


def main(job):
    counts = cut_triplets(
        Path(job.input.utterances),
        pd.read_parquet(job.input.split),
        {part: Path(job.output[part]) for part in PARTS},
        TripletSettings(**job.params.settings),
        SplitSettings(**job.params.split),
    )
    for part, own in counts.items():
        logger.info("%s: %d triplets, %d words", part, own["triplets"], own["words"])
    Path(job.output.counts).write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with job_log(snakemake.log[0], "triplets", snakemake.input):
        main(snakemake)
