"""Reply samples: what every model says to the same caregiver turns.

Needs: the test part's triplets, the checkpoint that stands for each model.
Makes: replies/prompts.parquet, replies/{run}/seed{seed}/{checkpoint}.parquet, report/replies.csv.
"""

# One seed shows what a model is like.
REPLYING = [[run, CONFIG.seeds[0], checkpoint] for run, checkpoint in REPORTED_AT.items()]


if REPLIES:

    localrules:
        reply_prompts,
        replies_table,

    rule reply_prompts:
        input:
            triplets=TRIPLETS["test"],
        output:
            f"{RESULTS}/replies/prompts.parquet",
        log:
            f"{RESULTS}/logs/reply_prompts.log",
        benchmark:
            f"{RESULTS}/benchmarks/reply_prompts.tsv"
        resources:
            mem_mb=by_attempt(4000),
        params:
            code=code("reply_prompts.py"),
            prompts=REPLIES.prompts,
            seed=REPLIES.seed,
        script:
            "../scripts/reply_prompts.py"

    rule reply_samples:
        input:
            model=f"{MODELS}/{{checkpoint}}",
            prompts=f"{RESULTS}/replies/prompts.parquet",
        output:
            f"{RESULTS}/replies/{{run}}/seed{{seed}}/{{checkpoint}}.parquet",
        log:
            f"{RESULTS}/logs/reply_samples/{{run}}/seed{{seed}}/{{checkpoint}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/reply_samples/{{run}}/seed{{seed}}/{{checkpoint}}.tsv"
        resources:
            mem_mb=by_attempt(3000),
            runtime=30,
            scores_at_once=1,  # of a group, as scores
        params:
            code=code("reply_samples.py"),
            settings=settings_of(REPLIES, "prompts", "samples"),
            samples=REPLIES.samples,
        script:
            "../scripts/reply_samples.py"

    rule replies_table:
        input:
            prompts=f"{RESULTS}/replies/prompts.parquet",
            samples=[
                f"{RESULTS}/replies/{run}/seed{seed}/{checkpoint}.parquet" for run, seed, checkpoint in REPLYING
            ],
        output:
            shown("replies"),
        log:
            f"{RESULTS}/logs/replies_table.log",
        params:
            code=code("replies_table.py"),
            models=REPLYING,
        script:
            "../scripts/replies_table.py"
