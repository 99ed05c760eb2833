"""Rules dpo_{run}: tune a model on preference pairs.

snakemake --cores 2 results/models/dpo_natural/seed0/best
"""

from pathlib import Path

import pandas as pd

from babylogue.logs import job_log
from babylogue.model.device import prepare_device
from babylogue.preferences.dpo import train_dpo
from babylogue.preferences.settings import DPOSettings
from babylogue.provenance import write_settings


def main(job):
    prepare_device(job.threads)
    settings, seed = DPOSettings(**job.params.settings), int(job.wildcards.seed)
    pairs = pd.read_parquet(job.input.pairs)
    log = train_dpo(Path(job.input.parent), pairs, settings, seed=seed, folder=lambda name: Path(job.output[name]))
    log.to_csv(job.output.log, index=False)
    write_settings(
        job.output.settings,
        run=job.params.run,
        seed=seed,
        method="dpo",
        settings=settings,
        parent=job.input.parent,
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}"):
        main(snakemake)
