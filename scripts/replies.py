"""Rule replies: the teacher's replies to prompts, with their log-probabilities.

snakemake --cores 2 results/teacher/rollouts.parquet
"""

import pandas as pd

from babylogue.logs import job_log
from babylogue.model.device import prepare_device
from babylogue.teacher.replies import replies
from babylogue.teacher.settings import RemoteModel, RepliesSettings
from babylogue.teacher.writers import folder_writer, server_writer


def writer_of(job):
    """What writes, as the rule says it."""
    params = job.params
    if params.server:
        return server_writer(params.writer, RemoteModel(**params.server))
    return folder_writer(job.input.model, params.engine, str(prepare_device(job.threads)))


def main(job):
    asked = dict(job.params.settings)
    count = asked.pop("prompts")
    prompts = pd.read_parquet(job.input.prompts, columns=["prompt"])["prompt"].drop_duplicates().head(count)
    table = replies(writer_of(job), prompts.tolist(), RepliesSettings(**asked), job.params.cache)
    table.to_parquet(job.output[0])


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"replies {snakemake.wildcards.prompts}", snakemake.input):
        main(snakemake)
