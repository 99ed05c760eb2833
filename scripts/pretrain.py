"""Rules pretrain_{run}: train a model from scratch, with checkpoints by words seen.

snakemake --cores 2 results/models/base/seed0/final
snakemake --cores all --set-resources pretrain_base:gpu=4 results/models/base/seed0/final    # on four GPUs
"""

import shutil
from pathlib import Path

from babylogue.logs import job_log
from babylogue.model.checkpoints import publish
from babylogue.model.parallel import launch
from babylogue.model.pretrain import pretrain_from_files
from babylogue.model.settings import PretrainSettings
from babylogue.provenance import write_settings


def main(job):
    settings, seed = PretrainSettings(**job.params.settings), int(job.wildcards.seed)
    state = Path(job.params.state)
    log, checkpoints = launch(
        pretrain_from_files,
        max(1, job.resources.get("gpu", 1)),
        *(Path(job.input[name]) for name in ("tokenizer", "train", "validation")),
        settings,
        seed,
        state,
        Path(job.log[0]).with_suffix(".tensorboard"),
        job.params.code,
        job.threads,
    )
    for name, folder in checkpoints.items():
        publish(folder, Path(job.output[name]))
    log.to_csv(job.output.log, index=False)
    write_settings(job.output.settings, run=job.params.run, seed=seed, method="pretrain", settings=settings)
    shutil.rmtree(state)


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}", snakemake.input):
        main(snakemake)
