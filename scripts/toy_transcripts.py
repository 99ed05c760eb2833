"""Rule toy_transcripts: write made-up child-caregiver talk as CHAT files.

snakemake --cores 1 results/transcripts/toy
"""

from pathlib import Path

from babylogue.logs import job_log, logger
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.settings import ToySettings


def main(job):
    words = write_toy_transcripts(Path(job.output[0]), ToySettings(**job.params.settings))
    logger.info("%d words written", words)


if __name__ == "__main__":
    with job_log(snakemake.log[0], "toy_transcripts", snakemake.input):
        main(snakemake)
