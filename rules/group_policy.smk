"""GRPO and RLOO, a rule for every row of the table of models that has one of these methods.

Needs: the parent's checkpoint, prompts, held-out pairs, and what the row's reward asks for.
Makes: models/{run}/seed{seed}/best/ and final/, settings.yaml, log.csv, samples.parquet, as PPO does.
"""

for run, row in rows(CONFIG.models, "method", "grpo", "rloo").items():

    rule:
        name:
            f"{row.method}_{run}"
        input:
            **reward_inputs(row.reward),
            parent=parent_folder(row),
            prompts=f"{RESULTS}/prompts/{ROLLOUTS}.parquet",
            heldout=f"{RESULTS}/pairs/{row.heldout_pairs}.parquet",
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
            code=code("group_policy.py"),
            method=row.method,
            settings=settings_of(row, "method", "parent", "parent_checkpoint", "kept", "heldout_pairs"),
            judging=judging_settings(row.reward),
            run=run,
            # No output: Snakemake deletes those of a job that was killed.
            state=model_file(run, "state"),
        script:
            "../scripts/group_policy.py"
