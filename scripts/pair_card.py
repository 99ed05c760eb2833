"""Rule pair_card: what is in a pair set, beside it.

snakemake --cores 1 results/pairs/natural.card.json
"""

import json
from pathlib import Path

import pandas as pd

from babylogue.analysis.pair_cards import pair_card
from babylogue.logs import job_log, logger
from babylogue.tokenizer.counting import token_counter
from babylogue.transcripts.settings import PARTS


def main(job):
    split = pd.read_parquet(job.input.split, columns=["transcript", "family"])
    card = pair_card(
        job.wildcards.pairs,
        pd.read_parquet(job.input.pairs),
        json.loads(Path(job.input.filters).read_text(encoding="utf-8")),
        job.params.settings,
        count_tokens=token_counter(job.input.tokenizer),
        families=split.set_index("transcript")["family"],
        parts={
            part: pd.read_parquet(job.input[part], columns=["transcript"])["transcript"].unique() for part in PARTS
        },
    )
    Path(job.output[0]).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    logger.info("%(pairs)d pairs, %(prompts)d prompts", card["sizes"])


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"card of {snakemake.wildcards.pairs}", snakemake.input):
        main(snakemake)
