"""How the tests are run, and the copies of the project that many share.

`pytest` leaves out what is marked `slow`; `pytest -m slow` runs that alone, `pytest -m ""` everything. Tests are
divided among as many processes as there are cores, but for a single file, which answers sooner without.
"""

import fcntl
import os

# Two processes with two threads each on two cores lose up to five times. Set before torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from support.project import PROJECT, SECRETS, Workflow, copy_project, write_placeholders
from support.small_workflow import OVERLAY, cut_small

LEFT_OUT = pytest.StashKey[int]()


def pytest_xdist_auto_num_workers(config):
    files = {argument.partition("::")[0] for argument in config.args}
    if len(files) == 1 and Path(files.pop()).is_file():
        return 0
    return len(os.sched_getaffinity(0))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What rests on the whole default is slow; what takes long comes first, so that none is left to the end."""
    for item in items:
        if "finished" in item.fixturenames:
            item.add_marker(pytest.mark.slow)
    workflows = {"finished", "small", "project"}
    items.sort(key=lambda item: (not item.get_closest_marker("slow"), not workflows & set(item.fixturenames)))


# --- how many slow tests were left out, which a process of xdist tells the one that prints ---


def pytest_deselected(items):
    config = items[0].config
    slow = sum(1 for item in items if item.get_closest_marker("slow"))
    config.stash[LEFT_OUT] = config.stash.get(LEFT_OUT, 0) + slow


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    if hasattr(node, "workeroutput"):  # not where the process crashed
        node.config.stash[LEFT_OUT] = node.workeroutput["left_out"]


def pytest_terminal_summary(terminalreporter, config):
    if left_out := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(
            f'{left_out} slow tests were left out: `pytest -m slow` runs them, `pytest -m ""` everything'
        )


# --- what runs beside what ---


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A test marked `alone` waits until no other runs, and others wait for it.

    Each test passes the gate into the hall. One that is alone keeps the gate shut until the hall is its own.
    """
    folder = folder_of_all(item.config._tmp_path_factory)
    how = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    with locked(folder / "gate", how):
        hall = locked(folder / "hall", how)
    with hall:
        return (yield)


def locked(file: Path, how: int):
    """The open file, locked until it is closed."""
    opened = file.open("w")
    fcntl.flock(opened, how)
    return opened


def folder_of_all(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder that all processes of a run share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


# --- copies of the project ---


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process that asks for it makes, while others wait."""
    folder = folder_of_all(factory) / name
    made = folder.with_suffix(".made")
    with FileLock(folder.with_suffix(".lock")):
        if not made.exists():
            assert not folder.exists(), f"{name}: making it has failed before"
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Workflow:
    """A copy in which nothing has been run."""
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def with_data(tmp_path_factory) -> Workflow:
    """Such a copy with a data folder that has a file for whatever a preset looks for."""
    workflow = copy_project(tmp_path_factory.mktemp("with_data"))
    write_placeholders(workflow.folder / "data")
    return workflow


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Workflow:
    """A copy in which the small workflow has been run to its end. Not to be changed."""

    def make(folder: Path) -> None:
        workflow = cut_small(copy_project(folder))
        workflow.environment = SECRETS
        workflow.snakemake("--cores", "all", *OVERLAY)

    return Workflow(made_once(tmp_path_factory, "small", make), SECRETS)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workflow:
    """A copy in which the default has been run to its end: the real thing, which takes minutes.

    What an earlier run of the checkout has left in results/ is taken over; Snakemake makes the rest. Not to be
    changed.
    """

    def make(folder: Path) -> None:
        workflow = copy_project(folder)
        if (PROJECT / "results/report/index.html").exists():
            # Presets write below results/ too, into folders of their names.
            others = [path.stem for path in (PROJECT / "presets").glob("*.yaml")]
            ignore = shutil.ignore_patterns(*others)
            shutil.copytree(PROJECT / "results", workflow.folder / "results", symlinks=True, ignore=ignore)
            shutil.copytree(PROJECT / ".snakemake/metadata", workflow.folder / ".snakemake/metadata")
        done = workflow.snakemake("--cores", "all")
        assert "Done. The report is results/report/index.html" in done.stdout

    return Workflow(made_once(tmp_path_factory, "finished", make))
