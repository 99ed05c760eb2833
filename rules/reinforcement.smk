"""PPO, GRPO and RLOO, a rule for every row of the table of models that has one of these methods.

Needs: the parent's checkpoint, prompts, held-out pairs, and what the row's reward asks for.
Makes: models/{run}/seed{seed}/best/ and final/, settings.yaml, log.csv, samples.parquet.
"""

from dataclasses import asdict

from babylogue.reinforcement.rewards.registry import needs as reward_needs
from babylogue.reinforcement.rewards.registry import terms as reward_terms


def rewarded_inputs(row):
    """The parent, prompts, held-out pairs, and what the reward reads: the teacher's references, other models."""
    available = {
        "dpo_model": dpo_model_folder(row),
        "references": f"{RESULTS}/teacher/{ROLLOUTS}.parquet",
        "teacher": f"{RESULTS}/published/{CONFIG.teacher.writer}",
        "judge": f"{RESULTS}/published/{CONFIG.teacher.judge}",
        "embedder": f"{RESULTS}/published/{CONFIG.teacher.embedder}",
    }
    return {
        "parent": parent_folder(row),
        "prompts": f"{RESULTS}/prompts/{ROLLOUTS}.parquet",
        "heldout": f"{RESULTS}/pairs/{row.heldout_pairs}.parquet",
        **{name: file for name, file in available.items() if name in reward_needs(row.reward)},
    }


def dpo_model_folder(row):
    """The DPO model that implicit_reward is of; None if no row has its name."""
    tuned = CONFIG.models.get(row.dpo_model)
    return tuned and f"{RESULTS}/models/{row.dpo_model}/seed{{seed}}/{tuned.kept}"


def rewarded_outputs(run):
    """The checkpoints and what is beside them."""
    return {
        **checkpoint_folders(run),
        "settings": model_file(run, "settings.yaml"),
        "log": model_file(run, "log.csv"),
        "samples": model_file(run, "samples.parquet"),
    }


def reward_modules(row):
    """The library's modules behind the rewards that the row uses."""
    return [kind.module for kind in reward_terms(row.reward).values()]


def rewarded_params(run, row):
    """The settings, what its rewards are, and where the training keeps its state."""
    options = {}
    if {"teacher", "judge", "embedder"} & reward_needs(row.reward):
        options |= settings_of(CONFIG.teacher.judging)
    if "dpo_model" in reward_needs(row.reward):
        options["beta"] = CONFIG.models[row.dpo_model].beta
    return {
        "kinds": {name: asdict(kind) for name, kind in reward_terms(row.reward).items()},
        "settings": settings_of(
            row, "method", "parent", "parent_checkpoint", "kept", "heldout_pairs", "dpo_model"
        ),
        "options": options,
        "run": run,
        # No output: Snakemake deletes those of a job that was killed.
        "state": model_file(run, "state"),
    }


for run, row in rows(CONFIG.models, "method", "ppo").items():

    rule:
        name:
            f"ppo_{run}"
        input:
            **rewarded_inputs(row),
            corpus=TRIPLETS["pretrain"],
        output:
            **rewarded_outputs(run),
        log:
            f"{RESULTS}/logs/models/{run}/seed{{seed}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/models/{run}/seed{{seed}}.tsv"
        resources:
            mem_mb=by_attempt(8000),
            runtime=720,
        params:
            **rewarded_params(run, row),
            code=code("ppo.py", *reward_modules(row)),
        script:
            "../scripts/ppo.py"


for run, row in rows(CONFIG.models, "method", "grpo", "rloo").items():

    rule:
        name:
            f"{row.method}_{run}"
        input:
            **rewarded_inputs(row),
        output:
            **rewarded_outputs(run),
        log:
            f"{RESULTS}/logs/models/{run}/seed{{seed}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/models/{run}/seed{{seed}}.tsv"
        resources:
            mem_mb=by_attempt(8000),
            runtime=720,
        params:
            **rewarded_params(run, row),
            code=code("group_policy.py", *reward_modules(row)),
            method=row.method,
        script:
            "../scripts/group_policy.py"
