"""Rule push: publish a run's checkpoints as branches of a repository on the Hugging Face Hub.

HF_TOKEN=... snakemake --cores 1 results/pushed/base/seed0.json
"""

import json
from pathlib import Path

from babylogue.hub import HubSettings, push_run
from babylogue.logs import job_log


def main(job):
    checkpoints = {name: Path(path) for name, path in job.input.items() if name != "card"}
    card = Path(job.input.card).read_text(encoding="utf-8")
    commits = push_run(
        job.params.repository,
        checkpoints,
        card=card,
        judged=job.params.judged,
        settings=HubSettings(**job.params.settings),
    )
    Path(job.output[0]).write_text(json.dumps(commits, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with job_log(
        snakemake.log[0], f"push {snakemake.wildcards.run} seed {snakemake.wildcards.seed}", snakemake.input
    ):
        main(snakemake)
