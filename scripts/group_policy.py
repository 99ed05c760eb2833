"""Rules grpo_{run} and rloo_{run}: tune a model by GRPO or RLOO on a reward.

snakemake --cores 2 --configfile presets/childes_small.yaml presets/reinforcement.yaml -- \
    results/reinforcement/models/grpo_bleu/seed0/best
"""

import shutil
from pathlib import Path

import pandas as pd

from babylogue.logs import job_log
from babylogue.model.checkpoints import save_model
from babylogue.model.device import prepare_device
from babylogue.model.state import TrainingState, content_digest
from babylogue.provenance import write_settings
from babylogue.reinforcement.group_policy import STATE, train_group_policy
from babylogue.reinforcement.group_settings import GRPOSettings, RLOOSettings
from babylogue.reinforcement.inputs import reward_from_files
from babylogue.scoring.loading import load_model

SETTINGS = {"grpo": GRPOSettings, "rloo": RLOOSettings}


def main(job):
    device = prepare_device(job.threads)
    settings, method, seed = dict(job.params.settings), job.params.method, int(job.wildcards.seed)
    made_with = {
        "method": method,
        method: settings,
        "seed": seed,
        "code": job.params.code,
        "judging": job.params.judging,
    }
    inputs = {name: content_digest(Path(path)) for name, path in job.input.items()}
    state = TrainingState(Path(job.params.state), made_with | inputs, name=STATE)
    name = settings.pop("reward")
    settings = SETTINGS[method](**settings)
    model, tokenizer = load_model(job.input.parent, str(device))
    result = train_group_policy(
        model,
        tokenizer,
        pd.read_parquet(job.input.prompts)["prompt"],
        reward_from_files(name, dict(job.input.items()), **job.params.judging, device=str(device)),
        settings,
        seed=seed,
        state=state,
        heldout=pd.read_parquet(job.input.heldout).query("part == 'heldout'"),
    )
    for checkpoint in ("final", "best"):
        model.load_state_dict(getattr(result, checkpoint))
        save_model(model, tokenizer, Path(job.output[checkpoint]))
    result.log.to_csv(job.output.log, index=False)
    result.samples.to_parquet(job.output.samples)
    write_settings(
        job.output.settings,
        run=job.params.run,
        seed=seed,
        method=method,
        settings=settings,
        parent=job.input.parent,
        reward=name,
        best_step=result.best_step,
        stopped=result.stopped or "",
    )
    shutil.rmtree(state.folder)


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}"):
        main(snakemake)
