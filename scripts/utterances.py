"""Rule utterances: read every transcript of the source into one table of clean utterances.

snakemake --cores 2 results/corpus/utterances.parquet
"""

import json
from pathlib import Path

from babylogue.logs import job_log
from babylogue.transcripts.corpus import read_corpus
from babylogue.transcripts.sources import find_archives


def main(job):
    root = Path(job.params.folder)
    counts = read_corpus(
        find_archives(root),
        root,
        Path(job.output.utterances),
        Path(job.output.rejected),
        max_rejected_share=job.params.max_rejected_share,
        processes=job.threads,
    )
    Path(job.output.counts).write_text(json.dumps(counts, indent=2) + "\n")


if __name__ == "__main__":
    with job_log(snakemake.log[0], "utterances"):
        main(snakemake)
