"""What the rules share: paths, wildcards, and the helpers that look things up in the configuration."""

import gc
import os
import re
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from babylogue.cluster import require_no_jobs_left
from babylogue.errors import UserError
from babylogue.fingerprint import fingerprint
from babylogue.inputs import files_at, state_of
from babylogue.suites import pair_suites, registry
from babylogue.suites.defined import defined_in
from babylogue.suites.registry import parts as suite_parts
from babylogue.transcripts.settings import PARTS

gc.set_threshold(100_000, 50, 50)  # a large DAG lives to the end; to look it through for garbage takes long

RESULTS = CONFIG.results
MODELS = f"{RESULTS}/models/{{run}}/seed{{seed}}"
PAIR_SUITES = {name: row for name, row in CONFIG.pairs.items() if pair_suites.is_suite(row)}
SUITES = {*registry.NAMES, *PAIR_SUITES}


def one_of(names):
    """A wildcard constraint that allows exactly these names."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


wildcard_constraints:
    run=one_of(CONFIG.models),
    seed=r"\d+",
    checkpoint=r"[A-Za-z0-9_]+",
    suite=one_of(SUITES),
    part=one_of(PARTS),
    pairs=one_of(CONFIG.pairs),
    published=one_of(CONFIG.published),


def load_suite(name):
    """The suite of that name: a benchmark, or a pair set of the test part."""
    if name in PAIR_SUITES:
        suite = defined_in(suite_module(name), name)
        return replace(suite, description=pair_suites.description(PAIR_SUITES[name]))
    return registry.load(name)


def suite_module(name):
    """The module that defines the suite."""
    return pair_suites.module(PAIR_SUITES[name]) if name in PAIR_SUITES else registry.module(name)


def code(script, *modules):
    """The fingerprint of a rule's script and of the library modules behind it."""
    return fingerprint(Path(workflow.basedir) / "scripts" / script, *modules)


def rows(table, attribute, *values):
    """The rows of a table of the configuration whose attribute has one of the values."""
    return {name: row for name, row in table.items() if getattr(row, attribute, None) in values}


def settings_of(row, *without):
    """A row's settings as plain values, for params."""
    return row.model_dump(exclude=set(without))


def in_results(path):
    """Whether a configured path is in the results, where Snakemake itself knows what is made anew."""
    return Path(path).is_relative_to(RESULTS)


@cache
def outside_files(key, path):
    """The files at a path that `key` of the configuration names; the run stops where there are none."""
    if in_results(path):
        return [path]
    try:
        return [str(file) for file in files_at(path)]
    except UserError as error:
        sys.exit(f"configuration: {key}: {error}")


def outside_state(key, path):
    """The state of these files, for params: Snakemake compares times alone, and copied files may be old."""
    if path is None or in_results(path):
        return None
    return state_of(outside_files(key, path), path if os.path.isdir(path) else os.path.dirname(path))


def by_attempt(amount):
    """A resource of which each further attempt asks for as much again: clusters end a job that takes more."""

    def asked(wildcards, attempt):
        return amount * attempt

    return asked


def shown(table):
    """A table of the report as an output that `snakemake --report` shows with its caption."""
    file = f"{RESULTS}/report/{table}.csv"
    return report(file, caption=f"captions/{table}.rst", category="Tables", labels={"table": table})


REWARDED = rows(CONFIG.models, "method", "ppo", "grpo", "rloo")  # tuned on a reward of their own replies


def parent_folder(row):
    """The model folder, with the wildcard {seed}, that a tuned model starts from."""
    if row.parent in CONFIG.models:
        return f"{RESULTS}/models/{row.parent}/seed{{seed}}/{row.parent_checkpoint}"
    return f"{RESULTS}/published/{row.parent}"


def model_file(run, name):
    """A file beside a run's checkpoints, with the wildcard {seed}."""
    return f"{RESULTS}/models/{run}/seed{{seed}}/{name}"


def checkpoint_folders(run):
    """checkpoint -> its folder, for every checkpoint that the run publishes."""
    return {name: directory(model_file(run, name)) for name in CONFIG.models[run].checkpoint_names()}


def check_before_any_job():
    """The run stops where it could not be ended anyway."""
    check_results_folder()
    check_cluster()
    check_hub_access()


def check_results_folder():
    """The run stops, before any job, where nothing can be written."""
    folders = [Path(RESULTS), *Path(RESULTS).absolute().parents]
    folder = next(path for path in folders if os.path.lexists(path))
    if not folder.is_dir():
        sys.exit(f"results: {folder} is no folder; remove it, or name another folder in `results`")
    if not os.access(folder, os.W_OK):
        sys.exit(f"results: {folder} cannot be written to; make it writable, or name another folder in `results`")


def check_cluster():
    """The run stops where jobs of an earlier one, whose head process is gone, still write here."""
    try:
        if workflow.executor_plugin.name == "slurm":
            require_no_jobs_left(Path.cwd())
    except UserError as error:
        sys.exit(f"slurm: {error}")
