"""Rules dpo_{run}: tune a model on preference pairs.

snakemake --cores 2 results/models/dpo_natural/seed0/best
"""

import shutil
from pathlib import Path

from babylogue.logs import job_log
from babylogue.model.checkpoints import publish
from babylogue.model.device import prepare_device
from babylogue.preferences.dpo import dpo_from_files
from babylogue.preferences.settings import DPOSettings
from babylogue.provenance import write_settings


def main(job):
    prepare_device(job.threads)
    settings, seed = DPOSettings(**job.params.settings), int(job.wildcards.seed)
    parent, pairs, state = Path(job.input.parent), Path(job.input.pairs), Path(job.params.state)
    log, checkpoints = dpo_from_files(parent, pairs, settings, seed=seed, state=state, code=job.params.code)
    for name, folder in checkpoints.items():
        publish(folder, Path(job.output[name]))
    log.to_csv(job.output.log, index=False)
    write_settings(
        job.output.settings,
        run=job.params.run,
        seed=seed,
        method="dpo",
        settings=settings,
        parent=job.input.parent,
    )
    shutil.rmtree(state)


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}", snakemake.input):
        main(snakemake)
