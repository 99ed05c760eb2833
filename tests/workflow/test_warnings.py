"""What dependencies write to standard error stays off the terminal; the log of a job keeps it."""

import os
import subprocess
import sys
import textwrap

import pytest

from support.command_line import babylogue
from support.project import PROJECT, copy_project
from support.tiny_talker import save_tiny_talker
from support.written_scores import write_scores

# Python imports this module by itself at its start: a dependency that warns when the project imports it, and that
# makes noise of every kind when a file is opened whose name ends in NOISY_FILE.
NOISY_DEPENDENCY = """
    import logging
    import os
    import sys
    import warnings

    waiting = {"import", "open"}


    def make_noise():
        warnings.warn("noise of a future warning", FutureWarning)
        warnings.warn("noise of a deprecation", DeprecationWarning)
        logger = logging.getLogger("noisy")
        logger.addHandler(logging.StreamHandler())
        logger.warning("noise of a logger with a handler")
        logging.getLogger("noisy_too").warning("noise of a logger without one")
        print("noise of a print", file=sys.stderr)
        os.write(2, b"noise of C code\\n")


    def listen(event, arguments):
        if event not in waiting:
            return
        if event == "import" and arguments[0] in ("pyarrow", "pydantic") and "babylogue" in sys.modules:
            waiting.remove(event)
            warnings.warn("noise of an import", FutureWarning)
        if event == "open" and str(arguments[0]).endswith(os.environ["NOISY_FILE"]):
            waiting.remove(event)
            make_noise()


    sys.addaudithook(listen)
"""
KINDS = [
    "a future warning", "a deprecation", "a logger with a handler", "a logger without one", "a print", "C code",
]  # fmt: skip


@pytest.fixture
def noisy(tmp_path):
    """A folder to put on PYTHONPATH."""
    folder = tmp_path / "noisy"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(textwrap.dedent(NOISY_DEPENDENCY))
    return folder


def on_path(noisy, project, **environment):
    return {"PYTHONPATH": f"{project / 'scripts'}{os.pathsep}{noisy}", **environment}


def test_the_dependency_is_noisy(noisy, tmp_path):
    (tmp_path / "file.json").touch()
    program = f"import babylogue, pydantic; open({str(tmp_path / 'file.json')!r})"
    environment = os.environ | on_path(noisy, PROJECT, NOISY_FILE="file.json")
    command = [sys.executable, "-W", "default", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert [kind for kind in ["an import", *KINDS] if f"noise of {kind}" not in done.stderr] == []


def test_chat_shows_its_own_lines_alone(project, noisy, tmp_path):
    model = save_tiny_talker(tmp_path / "model")
    environment = on_path(noisy, project.folder, NOISY_FILE="model/config.json")
    done = babylogue("chat", model, given="...\nwho is there ?\n", folder=project.folder, **environment)
    assert done.stderr.splitlines() == ["there is no word in this"]
    assert done.stdout.startswith("*CHI: ")


def test_score_shows_its_own_lines_alone(project, noisy, tmp_path):
    model = save_tiny_talker(tmp_path / "model")
    environment = on_path(noisy, project.folder, NOISY_FILE="model/config.json")
    done = babylogue("score", model, "-", given="who is there ?\n", folder=project.folder, **environment)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if not line.startswith("scoring: ")] == []


def test_compare_shows_its_own_lines_alone(project, noisy, tmp_path):
    for run in ("a", "b"):
        write_scores(tmp_path, run, "final", 0, [run == "a", True, False])
    environment = on_path(noisy, project.folder, NOISY_FILE="toy_grammar.json")
    done = babylogue("compare", "a", "b", "--results", tmp_path, folder=project.folder, **environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_status_shows_its_own_lines_alone(project, noisy):
    environment = on_path(noisy, project.folder, NOISY_FILE="config.yaml")
    done = babylogue("status", folder=project.folder, **environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_is_still_told_and_a_defect_shows_its_trace(project, noisy, tmp_path):
    environment = on_path(noisy, project.folder, NOISY_FILE="nothing")
    done = babylogue("score", "nobody", "-", given="", folder=project.folder, **environment)
    assert done.stderr.startswith("babylogue: nobody: neither a model folder nor a run")
    done = babylogue("score", "--format", "pdf", "nobody", "-", folder=project.folder, **environment)
    assert done.returncode == 2 and "--format: invalid choice" in done.stderr
    (noisy / "yaml.py").write_text("broken")
    done = babylogue("score", "nobody", "-", given="", folder=project.folder, **environment)
    assert "NameError: name 'broken' is not defined" in done.stderr


def test_warnings_that_are_asked_for_are_shown(project, noisy, tmp_path):
    for run in ("a", "b"):
        write_scores(tmp_path, run, "final", 0, [run == "a", True, False])
    environment = on_path(noisy, project.folder, NOISY_FILE="toy_grammar.json", PYTHONWARNINGS="default")
    done = babylogue("compare", "a", "b", "--results", tmp_path, folder=project.folder, **environment)
    assert "noise of a future warning" in done.stderr


def test_the_terminal_of_a_run_has_no_noise_and_the_log_of_the_job_has_it(noisy, tmp_path):
    workflow = copy_project(tmp_path / "project")
    workflow.environment = on_path(noisy, workflow.folder, NOISY_FILE=".cha")
    shown = workflow.snakemake("--cores", "1", "results/transcripts/toy").stdout
    assert "toy_transcripts: " in shown and "words written" in shown
    assert "noise" not in shown
    log = workflow.read("results/logs/toy_transcripts.log")
    assert [kind for kind in KINDS if f"noise of {kind}" not in log] == []
    assert "words written" in log
