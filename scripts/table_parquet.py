"""Rule table_parquet: a table of the report as parquet, its types kept.

snakemake --cores 1 results/report/scores.parquet
"""

from babylogue.logs import job_log
from babylogue.report.tables import read_table


def main(job):
    read_table(job.input[0]).to_parquet(job.output[0], index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"{snakemake.wildcards.table}.parquet", snakemake.input):
        main(snakemake)
