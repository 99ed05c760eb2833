"""Fixtures: a copy of the project in which the default configuration has been run to its end."""

import shutil

import pytest

from support.project import COPIED, PROJECT, SECRETS, Workflow, copy_project, write_placeholders
from support.small_workflow import OVERLAY, cut_small


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Workflow:
    """A copy in which nothing has been run."""
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def with_data(project) -> Workflow:
    """`project` with a data folder that has a file for whatever a preset looks for."""
    write_placeholders(project.folder / "data")
    return project


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workflow:
    """A copy in which the default has been run to its end: the real thing, which takes minutes.

    What an earlier run of the checkout has left in results/ is taken over; Snakemake makes the rest.
    """
    workflow = copy_project(tmp_path_factory.mktemp("finished"))
    if (PROJECT / "results/report/index.html").exists():
        # Presets write below results/ too, into folders of their names.
        others = [path.stem for path in (PROJECT / "presets").glob("*.yaml")]
        ignore = shutil.ignore_patterns(*others)
        shutil.copytree(PROJECT / "results", workflow.folder / "results", symlinks=True, ignore=ignore)
        shutil.copytree(PROJECT / ".snakemake/metadata", workflow.folder / ".snakemake/metadata")
    done = workflow.snakemake("--cores", "all")
    assert "Done. The report is results/report/index.html" in done.stdout
    return workflow


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Workflow:
    """A copy in which the small workflow has been run to its end. Not to be changed."""
    workflow = cut_small(copy_project(tmp_path_factory.mktemp("small")))
    workflow.environment = SECRETS
    workflow.snakemake("--cores", "all", *OVERLAY)
    return workflow


@pytest.fixture
def edited(finished):
    """`finished`, for tests that change its files: every file of the workflow is put back afterwards."""
    files = [path for name in COPIED for path in sorted((finished.folder / name).rglob("*")) if path.is_file()]
    files += [finished.folder / name for name in COPIED if (finished.folder / name).is_file()]
    before = {path: path.read_bytes() for path in files}
    yield finished
    for path, content in before.items():
        if path.read_bytes() != content:
            path.write_bytes(content)
