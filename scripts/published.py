"""Rule published: fetch a model made elsewhere into a Hugging Face model folder.

snakemake --cores 1 results/published/minilm
"""

from pathlib import Path

from babylogue.logs import job_log
from babylogue.teacher.published import fetch
from babylogue.teacher.settings import PublishedModel


def main(job):
    fetch(PublishedModel(**job.params.settings), Path(job.output[0]))


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"published {snakemake.wildcards.published}", snakemake.input):
        main(snakemake)
