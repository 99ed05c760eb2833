"""Rule score: one model checkpoint on one suite.

snakemake --cores 2 results/scores/base/seed0/final/toy_grammar.json
"""

import pandas as pd

from babylogue.logs import job_log
from babylogue.model.device import prepare_device
from babylogue.scoring.loading import load_model
from babylogue.suites.defined import defined_in
from babylogue.suites.score_files import head_of, weights_digest, write_score


def main(job):
    device = prepare_device(job.threads)
    suite = defined_in(job.params.module, job.wildcards.suite)
    model, tokenizer = load_model(job.input.model, str(device))
    item_scores = suite.evaluate(model, tokenizer, pd.read_parquet(job.input.suite), job.params.batch_tokens)
    item_scores.attrs["weights"] = weights_digest(job.input.model)
    write_score(job.output, head_of(job.wildcards), item_scores, suite.rows(item_scores))


if __name__ == "__main__":
    with job_log(snakemake.log[0], " ".join(snakemake.wildcards), snakemake.input):
        main(snakemake)
