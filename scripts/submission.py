"""Rule submission: a run's predictions as the BabyLM pipeline's collation reads them.

snakemake --cores 2 results/submission/base/seed0.zip
"""

from pathlib import Path

import pandas as pd

from babylogue.logs import job_log, logger
from babylogue.suites.submission import SURPRISAL, SURPRISAL_FILE, predictions, surprisals, write_zip


def main(job):
    model, words = job.params.model, job.params.words
    tables = {Path(file).stem: file for file in job.input.tables}
    scores = dict(zip(map(tuple, job.params.scores), job.input.item_scores, strict=True))

    def contents():
        for suite, checkpoint, folder in job.params.files:
            items, item_scores = pd.read_parquet(tables[suite]), pd.read_parquet(scores[suite, checkpoint])
            revision = "main" if checkpoint == "final" else checkpoint
            yield f"{model}/{revision}/{folder}/predictions.json", predictions(suite, items, item_scores)
        ages = {checkpoint: pd.read_parquet(scores[SURPRISAL, checkpoint]) for checkpoint in job.params.surprisal}
        if ages:
            items = pd.read_parquet(tables[SURPRISAL])
            yield f"{model}/main/{SURPRISAL_FILE}", surprisals(model, items, ages, words)

    for reason in job.params.lacks:
        logger.warning("%s", reason)
    logger.info("%d files of predictions", write_zip(Path(job.output[0]), contents()))


if __name__ == "__main__":
    with job_log(
        snakemake.log[0], f"submission {snakemake.wildcards.run} seed {snakemake.wildcards.seed}", snakemake.input
    ):
        main(snakemake)
