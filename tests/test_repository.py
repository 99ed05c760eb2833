"""The repository holds together: environments, house rules, nothing that must not be in it."""

import ast
import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from support.project import PROJECT

LIBRARY = PROJECT / "scripts/babylogue"
# Who may import whom: a package imports from those before it.
LAYERS = [
    "errors", "file_names", "user_files", "inputs", "settings", "fingerprint", "integrity", "mishaps", "logs",
    "benchmarks", "cluster", "provenance", "network", "dialogue", "transcripts", "tokenizer", "model", "scoring",
    "teacher", "preferences", "reinforcement", "suites", "analysis", "report", "hub", "model_rows",
    "configuration_files", "configuration", "configuration_table", "cli", "__main__",
]  # fmt: skip
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path.name != "__init__.py")


def test_conda_environment_is_in_step_with_pyproject():
    wanted = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    environment = yaml.safe_load((PROJECT / "envs/babylogue.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == wanted


def test_constraints_pin_every_dependency_within_its_bounds():
    lines = (PROJECT / "envs/constraints.txt").read_text().splitlines()
    pins = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in lines if not line.startswith("#")]
    assert all(pins), "names and versions alone: no builds, addresses or paths, which are a machine's"
    versions = {canonicalize_name(pin[1]): Version(pin[2]) for pin in pins}
    assert len(versions) == len(pins)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = map(Requirement, sum(project["optional-dependencies"].values(), project["dependencies"]))
    for requirement in wanted:
        if requirement.name != "babylogue":
            assert versions[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_every_dependency_has_a_lower_and_an_upper_bound():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    for requirement in map(Requirement, sum(project["optional-dependencies"].values(), project["dependencies"])):
        operators = {bound.operator for bound in requirement.specifier}
        bounded = operators in ({"=="}, {">=", "<"}, {">=", "<="})
        assert bounded or requirement.name == "babylogue", requirement


def test_snakemake_is_as_new_as_the_snakefile_asks_for():
    (asked,) = re.findall(r'min_version\("(.+)"\)', (PROJECT / "Snakefile").read_text())
    assert f'"snakemake>={asked},' in (PROJECT / "pyproject.toml").read_text()


def test_hooks_before_a_commit_have_versions_that_the_tests_take_too():
    hooks = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    pinned = dict(own.split("==") for hook in hooks for own in hook["additional_dependencies"])
    wanted = map(
        Requirement,
        tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["test"],
    )
    known = {own.name: own.specifier for own in wanted}
    assert {name for name in pinned if name in known} == {"ruff", "snakefmt"}
    assert all(Version(pinned[name]) in known[name] for name in ("ruff", "snakefmt"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_no_module_imports_upward(path):
    own = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            depth = len(path.relative_to(LIBRARY).parts) - node.level
            if depth > 0:
                continue  # within the package
            imported = (node.module or node.names[0].name).split(".")[0]
            assert LAYERS.index(imported) < LAYERS.index(own), f"{own} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_modules_are_small_and_say_what_they_do(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text))
    assert text.count("\n") <= 420


def test_every_rule_has_its_script_and_every_script_its_rule():
    rules = "".join(path.read_text() for path in (PROJECT / "rules").glob("*.smk"))
    used = set(re.findall(r'"\.\./scripts/(\w+)\.py"', rules))
    assert used == {path.stem for path in (PROJECT / "scripts").glob("*.py")}
    assert used == set(re.findall(r'code\("(\w+)\.py"', rules))


def test_no_path_of_a_machine_and_no_transcript_is_committed():
    files = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True).stdout.split()
    if not files:
        pytest.skip("not a git checkout")
    assert not [name for name in files if name.endswith((".cha", ".zip", ".parquet", ".safetensors", "uv.lock"))]
    for name in files:
        assert not re.search("/" + r"(work|root|home/\w+)/", (PROJECT / name).read_text()), name
