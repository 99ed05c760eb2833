"""Scores: one model checkpoint on one suite.

Needs: a checkpoint, a suite's items; a suite that combines others needs their item scores.
Makes: scores/{run}/seed{seed}/{checkpoint}/{suite}.json (metrics with intervals) and .parquet (item scores).
"""

from babylogue.suites.registry import COMBINATIONS


def origins(wildcards):
    """Suite, checkpoint and words seen of each score that is combined."""
    combination = COMBINATIONS[wildcards.suite]
    words = {wildcards.checkpoint: None}
    if combination.whole_run:
        words = CONFIG.models[wildcards.run].words_at()
        if not words or wildcards.checkpoint != "final":
            sys.exit(
                f"scores/{wildcards.run}/.../{wildcards.checkpoint}/{wildcards.suite}.json: there is none; "
                f"{wildcards.suite} is of a pre-trained run as a whole, under the checkpoint final"
            )
    return [
        {"suite": part, "checkpoint": checkpoint, "words": seen}
        for part in combination.parts
        for checkpoint, seen in words.items()
    ]


def combined_inputs(wildcards):
    """Item scores to combine, in the order of `origins`, and the suite's items where it has files of its own."""
    run = f"{RESULTS}/scores/{wildcards.run}/seed{wildcards.seed}"
    items = [f"{RESULTS}/suites/{wildcards.suite}.parquet"] if load_suite(wildcards.suite).sources else []
    return {
        "parts": [f"{run}/{part['checkpoint']}/{part['suite']}.parquet" for part in origins(wildcards)],
        "suite": items,
    }


rule score:
    input:
        model=f"{MODELS}/{{checkpoint}}",
        suite=f"{RESULTS}/suites/{{suite}}.parquet",
    output:
        rows=f"{RESULTS}/scores/{{run}}/seed{{seed}}/{{checkpoint}}/{{suite}}.json",
        item_scores=f"{RESULTS}/scores/{{run}}/seed{{seed}}/{{checkpoint}}/{{suite}}.parquet",
    log:
        f"{RESULTS}/logs/scores/{{run}}/seed{{seed}}/{{checkpoint}}/{{suite}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/scores/{{run}}/seed{{seed}}/{{checkpoint}}/{{suite}}.tsv"
    wildcard_constraints:
        suite=one_of(set(SUITES) - set(COMBINATIONS)),
    resources:
        mem_mb=by_attempt(3000),
        runtime=30,
        scores_at_once=1,  # of a group, where the profile says how many
    params:
        code=suite_code("score.py"),
        module=module_of_suite,
        batch_tokens=CONFIG.suites.batch_tokens,
    script:
        "../scripts/score.py"


rule combined_score:
    input:
        unpack(combined_inputs),
    output:
        rows=f"{RESULTS}/scores/{{run}}/seed{{seed}}/{{checkpoint}}/{{suite}}.json",
        item_scores=f"{RESULTS}/scores/{{run}}/seed{{seed}}/{{checkpoint}}/{{suite}}.parquet",
    log:
        f"{RESULTS}/logs/scores/{{run}}/seed{{seed}}/{{checkpoint}}/{{suite}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/scores/{{run}}/seed{{seed}}/{{checkpoint}}/{{suite}}.tsv"
    wildcard_constraints:
        suite=one_of(COMBINATIONS),
    resources:
        gpu=0,
        scores_at_once=1,
    params:
        code=suite_code("combined_score.py"),
        module=module_of_suite,
        origins=origins,
    script:
        "../scripts/combined_score.py"
