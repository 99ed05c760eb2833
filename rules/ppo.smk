"""PPO, a rule for every row of the table of models that has the method.

Needs: the parent's checkpoint, prompts, held-out pairs, and what the row's reward asks for.
Makes: models/{run}/seed{seed}/best/ and final/, settings.yaml, log.csv, samples.parquet.
"""

from babylogue.reinforcement.rewards import REWARDS


def reward_inputs(reward):
    """Teacher's references and published models, as far as the reward needs them."""
    available = {
        "references": f"{RESULTS}/teacher/{ROLLOUTS}.parquet",
        "teacher": f"{RESULTS}/published/{CONFIG.teacher.writer}",
        "judge": f"{RESULTS}/published/{CONFIG.teacher.judge}",
        "embedder": f"{RESULTS}/published/{CONFIG.teacher.embedder}",
    }
    return {name: available[name] for name in REWARDS[reward].needs}


def judging_settings(reward):
    """How the models behind the reward are asked, where there are such."""
    return settings_of(CONFIG.teacher.judging) if REWARDS[reward].needs != ("references",) else {}


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
            code=code("ppo.py"),
            settings=settings_of(row, "method", "parent", "parent_checkpoint", "kept", "heldout_pairs"),
            judging=judging_settings(row.reward),
            run=run,
        script:
            "../scripts/ppo.py"
