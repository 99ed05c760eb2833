"""Rule tokens: the texts that models are trained on, as token ids.

snakemake --cores 1 results/tokens/triplets/pretrain
"""

from pathlib import Path

from tokenizers import Tokenizer

from babylogue.logs import job_log, logger
from babylogue.model.texts import training_texts
from babylogue.model.tokens import write_tokens
from babylogue.tokenizer.bpe import EOS


def main(job):
    texts = training_texts(
        Path(job.input.triplets), job.params.form, job.input.get("adult"), job.params.adult_share
    )
    tokenizer = Tokenizer.from_file(str(Path(job.input.tokenizer) / "tokenizer.json"))
    counts = write_tokens(Path(job.output[0]), texts, tokenizer, tokenizer.token_to_id(EOS))
    logger.info("%(texts)d texts, %(tokens)d tokens, %(words)d words", counts)


if __name__ == "__main__":
    with job_log(
        snakemake.log[0], f"tokens {snakemake.wildcards.text} {snakemake.wildcards.part}", snakemake.input
    ):
        main(snakemake)
