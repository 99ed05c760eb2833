"""Rule comparisons: differences between models on the same items, suite by suite.

snakemake --cores 2 results/report/comparisons.csv
"""

from functools import cache

import pandas as pd

from babylogue.analysis.comparisons import Contrast, comparisons_table, differences, read_item_scores
from babylogue.logs import job_log, logger
from babylogue.suites.defined import defined_in


def main(job):
    files = dict(zip(map(tuple, job.params.scores), job.input, strict=True))
    rows = []
    for name, module in job.params.modules.items():
        rows += suite_differences(defined_in(module, name), job.params.contrasts[name], files)
    table = comparisons_table(rows)
    table.to_csv(job.output[0], index=False)
    logger.info("%d differences, %d of them beyond chance", len(table), table["differs"].sum())


def suite_differences(suite, contrasts, files) -> list[dict]:
    """The differences on one suite; files: (run, seed, checkpoint, suite) -> item scores."""

    @cache
    def item_scores(run: str, checkpoint: str) -> list[pd.DataFrame]:
        own = [path for key, path in files.items() if (key[0], *key[2:]) == (run, checkpoint, suite.name)]
        return [read_item_scores(path) for path in own]

    found = differences(suite, [Contrast(*contrast) for contrast in contrasts], item_scores)
    logger.info("%s: %d differences", suite.name, len(found))
    return found


if __name__ == "__main__":
    with job_log(snakemake.log[0], "comparisons", snakemake.input):
        main(snakemake)
