"""Predictions for the BabyLM leaderboard. No other rule needs it, so it runs only when asked for by name.

Needs: items and item scores of the full suites at `final` and of the fast ones at every other checkpoint by words,
whatever `evaluate` asks for; suites that cannot be had are left out and named in the log.
Makes: submission/{run}/seed{seed}.zip, in the folders of the BabyLM 2025 pipeline.
"""

from babylogue.suites.submission import FAST, FULL, STRICT_SMALL, SURPRISAL


@cache
def not_submitted():
    """Suites of a submission that cannot be had."""
    return missing(sorted({*FULL, *FAST, SURPRISAL}), CONFIG.suites, DOWNLOADS, os.environ)


def submitted(wildcards):
    """(suite, checkpoint, folder) of each file of predictions, and the checkpoints of the surprisal file."""
    steps = [name for name in CONFIG.models[wildcards.run].words_at() if name != "final"]
    files = [
        (suite, checkpoint, folder)
        for checkpoint in ["final", *steps]
        for suite, folder in (FULL if checkpoint == "final" else FAST).items()
        if suite not in not_submitted()
    ]
    if not files:
        sys.exit(f"submission/{wildcards.run}: none of its suites can be had; set suites.mirror")
    return files, [] if SURPRISAL in not_submitted() else steps


def submitted_scores(wildcards):
    """(suite, checkpoint) of every score that is needed, once."""
    files, steps = submitted(wildcards)
    return [(suite, checkpoint) for suite, checkpoint, _ in files] + [(SURPRISAL, step) for step in steps]


def submission_inputs(wildcards):
    """Tables of items, one a suite, and item scores in the order of `submitted_scores`."""
    scores = submitted_scores(wildcards)
    run = f"{RESULTS}/scores/{wildcards.run}/seed{wildcards.seed}"
    return {
        "tables": [f"{RESULTS}/suites/{suite}.parquet" for suite in sorted({suite for suite, _ in scores})],
        "item_scores": [f"{run}/{checkpoint}/{suite}.parquet" for suite, checkpoint in scores],
    }


def submitted_files(wildcards):
    """The files of predictions."""
    return submitted(wildcards)[0]


def surprisal_steps(wildcards):
    """The checkpoints of the surprisal file."""
    return submitted(wildcards)[1]


def submitted_name(wildcards):
    """The model's name; the pipeline would cut it at its last dot."""
    return f"{wildcards.run}_seed{wildcards.seed}".replace(".", "_")


def words_of_run(wildcards):
    """Checkpoint -> words seen."""
    return CONFIG.models[wildcards.run].words_at()


def submission_lacks(wildcards):
    """What the pipeline's collation asks for and will not find, a line each."""
    steps = [name for name in STRICT_SMALL if name not in CONFIG.models[wildcards.run].words_at()]
    lines = [f"left out: {suite.suite}, {suite.reason}" for suite in not_submitted().values()]
    return lines + ([f"the track strict-small wants the checkpoints {', '.join(steps)} too"] if steps else [])


localrules:
    submission,


rule submission:
    input:
        unpack(submission_inputs),
    output:
        f"{RESULTS}/submission/{{run}}/seed{{seed}}.zip",
    log:
        f"{RESULTS}/logs/submission/{{run}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/submission/{{run}}/seed{{seed}}.tsv"
    resources:
        mem_mb=by_attempt(3000),
    params:
        code=code("submission.py"),
        model=submitted_name,
        files=submitted_files,
        scores=submitted_scores,
        surprisal=surprisal_steps,
        words=words_of_run,
        lacks=submission_lacks,
    script:
        "../scripts/submission.py"
