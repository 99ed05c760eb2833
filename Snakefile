"""Babylogue: from child-caregiver transcripts to a page of figures.

`snakemake --cores all` makes all that config.yaml asks for, a file's name behind it that file alone;
`--configfile presets/NAME.yaml` lays a preset over it.
"""

import os
import sys
import warnings

if not sys.warnoptions:
    # Warnings that dependencies give while they are imported, here and by the jobs, are of no use to who runs this.
    # A job's log keeps those that come later; `PYTHONWARNINGS=default snakemake ...` shows all.
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"

from snakemake.utils import min_version

from babylogue.configuration import load_configuration
from babylogue.configuration_files import check_files
from babylogue.errors import UserError

min_version("9.12")


configfile: "config.yaml"


try:
    check_files(workflow.configfiles)
    CONFIG = load_configuration(config)
except UserError as error:
    raise SystemExit(f"configuration: {error}")


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
include: "rules/cards.smk"
include: "rules/push.smk"


rule all:
    default_target: True
    input:
        REPORT,
        CARDS,
        SCORE_FILES,  # so that a score that was deleted is made again


onstart:
    check_before_any_job()


onsuccess:
    say_what_was_made()


onerror:
    print(stopped(RESULTS))
