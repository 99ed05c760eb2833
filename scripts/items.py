"""Rule items: which models are right on which items, in full as a table and in part for the page.

snakemake --cores 2 results/report/items.parquet
"""

import json
from pathlib import Path

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.report.items import COMPACT, decisions_of, page_data, read_scores, suite_data, write_items


def main(job):
    tables = dict(zip(job.params.plain_text, job.input.suites, strict=True))
    files = iter(job.input.scores)
    runs = list(dict.fromkeys(run for own in job.params.suites.values() for run in own))
    found = []

    def decisions():
        for suite, own in job.params.suites.items():
            scores = {run: read_scores(suite, run, next(files), plain_text=suite in tables) for run in own}
            items = pd.read_parquet(tables[suite]) if suite in tables else None
            decided = decisions_of(suite, scores, items)
            found.append(suite_data(decided))
            yield decided

    count = write_items(job.output.table, runs, decisions())
    data = page_data(found, job.params.seed)
    Path(job.output.page).write_text(json.dumps(data, **COMPACT), encoding="utf-8")
    shown = sum(len(suite["rows"]) for suite in data["suites"])
    logger.info("%d items of %d suites, %d of them for the page", count, len(found), shown)


if __name__ == "__main__":
    with job_log(snakemake.log[0], "items", snakemake.input):
        main(snakemake)
