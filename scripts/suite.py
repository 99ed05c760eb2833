"""Rule suite: a benchmark's files, or the project's own data, as a table of items.

snakemake --cores 1 results/suites/toy_grammar.parquet
"""

import json
from pathlib import Path

from babylogue.logs import job_log, logger
from babylogue.suites.defined import defined_in
from babylogue.suites.origins import describe


def main(job):
    suite = defined_in(job.params.module, job.wildcards.suite)
    inputs = {name: list(job.input.get(name)) for name in job.input.keys()}
    place, sources = job.params.place, []
    if suite.sources:
        found = suite.find(place["folder"])
        inputs["mirror"] = [file for files in found.values() for file in files]
        sources = [describe(source, files) for source, files in found.items()]
    items = suite.read(inputs, **job.params.settings)
    items.to_parquet(job.output.table)
    origin = {"suite": suite.name, **place, "sources": sources}
    Path(job.output.origin).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    logger.info("%d items", len(items))


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"suite {snakemake.wildcards.suite}", snakemake.input):
        main(snakemake)
