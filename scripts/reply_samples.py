"""Rule reply_samples: what one model replies to the prompts of the report.

snakemake --cores 2 results/replies/base/seed0/final.parquet
"""

import pandas as pd

from babylogue.analysis.reply_samples import reply_samples
from babylogue.logs import job_log
from babylogue.model.device import prepare_device
from babylogue.reinforcement.sampling_settings import SamplingSettings
from babylogue.scoring.loading import load_model


def main(job):
    device = prepare_device(job.threads)
    prompts = pd.read_parquet(job.input.prompts, columns=["prompt"])["prompt"].tolist()
    model, tokenizer = load_model(job.input.model, str(device))
    settings = SamplingSettings(**job.params.settings)
    samples = reply_samples(model, tokenizer, prompts, settings, samples=job.params.samples)
    samples.to_parquet(job.output[0])


if __name__ == "__main__":
    with job_log(snakemake.log[0], " ".join(snakemake.wildcards), snakemake.input):
        main(snakemake)
