"""Rules pretrain_{run}: train a model from scratch, with checkpoints by words seen.

snakemake --cores 2 results/models/base/seed0/final
"""

import shutil
from pathlib import Path

from transformers import AutoTokenizer

from babylogue.logs import job_log
from babylogue.model.checkpoints import publish
from babylogue.model.device import prepare_device
from babylogue.model.pretrain import pretrain
from babylogue.model.settings import PretrainSettings
from babylogue.model.state import TrainingState, content_digest
from babylogue.model.tokens import TEXTS, TOKENS, read_tokens
from babylogue.provenance import write_settings


def main(job):
    device = prepare_device(job.threads)
    settings, seed = PretrainSettings(**job.params.settings), int(job.wildcards.seed)
    train, validation, tokenizer = (Path(job.input[name]) for name in ("train", "validation", "tokenizer"))
    made_with = {
        "pretrain": settings.model_dump(),
        "seed": seed,
        "code": job.params.code,
        "train": content_digest(train / TOKENS, train / TEXTS),
        "validation": content_digest(validation / TOKENS, validation / TEXTS),
        "tokenizer": content_digest(tokenizer / "tokenizer.json"),
    }
    state = TrainingState(Path(job.params.state), made_with)
    log, checkpoints = pretrain(
        AutoTokenizer.from_pretrained(tokenizer),
        read_tokens(train),
        read_tokens(validation),
        settings,
        seed=seed,
        state=state,
        device=device,
    )
    for name, folder in checkpoints.items():
        publish(folder, Path(job.output[name]))
    log.to_csv(job.output.log, index=False)
    write_settings(job.output.settings, run=job.params.run, seed=seed, method="pretrain", settings=settings)
    shutil.rmtree(state.folder)


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}"):
        main(snakemake)
