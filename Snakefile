"""Babylogue: from child-caregiver transcripts to a page of figures.

`snakemake --cores all` makes what config.yaml asks for, or only the files named; `--configfile` lays a preset over.
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
include: "rules/replies.smk"
include: "rules/submission.smk"
include: "rules/analysis.smk"
include: "rules/push.smk"


rule all:
    default_target: True
    input:
        f"{RESULTS}/report/index.html",
        f"{RESULTS}/report/scores.csv",
        SCORE_FILES,  # so that a score that was deleted is made again


onstart:
    check_results_folder()
    check_cluster()
    check_hub_access()


onsuccess:
    if Path(RESULTS, "report/index.html").exists():
        print(f"Done. The report is {RESULTS}/report/index.html, its table {RESULTS}/report/scores.csv.")
