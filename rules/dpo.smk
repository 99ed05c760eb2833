"""DPO, a rule for every row of the table of models that has the method.

Needs: the parent's checkpoint, a pair set.
Makes: models/{run}/seed{seed}/{checkpoint}/ for every checkpoint of the row, settings.yaml, log.csv.
"""

for run, row in rows(CONFIG.models, "method", "dpo").items():

    rule:
        name:
            f"dpo_{run}"
        input:
            parent=parent_folder(row),
            pairs=f"{RESULTS}/pairs/{row.pairs}.parquet",
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
            runtime=360,
        params:
            code=code("dpo.py"),
            settings=settings_of(row, "method", "parent", "parent_checkpoint", "kept"),
            run=run,
            # No output: Snakemake deletes those of a job that was killed.
            state=model_file(run, "state"),
        script:
            "../scripts/dpo.py"
