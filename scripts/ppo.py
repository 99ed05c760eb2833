"""Rules ppo_{run}: tune a model by PPO on a reward.

snakemake --cores 2 results/models/ppo_bleu/seed0/best
"""

from pathlib import Path

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.model.checkpoints import save_model
from babylogue.model.device import prepare_device
from babylogue.model.texts import training_texts
from babylogue.preferences.accuracy import pair_accuracy
from babylogue.provenance import write_settings
from babylogue.reinforcement.inputs import reward_from_files
from babylogue.reinforcement.ppo import train
from babylogue.reinforcement.prompts import fitting_prompts
from babylogue.reinforcement.settings import PPOSettings
from babylogue.scoring.loading import load_model


def main(job):
    device = prepare_device(job.threads)
    settings = dict(job.params.settings)
    reward = reward_from_files(
        settings.pop("reward"), dict(job.input.items()), **job.params.judging, device=str(device)
    )
    settings, seed = PPOSettings(**settings), int(job.wildcards.seed)
    heldout = pd.read_parquet(job.input.heldout).query("part == 'heldout'")
    corpus = None
    if settings.language_model_coefficient:
        corpus = [text for texts, _ in training_texts(Path(job.input.corpus), "triplets") for text in texts]
    model, tokenizer = load_model(job.input.parent, str(device))
    room = model.config.max_position_embeddings - settings.max_new_tokens
    prompts = fitting_prompts(pd.read_parquet(job.input.prompts)["prompt"], tokenizer, room)
    result = train(
        model,
        tokenizer,
        prompts,
        reward,
        settings,
        seed=seed,
        corpus_texts=corpus,
        held_out=lambda policy: pair_accuracy(policy, tokenizer, heldout),
    )
    if result.stopped:
        logger.warning("stopped by the guard: %s; best is step %d", result.stopped, result.best_step)
    for name in ("final", "best"):
        model.load_state_dict(getattr(result, name))
        save_model(model, tokenizer, Path(job.output[name]))
    result.log.to_csv(job.output.log, index=False)
    result.samples.to_parquet(job.output.samples)
    write_settings(
        job.output.settings,
        run=job.params.run,
        seed=seed,
        method="ppo",
        settings=settings,
        parent=job.input.parent,
        reward=job.params.settings["reward"],
        best_step=result.best_step,
        stopped=result.stopped or "",
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}"):
        main(snakemake)
