"""`snakemake --profile slurm` on a real SLURM: what jobs ask for and get, and that nothing is lost with one."""

import json
import os
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from babylogue.cluster import jobs_left
from babylogue.errors import UserError
from support.project import copy_project
from support.slurm_cluster import SlurmCluster, missing_programs
from support.small_workflow import OVERLAY, cut_small

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(missing_programs()),
        reason=f"SLURM is not installed here ({', '.join(missing_programs())}): apt-get install slurmctld slurmd "
        "slurm-client munge",
    ),
]

# The cluster of the tests keeps no accounts, answers at once and has its files on one disk.
HASTE = (
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"),
    *("--seconds-between-status-checks", "1", "--latency-wait", "5"),
)
SLURM = ("--profile", "slurm", *HASTE, *OVERLAY)
# Every Python process of a job says what SLURM gave it.
WITNESS = """\
import json, os, sys
if job := os.environ.get("SLURM_JOB_ID"):
    told = {"job": job, "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"), "run": sys.orig_argv[-1]}
    with open(os.environ["WITNESS"], "a") as file:
        file.write(json.dumps(told) + "\\n")
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with SlurmCluster(tmp_path_factory.mktemp("slurm") / "cluster") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def workflow(cluster, tmp_path_factory):
    """The small workflow, its profile filled in as for a cluster with GPUs, not run yet.

    Of like jobs it has few: each takes seconds more as a job of a cluster.
    """
    workflow = cut_small(copy_project(tmp_path_factory.mktemp("workflow")), without=("dpo_mixed", "grpo", "rloo"))
    profile = workflow.read("slurm/config.yaml")
    for shipped, filled_in in {
        "  # slurm_account: my-project": "  slurm_account: my-project",
        "  # slurm_partition: standard,gpu": "  slurm_partition: standard,gpu",
        "  gpu: 0": "  gpu: 1",
        "# set-resources:": "set-resources:",
        "#   pretrain_base: {gpu: 4, runtime: 2880}": "  pretrain_base: {gpu: 2, runtime: 2880}",
        "# set-threads:": "set-threads:",
        "#   pretrain_base: 4": "  pretrain_base: 2",
    }.items():
        assert profile.count(shipped) == 1
        profile = profile.replace(shipped, filled_in)
    workflow.write("slurm/config.yaml", profile)
    workflow.write("witness/sitecustomize.py", WITNESS)
    workflow.environment = cluster.environment | {
        "PYTHONPATH": os.pathsep.join([str(workflow.folder / "scripts"), str(workflow.folder / "witness")]),
        "WITNESS": str(workflow.folder / "witness/told.jsonl"),
    }
    return workflow


@pytest.fixture(scope="module")
def whole_run(workflow, cluster):
    """What Snakemake printed of a whole run, and the jobs of it by rule."""
    printed = workflow.snakemake(*SLURM).stdout
    return printed, cluster.jobs()


def rule_of(job: dict[str, str]) -> str:
    """The rule or the group that a job is of."""
    return job["Comment"].removeprefix("rule_").split("_wildcards_")[0]


def test_a_whole_run_ends_and_a_second_does_nothing(whole_run, workflow):
    assert "Done. The report is results/report/index.html" in whole_run[0]
    assert workflow.planned(*OVERLAY) == {}
    scores = pd.read_csv(workflow.folder / "results/report/scores.csv")
    assert set(scores["run"]) == {"base", "dpo_natural", "ppo_bleu"}


def test_every_job_was_submitted_once_and_ended_well(whole_run):
    jobs = whole_run[1]
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    assert {job["Requeue"] for job in jobs} == {"0"}
    assert {job["Account"] for job in jobs} == {"my-project"}
    assert Counter(map(rule_of, jobs)) == {
        "utterances": 1, "triplets": 1, "tokenizer": 1, "tokens": 2, "natural_pairs": 2, "pair_card": 2,
        "baselines": 1, "replies": 1, "pretrain_base": 1, "dpo_dpo_natural": 1, "ppo_ppo_bleu": 1,
        "scores_score": 1, "replies_reply_samples": 1, "comparisons": 1, "items": 1,
    }  # fmt: skip


def test_a_job_gets_what_its_rule_asks_for(whole_run):
    jobs = {rule_of(job): job for job in whole_run[1]}
    asked = {rule: (job["MinMemoryNode"], job["TimeLimit"], job["NumCPUs"]) for rule, job in jobs.items()}
    assert asked["utterances"] == ("3000M", "01:00:00", "2")
    assert asked["baselines"] == ("2000M", "01:00:00", "1"), "the profile's defaults"
    assert asked["pretrain_base"] == ("6000M", "2-00:00:00", "2"), "a core for each of its GPUs"
    assert asked["dpo_dpo_natural"] == ("6000M", "06:00:00", "1")
    assert asked["ppo_ppo_bleu"] == ("8000M", "12:00:00", "1")
    # All scores one after another on the one GPU of their submission.
    assert asked["scores_score"] == ("3000M", "03:30:00", "1")
    assert asked["replies_reply_samples"] == ("3000M", "01:30:00", "1")


def test_jobs_that_can_use_a_gpu_get_one_and_see_it(whole_run, workflow):
    jobs = whole_run[1]
    gpus = {rule_of(job): job.get("TresPerJob", "") for job in jobs}
    on_gpu = {rule for rule, asked in gpus.items() if asked == "gres:gpu:1"}
    assert on_gpu == {"replies", "dpo_dpo_natural", "ppo_ppo_bleu", "scores_score", "replies_reply_samples"}
    assert gpus["pretrain_base"] == "gres:gpu:2"
    on_gpu.add("pretrain_base")
    assert {job["Partition"] for job in jobs if rule_of(job) in on_gpu} == {"gpu"}
    assert {job["Partition"] for job in jobs if rule_of(job) not in on_gpu} == {"standard"}
    told = [json.loads(line) for line in workflow.read("witness/told.jsonl").splitlines()]
    number = {job["JobId"]: rule_of(job) for job in jobs}
    seen = {name: {line["gpus"] for line in told if number[line["job"]] == name} for name in number.values()}
    assert set(seen) == set(number.values())
    for rule, gpus in seen.items():
        if rule == "pretrain_base":
            assert gpus == {"0,1"}
        elif rule in on_gpu:
            assert gpus <= {"0", "1"} and len(gpus) == 1, rule
        else:
            assert gpus == {None}, rule


def test_downloads_and_light_rules_stay_on_the_machine_of_the_head_process(whole_run):
    local = {line.split()[1].rstrip(":") for line in whole_run[0].splitlines() if line.startswith("localrule ")}
    assert local == {
        "published", "toy_transcripts", "split", "corpus_statistics", "suite", "rollout_prompts", "pair_cards",
        "rewarded_runs", "trajectories", "scores_table", "suite_sources", "reply_prompts", "replies_table",
        "report", "model_card", "table_parquet", "all",
    }  # fmt: skip


# --- what machines do ---------------------------------------------------------------------------------------


ROW = {"method": "pretrain", "words": 600_000, "checkpoints": [20_000], "validations": 3}


@pytest.fixture(scope="module")
def undisturbed(workflow, whole_run) -> bytes:
    """The weights that the row ends in where nothing happens to it."""
    workflow.write("row.yaml", yaml.safe_dump({"models": {"undisturbed": ROW}}))
    target = "results/models/undisturbed/seed0/final"
    workflow.snakemake("--cores", "1", *OVERLAY, "row.yaml", "--", target)
    return (workflow.folder / target / "model.safetensors").read_bytes()


@pytest.fixture
def training(workflow, undisturbed, request):
    """A row of its own, long enough to be ended on the way: its name, the command for it, its folder `final`."""
    run = request.node.callspec.id
    workflow.write("row.yaml", yaml.safe_dump({"models": {run: ROW}}))
    target = f"results/models/{run}/seed0/final"
    return run, (*SLURM, "row.yaml", "--", target), workflow.folder / target


def until(is_true, process=None, seconds=90):
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "it did not come"
        assert process is None or process.poll() is None, process.stdout.read()
        time.sleep(0.1)


def jobs_of(cluster, run):
    """The jobs that train the row, oldest first."""
    return [job for job in cluster.jobs() if rule_of(job) == f"pretrain_{run}"]


def has_state(final: Path) -> bool:
    return bool(list((final.parent / "state").glob("*.sha256")))


@pytest.mark.parametrize("training", ["cancelled"], indirect=True)
def test_a_job_that_is_cancelled_goes_on_at_the_next_attempt(workflow, cluster, training, undisturbed):
    run, command, final = training
    snakemake = workflow.start(*command)
    until(lambda: has_state(final), snakemake)
    (job,) = jobs_of(cluster, run)
    cluster.ask("scancel", job["JobId"])
    printed, _ = snakemake.communicate()
    assert snakemake.returncode == 0, printed
    first, second = jobs_of(cluster, run)
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("6000M", "12000M")
    assert "going on from step" in workflow.read(f"results/logs/models/{run}/seed0.log")
    assert (final / "model.safetensors").read_bytes() == undisturbed


@pytest.mark.alone
@pytest.mark.parametrize("training", ["ended", "finished"], indirect=True)
def test_after_a_crash_of_the_head_process(workflow, cluster, training, undisturbed):
    run, command, final = training
    snakemake = workflow.start(*command)
    until(lambda: has_state(final), snakemake)
    snakemake.kill()
    snakemake.communicate()
    (job,) = jobs_of(cluster, run)
    assert jobs_left_here(workflow, cluster) == [job["JobId"]], "the job outlives Snakemake"

    assert "LockException" in workflow.snakemake(*command, check=False).stdout
    workflow.snakemake("--unlock", *OVERLAY)
    refused = workflow.snakemake(*command, check=False)
    assert refused.returncode != 0
    assert f"end them with `scancel {job['JobId']}`" in refused.stdout
    assert "Traceback" not in refused.stdout

    if run == "ended":
        cluster.ask("scancel", job["JobId"])
    until(lambda: not jobs_left_here(workflow, cluster))
    assert (final / "model.safetensors").exists() == (run == "finished")
    workflow.snakemake(*command)
    assert len(jobs_of(cluster, run)) == (1 if run == "finished" else 2), "nothing is done twice"
    assert ("going on from step" in workflow.read(f"results/logs/models/{run}/seed0.log")) == (run == "ended")
    assert (final / "model.safetensors").read_bytes() == undisturbed
    assert workflow.planned(*command[len(SLURM) - len(OVERLAY) :]) == {}


def jobs_left_here(workflow, cluster) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", cluster.environment["PATH"])
        return jobs_left(workflow.folder.resolve())


# --- a cluster that cannot be asked -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("squeue", "message"),
    [
        (None, "squeue is not on this machine"),
        ("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1", "Unable to contact"),
    ],
)
def test_a_cluster_that_does_not_answer_is_told_in_a_line(squeue, message, tmp_path, monkeypatch):
    if squeue:
        (tmp_path / "squeue").write_text(f"#!/bin/sh\n{squeue}\n")
        (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=message):
        jobs_left(tmp_path)
