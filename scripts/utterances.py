"""Rule utterances: read every transcript of the source into tables of clean utterances and of transcripts.

snakemake --cores 2 results/corpus/utterances.parquet
"""

import json
from pathlib import Path

from babylogue.logs import job_log
from babylogue.transcripts.childes_db.utterances import read_utterances
from babylogue.transcripts.corpus import read_corpus
from babylogue.transcripts.sources import find_archives


def archives(job, root: Path) -> list[Path]:
    """The zips and .cha files to read: those of the manifest, or all below the folder."""
    if manifest := job.input.get("manifest"):
        return [root / entry["archive"] for entry in json.loads(Path(manifest).read_text(encoding="utf-8"))]
    return find_archives(root)


def main(job):
    root = Path(job.params.folder)
    outputs = [Path(job.output[name]) for name in ("utterances", "transcripts", "rejected")]
    share = job.params.max_rejected_share
    if tables := job.input.get("tables"):
        counts = read_utterances(Path(tables), *outputs, max_rejected_share=share)
    else:
        files = archives(job, root)
        counts = read_corpus(files, root, *outputs, max_rejected_share=share, processes=job.threads)
    Path(job.output.counts).write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with job_log(snakemake.log[0], "utterances", snakemake.input):
        main(snakemake)
