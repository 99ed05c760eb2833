"""Scores: one model checkpoint on one suite.

Needs: a checkpoint, a suite's items.
Makes: scores/{run}/seed{seed}/{checkpoint}/{suite}.json (metrics with intervals) and .parquet (item scores).
"""


def score_code(wildcards):
    """The fingerprint of scoring this suite, the other suites left out."""
    return code("score.py", suite_module(wildcards.suite))


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
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        code=score_code,
        module=module_of_suite,
        batch_tokens=CONFIG.suites.batch_tokens,
    script:
        "../scripts/score.py"
