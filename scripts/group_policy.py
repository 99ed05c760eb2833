"""Rules grpo_{run} and rloo_{run}: tune a model by GRPO or RLOO on a reward.

snakemake --cores 2 --configfile presets/childes_small.yaml presets/reinforcement.yaml -- \
    results/reinforcement/models/grpo_bleu/seed0/best
"""

import shutil
from pathlib import Path

import pandas as pd

from babylogue.logs import job_log
from babylogue.model.device import prepare_device
from babylogue.model.state import TrainingState, content_digest
from babylogue.provenance import write_settings
from babylogue.reinforcement.files import reward_from_files, told, write_result
from babylogue.reinforcement.group_policy import STATE, train_group_policy
from babylogue.reinforcement.group_settings import GRPOSettings, RLOOSettings
from babylogue.reinforcement.prompts import fitting_prompts, hold_out
from babylogue.scoring.loading import load_model

SETTINGS = {"grpo": GRPOSettings, "rloo": RLOOSettings}


def made_with(job):
    """What the result depends on."""
    return {
        "method": job.params.method,
        job.params.method: job.params.settings,
        "kinds": job.params.kinds,
        "judging": job.params.judging,
        "seed": job.wildcards.seed,
        "code": job.params.code,
        **{name: content_digest(Path(path)) for name, path in job.input.items()},
    }


def main(job):
    device = prepare_device(job.threads)
    state = TrainingState(Path(job.params.state), made_with(job), name=STATE)
    settings, seed = dict(job.params.settings), int(job.wildcards.seed)
    reward, files = settings.pop("reward"), dict(job.input.items())
    settings = SETTINGS[job.params.method](**settings)
    model, tokenizer = load_model(files["parent"], str(device))
    room = model.config.max_position_embeddings - settings.max_new_tokens
    prompts = fitting_prompts(pd.read_parquet(files["prompts"])["prompt"], tokenizer, room)
    rollout_prompts, held_out_prompts = hold_out(prompts, settings.held_out_prompts)
    result = train_group_policy(
        model,
        tokenizer,
        rollout_prompts,
        reward_from_files(reward, job.params.kinds, files, prompts, device=str(device), **job.params.judging),
        settings,
        seed=seed,
        held_out_prompts=held_out_prompts,
        state=state,
        heldout=pd.read_parquet(files["heldout"]).query("part == 'heldout'"),
    )
    write_result(result, model, tokenizer, dict(job.output.items()), files.get("references"))
    write_settings(
        job.output.settings,
        run=job.params.run,
        seed=seed,
        method=job.params.method,
        settings=settings,
        parent=files["parent"],
        reward=reward,
        **told(result),
    )
    shutil.rmtree(state.folder)


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}"):
        main(snakemake)
