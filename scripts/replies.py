"""Rule replies: the teacher's replies to prompts, with their log-probabilities.

snakemake --cores 2 results/teacher/rollouts.parquet
"""

import pandas as pd

from babylogue.logs import job_log
from babylogue.model.device import prepare_device
from babylogue.teacher.lm import TeacherModel
from babylogue.teacher.settings import RepliesSettings


def main(job):
    device = prepare_device(job.threads)
    asked = dict(job.params.settings)
    count = asked.pop("prompts")
    settings = RepliesSettings(**asked)
    prompts = pd.read_parquet(job.input.prompts, columns=["prompt"])["prompt"].drop_duplicates().head(count)
    teacher = TeacherModel(job.input.model, settings.batch_size, str(device))
    teacher.replies(prompts.tolist(), settings).to_parquet(job.output[0])


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"replies {snakemake.wildcards.prompts}"):
        main(snakemake)
