"""Pre-training, a rule for every row of the table of models that has the method.

Needs: the tokenizer, texts of the pretrain and validation parts in its tokens.
Makes: models/{run}/seed{seed}/{checkpoint}/ for every checkpoint of the row, settings.yaml, log.csv.
"""

for run, row in rows(CONFIG.models, "method", "pretrain").items():

    rule:
        name:
            f"pretrain_{run}"
        input:
            train=f"{RESULTS}/tokens/{row.text_name()}/pretrain",
            validation=f"{RESULTS}/tokens/{row.text}/validation",
            tokenizer=f"{RESULTS}/tokenizer",
        output:
            **checkpoint_folders(run),
            settings=model_file(run, "settings.yaml"),
            log=model_file(run, "log.csv"),
        log:
            f"{RESULTS}/logs/models/{run}/seed{{seed}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/models/{run}/seed{{seed}}.tsv"
        resources:
            mem_mb=by_attempt(6000),
            runtime=720,
        params:
            code=code("pretrain.py"),
            settings=settings_of(row, "method"),
            run=run,
            # No output: Snakemake deletes those of a job that was killed.
            state=model_file(run, "state"),
        script:
            "../scripts/pretrain.py"
