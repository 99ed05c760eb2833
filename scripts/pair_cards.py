"""Rule pair_cards: the cards of all pair sets in one table.

snakemake --cores 1 results/report/pair_cards.csv
"""

import json
from pathlib import Path

from babylogue.logs import job_log
from babylogue.report.tables import pair_cards_table


def main(job):
    cards = [json.loads(Path(file).read_text(encoding="utf-8")) for file in job.input]
    pair_cards_table(cards).to_csv(job.output[0], index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0], "pair_cards", snakemake.input):
        main(snakemake)
