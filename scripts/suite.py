"""Rule suite: a benchmark's files, or the project's own data, as a table of items.

snakemake --cores 1 results/suites/toy_grammar.parquet
"""

from importlib import import_module

from babylogue.logs import job_log, logger


def main(job):
    suite = import_module(job.params.module).SUITES[job.wildcards.suite]
    inputs = {name: list(job.input.get(name)) for name in job.input.keys()}
    items = suite.read(inputs, **job.params.settings)
    items.to_parquet(job.output[0])
    logger.info("%d items", len(items))


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"suite {snakemake.wildcards.suite}"):
        main(snakemake)
