"""Rule score: one model checkpoint on one suite.

snakemake --cores 2 results/scores/base/seed0/final/toy_grammar.json
"""

import json
from importlib import import_module
from pathlib import Path

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.model.device import prepare_device
from babylogue.scoring.loading import load_model


def main(job):
    device = prepare_device(job.threads)
    suite = import_module(job.params.module).SUITES[job.wildcards.suite]
    model, tokenizer = load_model(job.input.model, str(device))
    item_scores = suite.evaluate(model, tokenizer, pd.read_parquet(job.input.suite), job.params.batch_tokens)
    rows = suite.rows(item_scores)
    item_scores.to_parquet(job.output.item_scores)
    head = {name: job.wildcards[name] for name in ("run", "seed", "checkpoint", "suite")}
    Path(job.output.rows).write_text(
        json.dumps({**head, "seed": int(head["seed"]), "rows": rows}, indent=1) + "\n"
    )
    for row in rows:
        if row["group"] == "all" and row["value"] is not None:
            logger.info("%s %.2f (n = %d)", row["metric"], row["value"], row["n"])


if __name__ == "__main__":
    with job_log(snakemake.log[0], " ".join(snakemake.wildcards)):
        main(snakemake)
