"""Rules grpo_{run} and rloo_{run}: tune a model by GRPO or RLOO on a reward.

snakemake --cores 2 --configfile presets/childes_small.yaml presets/reinforcement.yaml -- \
    results/reinforcement/models/grpo_bleu/seed0/best
"""

import shutil
from pathlib import Path

from babylogue.logs import job_log
from babylogue.model.device import prepare_device
from babylogue.model.state import TrainingState
from babylogue.provenance import write_settings
from babylogue.reinforcement.files import (
    heldout_pairs,
    made_with,
    prompts_from_file,
    reward_from_files,
    told,
    write_result,
)
from babylogue.reinforcement.group_policy import STATE, train_group_policy
from babylogue.reinforcement.group_settings import GRPOSettings, RLOOSettings
from babylogue.scoring.loading import load_model

SETTINGS = {"grpo": GRPOSettings, "rloo": RLOOSettings}


def main(job):
    device = prepare_device(job.threads)
    files = dict(job.input.items())
    made = made_with(job.params.method, job.params, files, job.wildcards.seed)
    state = TrainingState(Path(job.params.state), made, name=STATE)
    settings, seed = dict(job.params.settings), int(job.wildcards.seed)
    reward = settings.pop("reward")
    settings = SETTINGS[job.params.method](**settings)
    model, tokenizer = load_model(files["parent"], str(device))
    prompts, held_out_prompts = prompts_from_file(files["prompts"], model, tokenizer, settings)
    every = [*prompts, *held_out_prompts]
    result = train_group_policy(
        model,
        tokenizer,
        prompts,
        reward_from_files(reward, job.params.kinds, files, every, device=str(device), **job.params.options),
        settings,
        seed=seed,
        held_out_prompts=held_out_prompts,
        state=state,
        heldout=heldout_pairs(files["heldout"], model, tokenizer),
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
        dpo_model=files.get("dpo_model"),
        **told(result),
    )
    shutil.rmtree(state.folder)


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}", snakemake.input):
        main(snakemake)
