"""Babylogue: from child-caregiver transcripts to a page of figures.

`snakemake --cores all` makes everything that config.yaml asks for; `--configfile presets/NAME.yaml` lays a
preset over it; a file's name alone, such as results/scores/base/seed0/final/toy_grammar.json, makes that file.
"""

import sys

from snakemake.utils import min_version

from babylogue.configuration import load_configuration
from babylogue.errors import UserError

min_version("9.10")


configfile: "config.yaml"


try:
    CONFIG = load_configuration(config)
except UserError as error:
    sys.exit(f"configuration: {error}")


include: "rules/common.smk"
include: "rules/transcripts.smk"
include: "rules/tokenizer.smk"
include: "rules/published.smk"
include: "rules/teacher.smk"
include: "rules/pairs.smk"
include: "rules/pretrain.smk"
include: "rules/dpo.smk"
include: "rules/reinforcement.smk"
include: "rules/suites.smk"
include: "rules/scores.smk"
include: "rules/report.smk"
include: "rules/submission.smk"
include: "rules/analysis.smk"
include: "rules/cards.smk"
include: "rules/push.smk"


rule all:
    default_target: True
    input:
        f"{RESULTS}/report/index.html",
        f"{RESULTS}/report/scores.csv",
        expand(f"{RESULTS}/report/{{table}}.parquet", table=TABLES),
        CARDS,
        SCORE_FILES,  # so that a score that was deleted is made again


onstart:
    check_results_folder()
    check_cluster()
    check_hub_access()


onsuccess:
    if Path(RESULTS, "report/index.html").exists():
        print(f"Done. The report is {RESULTS}/report/index.html, its table {RESULTS}/report/scores.csv.")
