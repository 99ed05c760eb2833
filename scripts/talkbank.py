"""Rule talkbank: download corpora of CHILDES with the user's TalkBank login.

snakemake --cores 1 results/transcripts/talkbank.json
"""

import json
from pathlib import Path

from babylogue.logs import job_log
from babylogue.transcripts.talkbank.download import download, manifest
from babylogue.transcripts.talkbank.settings import TalkBankSettings


def main(job):
    folder = Path(job.params.folder)
    archives = download(TalkBankSettings(**job.params.settings), folder)
    Path(job.output[0]).write_text(json.dumps(manifest(archives, folder), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with job_log(snakemake.log[0], "talkbank", snakemake.input):
        main(snakemake)
