"""Rule report: the page to look at, its figures as files.

snakemake --cores 2 results/report/index.html
"""

import json
from itertools import product
from pathlib import Path

import pandas as pd
import yaml

from babylogue.benchmarks import benchmark_table
from babylogue.logs import job_log, logger
from babylogue.report.drawing import write_files
from babylogue.report.page import Results, draw, render
from babylogue.report.run_record import stages_table
from babylogue.report.tables import read_table


def main(job):
    models, seeds = job.params.models, job.params.seeds
    keys = product((model["run"] for model in models), seeds)
    logs = {key: pd.read_csv(path) for key, path in zip(keys, job.input.logs, strict=True)}
    settings = zip((model["run"] for model in models), job.input.settings, strict=True)
    stages = stages_table(benchmark_table(job.params.benchmarks))
    results = Results(
        models=models,
        seeds=seeds,
        source=job.params.source,
        judge=job.params.judge,
        statistics=json.loads(Path(job.input.statistics).read_text(encoding="utf-8")),
        scores=read_table(job.input.scores),
        comparisons=read_table(job.input.comparisons),
        baselines=read_table(job.input.baselines),
        trajectories=read_table(job.input.trajectories),
        fits=read_table(job.input.fits),
        rewarded_runs=read_table(job.input.rewarded_runs),
        correlations=read_table(job.input.correlations),
        **({"replies": read_table(job.input.replies)} if job.input.replies else {}),
        sampling=job.params.sampling,
        judge_fits=job.params.judge_fits,
        pair_suites=job.params.pair_suites,
        quotes=job.params.quotes,
        logs=logs,
        settings={run: yaml.safe_load(Path(path).read_text(encoding="utf-8")) for run, path in settings},
        stages=stages,
        descriptions=job.params.suites,
        sources=pd.read_csv(job.input.sources, dtype=str, keep_default_na=False),
        pair_cards=read_table(job.input.pair_cards),
        missing=pd.read_csv(job.input.missing, dtype=str, keep_default_na=False),
        items=json.loads(Path(job.input.page_items).read_text(encoding="utf-8")),
    )
    charts = draw(results)
    write_files(charts.figures, job.output.figures)
    page = render(results, charts)
    stages.to_csv(job.output.stages, index=False)
    Path(job.output.page).write_text(page, encoding="utf-8")
    logger.info("%s, %.0f kB, %d figures", job.output.page, len(page.encode()) / 1e3, len(charts.figures))


if __name__ == "__main__":
    with job_log(snakemake.log[0], "report", snakemake.input):
        main(snakemake)
