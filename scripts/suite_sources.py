"""Rule suite_sources: where the benchmarks came from, and which could not be had.

snakemake --cores 1 results/report/sources.csv
"""

import json
from pathlib import Path

from babylogue.logs import job_log, logger
from babylogue.report.tables import missing_table, sources_table


def main(job):
    origins = [json.loads(Path(file).read_text(encoding="utf-8")) for file in job.input]
    sources_table(origins).to_csv(job.output.sources, index=False)
    missing_table(job.params.missing).to_csv(job.output.missing, index=False)
    for suite in job.params.missing:
        logger.warning("suite %s is missing: %s; get it from %s", suite["suite"], suite["reason"], suite["home"])


if __name__ == "__main__":
    with job_log(snakemake.log[0], "suite_sources", snakemake.input):
        main(snakemake)
