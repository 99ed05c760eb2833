"""Rule combined_score: a suite that is made of other suites' item scores.

snakemake --cores 2 results/scores/base/seed0/final/aoa.json
"""

from importlib import import_module

import pandas as pd

from babylogue.logs import job_log
from babylogue.suites.score_files import head_of, write_score


def main(job):
    suite = import_module(job.params.module).SUITES[job.wildcards.suite]
    parts = [
        pd.read_parquet(file).assign(**origin)
        for file, origin in zip(job.input.parts, job.params.origins, strict=True)
    ]
    items = pd.read_parquet(job.input.suite[0]) if job.input.suite else None
    item_scores = suite.combiner(pd.concat(parts, ignore_index=True), items)
    write_score(job.output, head_of(job.wildcards), item_scores, suite.rows(item_scores))


if __name__ == "__main__":
    with job_log(snakemake.log[0], " ".join(snakemake.wildcards), snakemake.input):
        main(snakemake)
