"""Rule corpus_statistics: count the corpus.

snakemake --cores 1 results/corpus/statistics.json
"""

import json
from pathlib import Path

import pandas as pd

from babylogue.logs import job_log
from babylogue.transcripts.settings import PARTS
from babylogue.transcripts.statistics import corpus_statistics


def main(job):
    files, triplets = (
        json.loads(Path(file).read_text(encoding="utf-8")) for file in (job.input.files, job.input.counts)
    )
    statistics = corpus_statistics(
        files,
        pd.read_parquet(job.input.transcripts, columns=["transcript", "corpus", "child"]),
        Path(job.input.utterances),
        {part: Path(job.input[part]) for part in PARTS},
        {part: own["left_out_as_seen"] for part, own in triplets.items()},
    )
    Path(job.output[0]).write_text(json.dumps(statistics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with job_log(snakemake.log[0], "corpus_statistics", snakemake.input):
        main(snakemake)
