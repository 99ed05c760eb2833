"""Rule model_card: what a run and seed is, for people who meet its checkpoints.

snakemake --cores 1 results/models/base/seed0/README.md
"""

import json
from pathlib import Path

import yaml

from babylogue.logs import job_log
from babylogue.report.model_card import model_card
from babylogue.report.tables import scores_table


def main(job):
    card = model_card(
        yaml.safe_load(Path(job.input.settings).read_text(encoding="utf-8")),
        json.loads(Path(job.input.statistics).read_text(encoding="utf-8")),
        scores_table(job.input.scores),
        **job.params.told,
    )
    Path(job.output[0]).write_text(card, encoding="utf-8")


if __name__ == "__main__":
    with job_log(
        snakemake.log[0], f"card of {snakemake.wildcards.run} seed {snakemake.wildcards.seed}", snakemake.input
    ):
        main(snakemake)
