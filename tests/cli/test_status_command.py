"""`babylogue status` on a finished small run: what Snakemake would do, why, and how long that takes."""

import json
import os
import shutil

import pandas as pd
import pytest
import yaml

from babylogue.cli.cores import available_cores
from babylogue.cli.estimates import estimates, wall_seconds, work_left
from babylogue.cli.plan import Job
from babylogue.cli.reasons import Cause, direct
from support.command_line import babylogue, refused
from support.project import copy_of
from support.small_workflow import OVERLAY


@pytest.fixture(scope="module")
def workflow(small, tmp_path_factory):
    """A copy for this module; nothing in it is made."""
    return copy_of(small, tmp_path_factory.mktemp("status"))


def status(workflow, *configfiles, arguments=()):
    """What it says of the small configuration with files laid over it."""
    done = babylogue(
        "status", *OVERLAY, *configfiles, "--cores", 2, *arguments, folder=workflow.folder, **workflow.environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def by(rows, key):
    return {row[key]: row for row in rows}


def test_where_all_is_made_it_says_so_and_names_the_report(workflow):
    lines = status(workflow).splitlines()
    assert lines[-1] == "Nothing is left to do. The report is results/report/index.html."
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["base"] == ["base", "pretrain", "0", "3/3", "4/4"]
    assert rows["dpo_natural"] == ["dpo_natural", "dpo", "base", "0", "2/2", "2/2"]
    assert rows["tokenizer"] == ["tokenizer", "1/1"]


def test_what_is_stale_and_why_and_how_long_it_takes(workflow):
    kept = copy_of(workflow, workflow.folder.with_name("changed"))
    results = kept.folder / "results"
    (results / "scores/base/seed0/final/toy_grammar.json").unlink()
    shutil.rmtree(results / "models/base/seed0/chck_10K")  # scored already, so nothing misses it
    kept.write("tiny_teacher/added.txt", "added")
    kept.write("changed.yaml", yaml.safe_dump({"dpo": {"beta": 0.3}}))
    found = json.loads(status(kept, "changed.yaml", arguments=["--json"]))

    planned = kept.planned(*OVERLAY, "changed.yaml")
    assert found["jobs_left"] == sum(map(len, planned.values()))
    assert (found["report"], found["locked"], found["unmeasured"]) == (None, False, [])
    base, dpo, ppo = (by(found["models"], "model")[name] for name in ("base", "dpo_natural", "ppo_bleu"))
    assert base["checkpoints"] == {"made": 2, "stale": 0, "missing": 0, "removed": 1}
    assert base["scores"] == {"made": 3, "stale": 0, "missing": 1, "removed": 0}
    assert base["why"] == ["missing: results/scores/base/seed0/final/toy_grammar.json"]
    assert dpo["checkpoints"]["stale"] == dpo["scores"]["stale"] == 2
    assert dpo["why"] == ["settings changed: beta 0.1 -> 0.3"]
    assert ppo["why"] == ["changed: tiny_teacher/added.txt"]  # by way of the teacher's replies
    stages = by(found["stages"], "stage")
    assert stages["corpus"]["jobs_left"] == stages["tokenizer"]["seconds_left"] == 0
    assert "results/models/dpo_natural/seed0/best: settings changed: beta 0.1 -> 0.3" in stages["report"]["why"]

    # Each as long as it took.
    files = [
        "models/dpo_natural/seed0",
        *(f"scores/dpo_natural/seed0/best/{name}" for name in ("dialogue_words", "toy_grammar")),
    ]
    took = [pd.read_csv(results / f"benchmarks/{name}.tsv", sep="\t")["s"][0] for name in files]
    assert dpo["seconds_left"] == pytest.approx(sum(took))
    assert found["seconds_left"] < sum(row["seconds_left"] for row in [*found["models"], *found["stages"]])


def test_what_was_never_made_and_a_row_that_is_new(workflow):
    workflow.write("elsewhere.yaml", yaml.safe_dump({"results": "elsewhere"}))
    found = json.loads(status(workflow, "elsewhere.yaml", arguments=["--json"]))
    assert {"models by pretrain", "scores on toy_grammar", "tokenizer"} <= set(found["unmeasured"])
    assert found["seconds_left"] == 0
    for row in found["models"]:
        assert row["why"] == ["not made"]
        assert row["checkpoints"]["made"] == row["scores"]["made"] == 0

    workflow.write(
        "more.yaml",
        yaml.safe_dump({"models": {"dpo_more": {"method": "dpo", "parent": "base", "pairs": "natural"}}}),
    )
    workflow.write(".snakemake/locks/0.output.lock", "results/report/index.html\n")
    text = status(workflow, "more.yaml")
    (workflow.folder / ".snakemake/locks/0.output.lock").unlink()
    assert text.startswith("Locked: a run is at work here")
    row = next(line for line in text.splitlines() if line.startswith("dpo_more"))
    # As the other model by DPO and its scores took.
    assert row.split()[:6] == ["dpo_more", "dpo", "base", "0", "0/2", "0/1"] and "about" in row
    assert "unknown" not in text and "None has been measured" not in text
    assert " jobs are left, about " in text.splitlines()[-1]


def test_what_stops_snakemake_is_told_in_a_line(workflow, tmp_path):
    workflow.write("wrong.yaml", "dpo: {bata: 0.3}\n")
    message = refused("status", *OVERLAY, "wrong.yaml", folder=workflow.folder)
    assert message.startswith("babylogue: snakemake: configuration: dpo.bata: unknown key; see config.yaml")
    assert "no such file" in refused("status", "--configfile", "none.yaml", folder=workflow.folder)
    assert "a number of cores" in refused("status", "--cores", 0, folder=workflow.folder, status=2)
    (tmp_path / "scripts").symlink_to(workflow.folder / "scripts")
    assert "no Snakefile in this folder" in refused("status", folder=tmp_path)
    shutil.copy(workflow.folder / "config.yaml", tmp_path)
    (tmp_path / "Snakefile").write_text("rule all:\n    input: 'not_there.txt'\n")
    assert "not_there.txt" in refused("status", folder=tmp_path)


# --- the parts ----------------------------------------------------------------------------------------------


def job(output, *inputs, benchmark="", reason="", threads=1):
    return Job("rule", inputs, (output,), benchmark, threads, reason)


def test_reasons_in_words():
    def words(reason):
        return [cause.what for cause in direct(job("out", reason=reason), {"out": True})]

    params = (
        "Params have changed since last execution: Union of exclusive params before and now across all output: "
    )
    assert words(f"{params}before: '0123456789abcdef' now: '0123456789abcdee' ") == ["code changed"]
    old, new = {"a": {"b": 1, "c": 2}, "url": "x"}, {"a": {"b": 3, "c": 2}, "url": "https://me:password@host"}
    assert words(f"{params}before: {old} now: {new} ") == ["settings changed: a.b 1 -> 3, url x -> ..."]
    assert words(f"{params}before: <nothing exclusive> now: 'tiny' ") == ["settings changed"]
    assert words("Updated input files: a, b; Code has changed since last execution") == [
        "changed: a, b",
        "code changed",
    ]
    assert words("Updated input files: ; Input files updated by another job: a") == []
    missing = job("out", reason="Missing output files: out")
    assert direct(missing, {"out": False}) == [Cause("out", "not made")]


def test_times_are_a_jobs_own_else_the_median_of_its_kind():
    measured = pd.DataFrame(
        [
            ("models", "a/seed0", 100.0),
            ("models", "b/seed0", 300.0),
            ("models", "c/seed0", 7.0),
            ("scores", "a/seed0/final/blimp", 20.0),
            ("split", "", float("nan")),
        ],
        columns=["stage", "name", "seconds"],
    )
    seconds, kind = estimates(measured, "r/benchmarks", {"a": "dpo", "b": "dpo", "new": "dpo", "c": "ppo"})

    def of(name):
        return seconds(job("x", benchmark=f"r/benchmarks/{name}.tsv"))

    assert of("models/a/seed0") == 100
    assert of("models/new/seed0") == 200
    assert of("models/c/seed1") == 7
    assert of("scores/c/seed0/final/blimp") == 20
    assert of("scores/c/seed0/final/zorro") is of("split") is None
    assert seconds(job("x")) == 0
    jobs = [job("x", benchmark="r/benchmarks/split.tsv"), job("y", benchmark="r/benchmarks/models/a/seed0.tsv")]
    assert work_left(jobs, seconds, kind) == (2, 100, ["split"])


def test_jobs_run_side_by_side_as_far_as_they_can():
    chain = [
        job("a", "made_already", benchmark="10"),
        job("b", "a", benchmark="10"),
        job("c", "b", benchmark="10"),
    ]
    others = [job(f"o{number}", benchmark="10", threads=2) for number in range(2)]

    def wall(jobs, cores):
        return wall_seconds(jobs, lambda own: float(own.benchmark), cores)

    assert wall(chain, 1) == wall(chain, 8) == 30
    assert wall([*chain, *others], 1) == 70
    assert wall([*chain, *others], 8) == 30
    assert wall([], 2) == 0


def test_cores_are_those_that_the_process_may_run_on():
    own = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(own)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, own)
    assert available_cores() == len(own)
