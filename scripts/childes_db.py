"""Rule childes_db: fetch the utterances of the wanted corpora from childes-db on Redivis.

snakemake --cores 1 results/transcripts/childes_db.parquet
"""

from pathlib import Path

from babylogue.logs import job_log
from babylogue.transcripts.childes_db.client import fetch
from babylogue.transcripts.childes_db.settings import ChildesDbSettings


def main(job):
    fetch(ChildesDbSettings(**job.params.settings), Path(job.output[0]))


if __name__ == "__main__":
    with job_log(snakemake.log[0], "childes_db", snakemake.input):
        main(snakemake)
