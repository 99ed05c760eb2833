"""Rules ppo_{run}: tune a model by PPO on a reward.

snakemake --cores 2 results/models/ppo_bleu/seed0/best
"""

import shutil
from pathlib import Path

from babylogue.logs import job_log
from babylogue.model.device import prepare_device
from babylogue.model.state import TrainingState
from babylogue.model.texts import training_texts
from babylogue.preferences.accuracy import pair_accuracy
from babylogue.provenance import write_settings
from babylogue.reinforcement.files import (
    heldout_pairs,
    made_with,
    prompts_from_file,
    reward_from_files,
    told,
    write_result,
)
from babylogue.reinforcement.ppo import train
from babylogue.reinforcement.settings import PPOSettings
from babylogue.scoring.loading import load_model


def main(job):
    device = prepare_device(job.threads)
    files = dict(job.input.items())
    made = made_with("ppo", job.params, files, job.wildcards.seed)
    state = TrainingState(Path(job.params.state), made)
    settings, seed = dict(job.params.settings), int(job.wildcards.seed)
    reward = settings.pop("reward")
    settings = PPOSettings(**settings)
    corpus = None
    if settings.language_model_coefficient:
        corpus = [text for texts, _ in training_texts(Path(files["corpus"]), "triplets") for text in texts]
    model, tokenizer = load_model(files["parent"], str(device))
    heldout = heldout_pairs(files["heldout"], model, tokenizer)
    prompts, held_out_prompts = prompts_from_file(files["prompts"], model, tokenizer, settings)
    every = [*prompts, *held_out_prompts]
    result = train(
        model,
        tokenizer,
        prompts,
        reward_from_files(reward, job.params.kinds, files, every, device=str(device), **job.params.options),
        settings,
        seed=seed,
        corpus_texts=corpus,
        held_out=lambda policy: pair_accuracy(policy, tokenizer, heldout),
        held_out_prompts=held_out_prompts,
        state=state,
    )
    write_result(result, model, tokenizer, dict(job.output.items()), files.get("references"))
    write_settings(
        job.output.settings,
        run=job.params.run,
        seed=seed,
        method="ppo",
        settings=settings,
        parent=files["parent"],
        reward=reward,
        dpo_model=files.get("dpo_model"),
        **told(result),
    )
    shutil.rmtree(state.folder)


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}", snakemake.input):
        main(snakemake)
