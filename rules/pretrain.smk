"""Pre-training, a rule for every row of the table of models that has the method.

Needs: triplets of the pretrain and validation parts and, where a row mixes them in, of adults; the tokenizer.
Makes: models/{run}/seed{seed}/{checkpoint}/ for every checkpoint of the row, settings.yaml, log.csv.
"""


def adult_dialogue(row):
    """The triplets of adults, where the row mixes them in."""
    return {"adult": ADULT_TRIPLETS} if row.adult_share else {}


for run, row in rows(CONFIG.models, "method", "pretrain").items():

    rule:
        name:
            f"pretrain_{run}"
        input:
            **adult_dialogue(row),
            train=f"{RESULTS}/corpus/triplets/pretrain.parquet",
            validation=f"{RESULTS}/corpus/triplets/validation.parquet",
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
            mem_mb=6000,
            runtime=720,
        params:
            code=code("pretrain.py"),
            settings=settings_of(row, "method"),
            run=run,
        script:
            "../scripts/pretrain.py"
