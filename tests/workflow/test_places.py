"""Where the project may lie and run: inside another repository, under another locale, without a home folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.project import PROJECT, copy_project

GIT = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
NOT_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def python(code: str, folder: Path, **environment: str) -> str:
    """What a program prints that uses the library of the project in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def committed(folder: Path) -> str:
    """Make the folder a repository with all its files; -> the commit."""
    subprocess.run([*GIT, "init", "-q"], cwd=folder, check=True)
    subprocess.run([*GIT, "add", "-A"], cwd=folder, check=True)
    subprocess.run([*GIT, "commit", "-q", "-m", "All"], cwd=folder, check=True)
    told = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return told.stdout.strip()


def test_the_commit_is_that_of_the_project_and_of_no_repository_around_it(tmp_path):
    code = "from babylogue.provenance import commit; print(commit())"
    project = tmp_path / "around/project"
    shutil.copytree(PROJECT / "scripts", project / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    committed(tmp_path / "around")
    assert python(code, project) == "None"
    own = committed(project)
    assert python(code, project) == own
    (project / "scripts/pretrain.py").write_text("")
    assert python(code, project) == f"{own}-dirty"
    (tmp_path / "link").symlink_to(project)
    assert python(code, tmp_path / "link") == f"{own}-dirty"


def test_settings_are_written_in_utf_8_whatever_the_locale(tmp_path):
    code = (
        "from babylogue.hub import HubSettings; from babylogue.provenance import write_settings;"
        "write_settings('settings.yaml', run='b\\xe9b\\xe9', seed=0, method='dpo', settings=HubSettings())"
    )
    (tmp_path / "scripts").symlink_to(PROJECT / "scripts")
    python(code, tmp_path, **NOT_UTF8)
    assert yaml.safe_load((tmp_path / "settings.yaml").read_bytes())["run"] == "bébé"


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [NOT_UTF8, {"HOME": "/dev/null/none"}],
    ids=["a locale that is not UTF-8", "a home folder that cannot be written to"],
)
def test_a_run_needs_neither_utf_8_nor_a_home_folder(tmp_path, environment):
    workflow = copy_project(tmp_path)
    workflow.environment = environment | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    workflow.write("data/one.cha", CHAT)
    workflow.write("mine.yaml", yaml.safe_dump({"transcripts": {"source": "local", "path": "data"}}))
    workflow.snakemake("--cores", "1", "--configfile", "mine.yaml", "--", "results/corpus/utterances.parquet")
    code = "import pandas; print(ascii(pandas.read_parquet('results/corpus/utterances.parquet')['text'][0]))"
    assert "h\\xe9" in python(code, tmp_path)


CHAT = """@UTF8
@Begin
@Languages:\teng
@Participants:\tCHI Target_Child, MOT Mother
@ID:\teng|Made|CHI|2;00.00||||Target_Child|||
@ID:\teng|Made|MOT|||||Mother|||
*MOT:\thé you .
*CHI:\thé .
@End
"""


@pytest.mark.parametrize(
    "make", [Path.touch, lambda path: path.symlink_to("nowhere")], ids=["file", "broken link"]
)
def test_results_that_are_no_folder_are_named(tmp_path, make):
    workflow = copy_project(tmp_path)
    make(tmp_path / "results")
    done = workflow.snakemake("--cores", "1", "results/transcripts/toy", check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("results: ")]
    assert done.returncode == 1 and "Traceback" not in done.stdout
    assert len(lines) == 1 and lines[0].endswith("is no folder; remove it, or name another folder in `results`")
