"""Rules pretrain_{run}: train a model from scratch, with checkpoints by words seen.

snakemake --cores 2 results/models/base/seed0/final
"""

from pathlib import Path

import pandas as pd
from transformers import AutoTokenizer

from babylogue.logs import job_log
from babylogue.model.batches import tokenise
from babylogue.model.device import prepare_device
from babylogue.model.pretrain import pretrain
from babylogue.model.settings import PretrainSettings
from babylogue.model.texts import mix_in_adults, training_texts
from babylogue.provenance import write_settings


def main(job):
    device = prepare_device(job.threads)
    settings, seed = PretrainSettings(**job.params.settings), int(job.wildcards.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.input.tokenizer)
    triplets = pd.read_parquet(job.input.train)
    if settings.adult_share:
        triplets = mix_in_adults(triplets, pd.read_parquet(job.input.adult), settings.adult_share)
    train, validation = (
        tokenise(*training_texts(table, settings.text), tokenizer, settings.row_tokens)
        for table in (triplets, pd.read_parquet(job.input.validation))
    )
    log = pretrain(
        tokenizer,
        train,
        validation,
        settings,
        seed=seed,
        folder=lambda name: Path(job.output[name]),
        device=device,
    )
    log.to_csv(job.output.log, index=False)
    write_settings(job.output.settings, run=job.params.run, seed=seed, method="pretrain", settings=settings)


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}"):
        main(snakemake)
