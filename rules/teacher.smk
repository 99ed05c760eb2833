"""What the teacher writes.

Needs: prompts from the tune part, and the published model or the server that writes.
Makes: prompts/rollouts.parquet (prompts of PPO), teacher/{prompts}.parquet (replies and their log-probabilities);
beside them teacher/cache/, every reply ever given, which is no output, since a failed job would lose it.
"""

ROLLOUTS = "rollouts"
SERVER = CONFIG.published[CONFIG.teacher.writer].remote

if SERVER:

    localrules:
        replies,


localrules:
    rollout_prompts,


def prompts_file(wildcards):
    """The prompts that are answered: those of PPO, or of a natural pair set."""
    if wildcards.prompts == ROLLOUTS:
        return f"{RESULTS}/prompts/{ROLLOUTS}.parquet"
    return f"{RESULTS}/pairs/{wildcards.prompts}.parquet"


def replies_inputs(wildcards):
    """The prompts, and the model that writes unless it is behind a server."""
    model = {} if SERVER else {"model": f"{RESULTS}/published/{CONFIG.teacher.writer}"}
    return {"prompts": prompts_file(wildcards)} | model


def replies_settings(wildcards):
    """How the teacher is asked."""
    asked = CONFIG.teacher.rollouts if wildcards.prompts == ROLLOUTS else CONFIG.teacher.pairs
    return settings_of(asked)


rule rollout_prompts:
    input:
        triplets=TRIPLETS["tune"],
        split=f"{RESULTS}/corpus/split.parquet",
    output:
        f"{RESULTS}/prompts/{ROLLOUTS}.parquet",
    log:
        f"{RESULTS}/logs/rollout_prompts.log",
    benchmark:
        f"{RESULTS}/benchmarks/rollout_prompts.tsv"
    resources:
        mem_mb=by_attempt(4000),
    params:
        code=code("rollout_prompts.py"),
        tuning=settings_of(CONFIG.tuning),
        prompts=CONFIG.teacher.rollouts.prompts,
        seed=CONFIG.teacher.rollouts.seed,
    script:
        "../scripts/rollout_prompts.py"


rule replies:
    input:
        unpack(replies_inputs),
    output:
        f"{RESULTS}/teacher/{{prompts}}.parquet",
    log:
        f"{RESULTS}/logs/replies/{{prompts}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/replies/{{prompts}}.tsv"
    wildcard_constraints:
        prompts=one_of([ROLLOUTS, *CONFIG.pairs]),
    resources:
        mem_mb=by_attempt(6000),
        runtime=240,
    params:
        code=code("replies.py"),
        settings=replies_settings,
        writer=CONFIG.teacher.writer,
        server=settings_of(SERVER) if SERVER else {},
        engine=CONFIG.teacher.engine,
        cache=f"{RESULTS}/teacher/cache",
    script:
        "../scripts/replies.py"
