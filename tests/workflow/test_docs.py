"""Every command of the README and of docs/ is run as it stands, or in the nearest form that a test can.

The README's are run where the default configuration has been run, those of docs/ in a copy of the small workflow,
which its examples are written into.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml
from snakemake.utils import update_config

from babylogue.configuration import load_configuration
from babylogue.configuration_table import page as configuration_page
from support.doc_pages import PAGES, anchors, commands, links, shown_files, yaml_blocks
from support.project import PROJECT, copy_of, write_placeholders
from support.small_workflow import SMALL

BIN = Path(sys.executable).parent
TYPED = "where is the kitty ?\n"  # what a command gets from the keyboard
TIMEOUT_S = 300


@dataclass(frozen=True)
class Elsewhere:
    """What another test runs, or reads from the page and runs: `text` stands in its file."""

    test: str
    text: str


@dataclass(frozen=True)
class Options:
    """A script that takes minutes: it is there and has the options."""

    script: str


INSTALL = "pip install -c envs/constraints.txt -e"
INSTALLATION = "an installation from a package index takes minutes; .ci/run does it"
MINUTES = "it takes minutes to hours, with data that are the reader's"
CLUSTER = "it wants a cluster"
DRY_RUNS = Elsewhere(
    "tests/workflow/test_presets.py", '@pytest.mark.parametrize("preset", sorted('
)  # of every preset
ALL_TESTS = Elsewhere(".ci/run", '.venv/bin/pytest -m ""')
NEAREST = {
    # command -> what is run in its place, in the copy of the small workflow, and why
    f"python3 -m venv .venv && .venv/bin/{INSTALL} . && .venv/bin/snakemake --cores all": (
        Elsewhere("tests/conftest.py", 'workflow.snakemake("--cores", "all")'),
        f"{INSTALLATION}; the run itself is the fixture `finished`",
    ),
    f"python3 -m venv .venv && .venv/bin/{INSTALL} '.[test]' && .venv/bin/pytest": (
        Elsewhere(".ci/run", ".venv/bin/pip install --quiet -c envs/constraints.txt -e '.[test]'"),
        INSTALLATION,
    ),
    ".venv/bin/pytest tests/preferences/test_dpo.py": (ALL_TESTS, "it would run itself"),
    '.venv/bin/pytest -m ""': (ALL_TESTS, "it would run itself"),
    ".venv/bin/pytest -p pytest_randomly": (ALL_TESTS, "it would run itself"),
    ".venv/bin/pytest -m slow": (ALL_TESTS, "it would run itself"),
    "pip install -e .": (Elsewhere(".ci/versions", '"$bin/pip" install --quiet -e'), INSTALLATION),
    ".ci/versions lowest": (Elsewhere(".github/workflows/test.yml", "lowest"), INSTALLATION),
    ".ci/versions newest": (Elsewhere(".github/workflows/test.yml", "newest"), INSTALLATION),
    ".ci/versions 3.13": (Elsewhere(".github/workflows/test.yml", "3.13"), INSTALLATION),
    f"{INSTALL} .": (Elsewhere(".ci/run", "install --quiet -c envs/constraints.txt"), INSTALLATION),
    f"{INSTALL} '.[slurm]'": (Elsewhere("pyproject.toml", "\nslurm = ["), INSTALLATION),
    f"{INSTALL} '.[tensorboard]'": (Elsewhere("pyproject.toml", "\ntensorboard = ["), INSTALLATION),
    "pip install pre-commit": (Elsewhere("tests/test_repository.py", ".pre-commit-config.yaml"), INSTALLATION),
    "pre-commit install": (Elsewhere("tests/test_repository.py", ".pre-commit-config.yaml"), INSTALLATION),
    "tensorboard --logdir results/logs": ("tensorboard --version", "it serves until it is ended"),
    "snakemake --cores all --configfile presets/childes_small.yaml": (
        DRY_RUNS,
        MINUTES,
    ),
    "snakemake --cores all --configfile presets/childes_small.yaml presets/ablations.yaml": (
        DRY_RUNS,
        MINUTES,
    ),
    "snakemake --cores all --forcerun dpo_dpo_natural": (
        "snakemake --dry-run --forcerun dpo_dpo_natural",
        "other tests use what it would make anew",
    ),
    "snakemake --profile slurm": ("snakemake --profile slurm --dry-run", CLUSTER),
    "snakemake --profile slurm --configfile presets/paper.yaml": (
        DRY_RUNS,
        CLUSTER,
    ),
    "squeue --me": (Elsewhere("scripts/babylogue/cluster.py", '"squeue", "--me"'), CLUSTER),
    "squeue --me -O JobID,Comment:60": (Elsewhere("tests/workflow/test_slurm.py", 'job["Comment"]'), CLUSTER),
    "snakemake --cores 1 results/pushed/base/seed0.json": (
        "snakemake --dry-run --config 'hub={namespace: you}' -- results/pushed/base/seed0.json",
        "it publishes; tests/test_hub.py does so on a server of its own",
    ),
    "snakemake --cores 2 results/submission/base/seed0.zip": (
        "snakemake --dry-run --config 'suites={mirror: data}' -- results/submission/base/seed0.zip",
        "it wants the published benchmarks; tests/suites/test_submission.py makes one of a few items",
    ),
    'find results -newermt now -exec touch -h -d "$(date)" {} +': (
        Elsewhere("tests/workflow/test_faults.py", "troubleshooting.md"),
        "it is for a clock that was set back; that test reads it from the page and runs it",
    ),
    "python perf/transcripts.py data/childes": (Options("perf/transcripts.py"), MINUTES),
    "python perf/pretrain.py results/childes_small": (Options("perf/pretrain.py"), MINUTES),
    "python perf/scoring.py results/childes_small --mirror data --pairs 400": (
        Options("perf/scoring.py"),
        MINUTES,
    ),
    "python perf/ppo.py --quick": (Options("perf/ppo.py"), MINUTES),
    "python perf/dag.py --quick": (Options("perf/dag.py"), MINUTES),
    "python perf/page.py results/report/index.html --quick": (Options("perf/page.py"), "it wants Chromium"),
}  # fmt: skip
SHOWN = [(page.name, command) for page in PAGES for command in commands(page)]


def nearest(command: str) -> str | Elsewhere | Options:
    """What is run in place of a command, the command itself where nothing else is named."""
    stands_for, _ = NEAREST.get(command, (command, None))
    return stands_for.replace(".venv/bin/", "") if isinstance(stands_for, str) else stands_for


OF_README = {nearest(command) for page, command in SHOWN if page == "README.md"}
NOT_RUN = [shown for shown in SHOWN if not isinstance(nearest(shown[1]), str)]
IN_README = [shown for shown in SHOWN if shown not in NOT_RUN and nearest(shown[1]) in OF_README]
IN_DOCS = [shown for shown in SHOWN if shown not in NOT_RUN and shown not in IN_README]


def run(command: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a command, its programs those beside this interpreter; stdout and stderr together."""
    environment = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "scripts"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        input=TYPED,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )


def runner(folder: Path):
    """A function that runs a command of a page in the folder, once however often it is asked for."""
    done = {}

    def of(command: str) -> subprocess.CompletedProcess:
        key = nearest(command)
        if key not in done:
            done[key] = run(key, folder)
        assert done[key].returncode == 0, done[key].stdout[-3000:]
        return done[key]

    return of


@pytest.fixture(scope="module")
def readme_result(finished, tmp_path_factory):
    """Of a command of the README, where the default has been run."""
    folder = copy_of(finished, tmp_path_factory.mktemp("readme")).folder
    shutil.copytree(PROJECT / "docs", folder / "docs")
    return runner(folder)


@pytest.fixture(scope="module")
def result(documented):
    """Of a command that is shown in docs/ alone, in the documented workflow."""
    return runner(documented.folder)


@pytest.fixture(scope="module")
def documented(small, tmp_path_factory):
    """A copy of the small workflow, its settings in config.yaml, with docs/ and what they show as files."""
    workflow = copy_of(small, tmp_path_factory.mktemp("documented"))
    config = yaml.safe_load(workflow.read("config.yaml"))
    update_config(config, SMALL)
    workflow.write("config.yaml", yaml.safe_dump(config, sort_keys=False))
    write_placeholders(workflow.folder / "data")
    shutil.copytree(PROJECT / "docs", workflow.folder / "docs")
    shutil.copytree(workflow.folder / "results/transcripts/toy", workflow.folder / "data/mine/toy")
    for page in PAGES:
        for shown in shown_files(page):
            text = shown.text
            if shown.after:
                before = workflow.read(shown.path)
                assert before.count(f"{shown.after}\n") == 1, shown
                text = before.replace(f"{shown.after}\n", f"{shown.after}\n{shown.text}")
            workflow.write(shown.path, text)
    return workflow


def named(shown: list[tuple[str, str]]):
    """The tests of commands, by page and command."""
    return pytest.mark.parametrize(
        ("page", "command"), shown, ids=[f"{page}-{command}" for page, command in shown]
    )


@named(NOT_RUN)
def test_what_is_not_run_is_there(page, command):
    stands_for = nearest(command)
    if isinstance(stands_for, Elsewhere):
        assert stands_for.text in (PROJECT / stands_for.test).read_text()
    else:
        text = (PROJECT / stands_for.script).read_text()
        assert all(f'"{word}"' in text for word in shlex.split(command) if word.startswith("--"))


@named(IN_README)
def test_a_command_of_the_readme(page, command, readme_result):
    assert "Traceback" not in readme_result(command).stdout


@pytest.mark.slow
@named(IN_DOCS)
def test_a_command_of_the_docs(page, command, result):
    assert "Traceback" not in result(command).stdout


def test_whatever_is_run_in_another_form_is_in_the_docs():
    assert not set(NEAREST) - {command for _, command in SHOWN}


def test_the_first_hour(readme_result):
    """What the README has one type after its two first commands shows what it says."""
    typed = [command for page, command in SHOWN if page == "README.md"]
    assert [command.split()[0] for command in typed[:2]] == ["python3", "python3"]
    chat, score = [command for command in typed[2:] if "babylogue " in command][:2]
    assert re.search(r"^\*CHI: \S", readme_result(chat).stdout, re.M)
    for group in ("agreement", "question", "answer"):
        assert re.search(rf"^{group} +\d+\.\d .* 3$", readme_result(score).stdout, re.M)


# --- examples -------------------------------------------------------------------------------------------------


def shown_command(part: str) -> str:
    """The one command of docs/extending.md that has `part`."""
    (command,) = [command for page, command in SHOWN if page == "extending.md" and part in command]
    return command


def rules_run(done: subprocess.CompletedProcess) -> set[str]:
    return set(re.findall(r"^(?:local)?rule (\w+):$", done.stdout, re.M))


@pytest.mark.slow
def test_a_corpus_of_ones_own(documented, result):
    result(shown_command("results/mine"))
    corpus = documented.folder / "results/mine/corpus"
    assert len(pd.read_csv(corpus / "rejected.csv")) == 0
    utterances = pd.read_parquet(corpus / "utterances.parquet")
    assert len(utterances[utterances["corpus"] == "Ours"]) == 4


@pytest.mark.slow
def test_what_is_added_reruns_nothing_else(documented, result):
    """Suite and reward have been added to their registries; the rest of the workflow does not care."""
    assert documented.planned() == {}
    assert rules_run(result(shown_command("questions.json"))) == {"suite", "score"}
    assert rules_run(result(shown_command("brevity.yaml"))) == {"ppo_ppo_brevity"}


def test_a_suite_of_ones_own_without_its_files_is_left_out(documented):
    grid = json.dumps({"scores": [{"checkpoints": ["kept"], "suites": ["toy_grammar", "questions"]}]})
    done = run(f"snakemake --dry-run --config 'evaluate={grid}'", documented.folder)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "suite questions is left out: no suites.mirror with questions/*.jsonl" in done.stdout
    assert "get it from https://example.org/questions" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configuration_that_is_shown_is_valid(page, documented, monkeypatch):
    monkeypatch.chdir(documented.folder)
    for block in yaml_blocks(page):
        config = yaml.safe_load((PROJECT / "config.yaml").read_text())
        update_config(config, yaml.safe_load(block))
        if "brevity" not in block:  # of the registry of the copy alone
            load_configuration(config)


# --- form -----------------------------------------------------------------------------------------------------


def test_the_table_of_keys_is_in_step():
    default = yaml.safe_load((PROJECT / "config.yaml").read_text())
    assert (PROJECT / "docs/configuration.md").read_text() == configuration_page(default)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for file, heading in links(page):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), file
        assert not heading or heading in anchors(target), f"{file}#{heading}"


def test_the_readme_leads_to_every_page():
    (readme, *pages) = PAGES
    assert {file for file, _ in links(readme)} >= {f"docs/{page.name}" for page in pages}
