"""PPO, a rule for every row of the table of models that has the method.

Needs: the parent's checkpoint, prompts, held-out pairs, and what the row's reward asks for.
Makes: models/{run}/seed{seed}/best/ and final/, settings.yaml, log.csv, samples.parquet.
"""

from dataclasses import asdict

from babylogue.reinforcement.rewards.registry import needs as reward_needs
from babylogue.reinforcement.rewards.registry import terms as reward_terms


def reward_inputs(reward):
    """The teacher's references and the published models that the reward needs."""
    available = {
        "references": f"{RESULTS}/teacher/{ROLLOUTS}.parquet",
        "teacher": f"{RESULTS}/published/{CONFIG.teacher.writer}",
        "judge": f"{RESULTS}/published/{CONFIG.teacher.judge}",
        "embedder": f"{RESULTS}/published/{CONFIG.teacher.embedder}",
    }
    return {name: file for name, file in available.items() if name in reward_needs(reward)}


def reward_judging(reward):
    """How many replies the models behind a reward read at once, if it has any."""
    models = {"teacher", "judge", "embedder"} & reward_needs(reward)
    return settings_of(CONFIG.teacher.judging) if models else {}


def reward_code(script, reward):
    """The fingerprint of a script that works with a reward, the other rewards left out."""
    return code(script, *(kind.module for kind in reward_terms(reward).values()))


def reward_kinds(reward):
    """Term -> where it is defined, what it needs and its range."""
    return {name: asdict(kind) for name, kind in reward_terms(reward).items()}


for run, row in rows(CONFIG.models, "method", "ppo").items():

    rule:
        name:
            f"ppo_{run}"
        input:
            **reward_inputs(row.reward),
            parent=parent_folder(row),
            prompts=f"{RESULTS}/prompts/{ROLLOUTS}.parquet",
            heldout=f"{RESULTS}/pairs/{row.heldout_pairs}.parquet",
            corpus=TRIPLETS["pretrain"],
        output:
            **checkpoint_folders(run),
            settings=model_file(run, "settings.yaml"),
            log=model_file(run, "log.csv"),
            samples=model_file(run, "samples.parquet"),
        log:
            f"{RESULTS}/logs/models/{run}/seed{{seed}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/models/{run}/seed{{seed}}.tsv"
        resources:
            mem_mb=8000,
            runtime=720,
        params:
            code=reward_code("ppo.py", row.reward),
            kinds=reward_kinds(row.reward),
            settings=settings_of(row, "method", "parent", "parent_checkpoint", "kept", "heldout_pairs"),
            judging=reward_judging(row.reward),
            run=run,
            # No output: Snakemake deletes those of a job that was killed.
            state=model_file(run, "state"),
        script:
            "../scripts/ppo.py"
