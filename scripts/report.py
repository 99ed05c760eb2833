"""Rule report: the page to look at, and the learning trajectories as a table.

snakemake --cores 2 results/report/index.html
"""

import json
from itertools import product
from pathlib import Path

import pandas as pd

from babylogue.analysis.trajectories import trajectories
from babylogue.logs import job_log, logger
from babylogue.report.page import Results, render

# Names are texts, whatever they look like: a group may be called "null".
SCORE_TYPES = dict.fromkeys(["run", "checkpoint", "suite", "group", "metric"], str)
MISSING = {name: [""] for name in ("value", "ci_low", "ci_high")}


def main(job):
    models, seeds = job.params.models, job.params.seeds
    keys = product((model["run"] for model in models), seeds)
    logs = {key: pd.read_csv(path) for key, path in zip(keys, job.input.logs, strict=True)}
    pretrained = {model["run"] for model in models if model["method"] == "pretrain"}
    final_words = {key: int(log["words"].iloc[-1]) for key, log in logs.items() if key[0] in pretrained}
    scores = pd.read_csv(job.input.scores, dtype=SCORE_TYPES, keep_default_na=False, na_values=MISSING)
    curves = trajectories(scores, final_words)
    page = render(
        Results(
            models=models,
            seeds=seeds,
            source=job.params.source,
            judge=job.params.judge,
            statistics=json.loads(Path(job.input.statistics).read_text()),
            scores=scores,
            baselines=pd.read_csv(job.input.baselines),
            trajectories=curves,
            logs=logs,
            descriptions=job.params.suites,
            sources=pd.read_csv(job.input.sources, dtype=str, keep_default_na=False),
            missing=pd.read_csv(job.input.missing, dtype=str, keep_default_na=False),
        )
    )
    curves.to_csv(job.output.trajectories, index=False)
    Path(job.output.page).write_text(page, encoding="utf-8")
    logger.info("%s, %.0f kB", job.output.page, len(page.encode()) / 1e3)


if __name__ == "__main__":
    with job_log(snakemake.log[0], "report"):
        main(snakemake)
