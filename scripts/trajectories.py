"""Rule trajectories: learning curves over words seen, the forms that fit them, and where they peak.

snakemake --cores 2 results/report/trajectory_fits.csv
"""

import pandas as pd

from babylogue.analysis.fits import trajectory_fits
from babylogue.analysis.trajectories import trajectories
from babylogue.logs import job_log, logger
from babylogue.report.tables import read_table


def main(job):
    final_words = {
        tuple(key): int(pd.read_csv(path)["words"].iloc[-1])
        for key, path in zip(job.params.pretrained, job.input.logs, strict=True)
    }
    curves = trajectories(read_table(job.input.scores), final_words)
    curves.to_csv(job.output.trajectories, index=False)
    fits = trajectory_fits(curves)
    fits.to_csv(job.output.fits, index=False)
    logger.info("%d curves, %d of them fitted", len(fits), (fits["note"] == "").sum())


if __name__ == "__main__":
    with job_log(snakemake.log[0], "trajectories", snakemake.input):
        main(snakemake)
