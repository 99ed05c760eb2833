"""Rules ppo_{run}: tune a model by PPO on a reward.

snakemake --cores 2 results/models/ppo_bleu/seed0/best
"""

import shutil
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter

from babylogue.logs import job_log
from babylogue.model.checkpoints import save_model
from babylogue.model.device import prepare_device
from babylogue.model.state import TrainingState, content_digest
from babylogue.model.texts import training_texts
from babylogue.preferences.accuracy import pair_accuracy
from babylogue.provenance import write_settings
from babylogue.reinforcement.ppo import train
from babylogue.reinforcement.prompts import fitting_prompts
from babylogue.reinforcement.rewards.base import RewardInputs, RewardKind, first_references
from babylogue.reinforcement.rewards.multi import build_reward
from babylogue.reinforcement.settings import PPOSettings, RewardSetting
from babylogue.scoring.loading import load_model


def reward_of(job, prompts, device):
    """The reward, from what the rule gives it."""
    roles = ("parent", "teacher", "judge", "embedder")
    inputs = {role: Path(job.input[role]) for role in roles if role in job.input.keys()}
    if "references" in job.input.keys():
        inputs["references"] = pd.read_parquet(job.input.references)
    reward = TypeAdapter(RewardSetting).validate_python(job.params.settings["reward"])
    kinds = {name: RewardKind(**kind) for name, kind in job.params.kinds.items()}
    return build_reward(
        reward, kinds, RewardInputs(prompts=prompts, **inputs, **job.params.judging, device=str(device))
    )


def made_with(job):
    """What the result depends on."""
    return {
        "ppo": job.params.settings,
        "judging": job.params.judging,
        "seed": job.wildcards.seed,
        "code": job.params.code,
        **{name: content_digest(Path(path)) for name, path in job.input.items()},
    }


def samples(job, result):
    """Every reply, with the reference that it was held against where the reward has one."""
    references = {}
    if "references" in job.input.keys():
        references = first_references(pd.read_parquet(job.input.references))
    return result.samples.assign(reference=result.samples["prompt"].map(references).astype("string"))


def main(job):
    device = prepare_device(job.threads)
    state = TrainingState(Path(job.params.state), made_with(job))
    settings = {name: value for name, value in job.params.settings.items() if name != "reward"}
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
        reward_of(job, prompts, device),
        settings,
        seed=seed,
        corpus_texts=corpus,
        held_out=lambda policy: pair_accuracy(policy, tokenizer, heldout),
        state=state,
    )
    for name in ("final", "best"):
        model.load_state_dict(getattr(result, name))
        save_model(model, tokenizer, Path(job.output[name]))
    result.log.to_csv(job.output.log, index=False)
    samples(job, result).to_parquet(job.output.samples)
    write_settings(
        job.output.settings,
        run=job.params.run,
        seed=seed,
        method="ppo",
        settings=settings,
        parent=job.input.parent,
        reward=job.params.settings["reward"],
        stopped=result.stopped or "",
    )
    shutil.rmtree(state.folder)


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.params.run} seed {snakemake.wildcards.seed}"):
        main(snakemake)
