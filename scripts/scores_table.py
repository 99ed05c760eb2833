"""Rule scores_table: every score that the configuration asks for in one table, and the models that they are of.

snakemake --cores 2 results/report/scores.csv
"""

from babylogue.logs import job_log, logger
from babylogue.report.tables import models_table, scores_table


def main(job):
    table = scores_table(job.input)
    table.to_csv(job.output.scores, index=False)
    models_table(job.params.models).to_csv(job.output.models, index=False)
    logger.info("%d rows of %d scores", len(table), len(job.input))


if __name__ == "__main__":
    with job_log(snakemake.log[0], "scores_table", snakemake.input):
        main(snakemake)
