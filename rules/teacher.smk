"""What the teacher writes.

Needs: prompts from the tune part, and the published model that writes.
Makes: prompts/rollouts.parquet (prompts of PPO), teacher/{prompts}.parquet (replies and their log-probabilities).
"""

ROLLOUTS = "rollouts"


def prompts_file(wildcards):
    """The prompts that are answered: those of PPO, or of a natural pair set."""
    if wildcards.prompts == ROLLOUTS:
        return f"{RESULTS}/prompts/{ROLLOUTS}.parquet"
    return f"{RESULTS}/pairs/{wildcards.prompts}.parquet"


def replies_settings(wildcards):
    """How the teacher is asked."""
    asked = CONFIG.teacher.rollouts if wildcards.prompts == ROLLOUTS else CONFIG.teacher.pairs
    return settings_of(asked)


rule rollout_prompts:
    input:
        triplets=TRIPLETS["tune"],
        pairs=expand(f"{RESULTS}/pairs/{{pairs}}.parquet", pairs=rows(CONFIG.pairs, "part", "tune")),
    output:
        f"{RESULTS}/prompts/{ROLLOUTS}.parquet",
    log:
        f"{RESULTS}/logs/rollout_prompts.log",
    benchmark:
        f"{RESULTS}/benchmarks/rollout_prompts.tsv"
    resources:
        mem_mb=4000,
    params:
        code=code("rollout_prompts.py"),
        prompts=CONFIG.teacher.rollouts.prompts,
        seed=CONFIG.teacher.rollouts.seed,
    script:
        "../scripts/rollout_prompts.py"


rule replies:
    input:
        prompts=prompts_file,
        model=f"{RESULTS}/published/{CONFIG.teacher.writer}",
    output:
        f"{RESULTS}/teacher/{{prompts}}.parquet",
    log:
        f"{RESULTS}/logs/replies/{{prompts}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/replies/{{prompts}}.tsv"
    resources:
        mem_mb=6000,
        runtime=240,
    params:
        code=code("replies.py"),
        settings=replies_settings,
    script:
        "../scripts/replies.py"
