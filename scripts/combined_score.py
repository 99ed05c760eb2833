"""Rule combined_score: a suite that is made of other suites' item scores.

snakemake --cores 2 results/scores/base/seed0/final/aoa.json
"""

import pandas as pd

from babylogue.logs import job_log
from babylogue.suites.defined import defined_in
from babylogue.suites.score_files import head_of, write_score


def main(job):
    suite = defined_in(job.params.module, job.wildcards.suite)
    tables = list(map(pd.read_parquet, job.input.parts))
    parts = [table.assign(**origin) for table, origin in zip(tables, job.params.origins, strict=True)]
    items = pd.read_parquet(job.input.suite[0]) if job.input.suite else None
    item_scores = suite.combiner(pd.concat(parts, ignore_index=True), items)
    weights = {table.attrs.get("weights") for table in tables}
    # A suite of a whole run is of several checkpoints, and of no one's weights.
    item_scores.attrs["weights"] = weights.pop() if len(weights) == 1 else None
    write_score(job.output, head_of(job.wildcards), item_scores, suite.rows(item_scores))


if __name__ == "__main__":
    with job_log(snakemake.log[0], " ".join(snakemake.wildcards), snakemake.input):
        main(snakemake)
