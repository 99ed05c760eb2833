"""PPO that is killed, crashes or runs out of disk: it ends in the same weights, the same log, the same verdict."""

import json
import os
import runpy
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
import yaml

from babylogue.errors import UserError
from babylogue.model.state import TrainingState
from babylogue.reinforcement import ppo
from babylogue.reinforcement.records import PPOResult
from babylogue.reinforcement.rewards.registry import terms
from babylogue.scoring.loading import load_model
from support.jobs import Named
from support.killed import kill_at, limit_files, newest_step, start
from support.project import PROJECT
from support.tiny_pairs import ANSWERS, exchange_pairs, save_parent
from support.tiny_ppo import PROMPTS, ball, quick, tiny_llama, tiny_tokenizer

pytestmark = pytest.mark.slow

STEPS = 12
# Whatever has a state has work: the coefficient adapts, corpus and nucleus are drawn from, `best` is chosen.
TOLD = quick(
    prompts=16 * STEPS, epochs_per_batch=1, evaluate_every=2, top_p=0.9, language_model_coefficient=0.1,
    kl_target=0.1, kl_horizon=50, held_out_tolerance=100.0,
)  # fmt: skip
CORPUS = ["*MOT: what is that ? *CHI: a ball .", "*CHI: no ."]


def noisy(prompts, replies):
    """A reward that draws from torch's generator, as a judge that is sampled from does."""
    return ball(prompts, replies) + 0.1 * torch.randn(len(replies)).numpy()


def run(folder: Path, every_s: float = 0.0, settings=TOLD, report=lambda row: None) -> PPOResult:
    """A training in `folder`, which saves its state after every step if `every_s` is 0."""
    torch.set_num_threads(1)
    tokenizer = tiny_tokenizer()

    def accuracy(model):
        return 100 * float(model.get_output_embeddings().weight.abs().mean())

    return ppo.train(
        tiny_llama(tokenizer), tokenizer, PROMPTS[:3], noisy, settings, seed=4, corpus_texts=CORPUS,
        held_out=accuracy, state=TrainingState(folder, {"ppo": settings.model_dump()}, every_s), report=report,
    )  # fmt: skip


def start_here(folder: Path, every_s: float = 0.0, **options) -> subprocess.Popen:
    """The same in a process of its own."""
    return start("reinforcement.test_ppo_faults", f"run(Path({str(folder)!r}), {every_s})", **options)


def assert_same(one: PPOResult, other: PPOResult) -> None:
    """To the bit, but for the seconds."""
    for name in ("final", "best"):
        weights, others = getattr(one, name), getattr(other, name)
        assert weights.keys() == others.keys()
        assert all(torch.equal(weights[key], others[key]) for key in weights)
    assert (one.best_step, one.stopped) == (other.best_step, other.stopped)
    timeless = [name for name in one.log if not name.startswith("seconds_")]
    pd.testing.assert_frame_equal(one.log[timeless], other.log[timeless], check_exact=True)
    pd.testing.assert_frame_equal(one.samples, other.samples, check_exact=True)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> PPOResult:
    return run(tmp_path_factory.mktemp("uninterrupted"), every_s=1e9)


def test_killed_at_any_moment_it_ends_in_the_same_weights_and_log(uninterrupted, tmp_path):
    reached = [kill_at(step, start_here(tmp_path), tmp_path) for step in (1, 5, 9)]
    assert reached == sorted(set(reached)) and reached[-1] < STEPS
    resumed = run(tmp_path)
    assert_same(resumed, uninterrupted)
    assert len(resumed.log) == STEPS + 1 and resumed.best_step > 0
    kept = resumed.log.loc[resumed.log["checkpoint"] == "best", "step"]
    assert kept.iloc[-1] == resumed.best_step and len(kept) > 2
    # Killed after its end, before its outputs were in place: nothing is done again.
    assert_same(run(tmp_path, report=pytest.fail), uninterrupted)


class Crash(Exception):
    """What a step dies of."""


def crash_after(*steps: int):
    """A report that dies after some steps, each of them once."""
    left = set(steps)

    def report(row):
        if row["step"] in left:
            left.remove(row["step"])
            raise Crash

    return report


def broken_in_the_middle(log: pd.DataFrame) -> dict[str, float]:
    """A bound that the mean of four steps breaks after the eighth, and before never: of whatever does so."""
    for quantity, bound in (
        ("kl_k1", "max_kl"), ("entropy", "min_entropy"),
        ("reply_tokens", "max_reply_tokens"), ("reply_tokens", "min_reply_tokens"),
    ):  # fmt: skip
        means = log[quantity].rolling(4).mean()
        furthest = means[:8].max() if bound.startswith("max") else means[:8].min()
        if (means[8:STEPS] > furthest).any() if bound.startswith("max") else (means[8:STEPS] < furthest).any():
            return {bound: float(furthest)}
    raise AssertionError("nothing breaks out after the eighth step: take another seed")


def test_a_crash_forgets_neither_the_guards_windows_nor_its_verdict(uninterrupted, tmp_path):
    bound = broken_in_the_middle(uninterrupted.log)
    guard = TOLD.guard.model_copy(update={"window_steps": 4} | bound)
    settings = TOLD.model_copy(update={"guard": guard})
    whole = run(tmp_path / "whole", 1e9, settings)
    stop = whole.log["step"].iloc[-1]
    assert "over the last 4 steps" in whole.stopped and next(iter(bound)) in whole.stopped and 6 < stop < STEPS
    assert whole.log["stopped"].iloc[-1] == whole.stopped and whole.log["stopped"].isna().sum() == stop

    report = crash_after(stop - 2, stop - 1, stop)
    for _ in range(3):
        with pytest.raises(Crash):
            run(tmp_path / "crashed", 0.0, settings, report)
    assert_same(run(tmp_path / "crashed", 0.0, settings), whole)
    assert_same(run(tmp_path / "crashed", 0.0, settings, pytest.fail), whole)


def test_a_disk_that_fills_up_is_told_in_one_line(uninterrupted, tmp_path):
    with pytest.raises(Crash):
        run(tmp_path, report=crash_after(3))
    assert newest_step(tmp_path) == 3
    size = os.path.getsize(tmp_path / "3.pt") // 2
    process = start_here(tmp_path, stderr=subprocess.PIPE, preexec_fn=lambda: limit_files(size))
    _, errors = process.communicate(timeout=500)
    assert process.returncode != 0
    last = errors.strip().splitlines()[-1]
    assert last.startswith(f"babylogue.errors.UserError: {tmp_path}")
    assert last.endswith("; free some space and run the same command again")
    assert newest_step(tmp_path) == 3 and not list(tmp_path.glob("*.partial"))
    assert_same(run(tmp_path), uninterrupted)


# The rule


@pytest.fixture
def job(tmp_path):
    """scripts/ppo.py's job as Snakemake hands it over, on pairs of three questions and their answers."""
    pairs = exchange_pairs()
    pairs.to_parquet(tmp_path / "pairs.parquet")
    prompts = sorted(set(pairs["prompt"]))
    pd.DataFrame({"prompt": prompts}).to_parquet(tmp_path / "prompts.parquet")
    references = pd.DataFrame({"prompt": prompts, "sample": 0})
    references["reply"] = [ANSWERS[prompt.split()[1]] for prompt in prompts]
    references.to_parquet(tmp_path / "references.parquet")
    pd.DataFrame({"speakers": [["MOT", "CHI"]], "turns": [["what is it ?", "a boat ."]]}).to_parquet(
        tmp_path / "triplets.parquet"
    )
    settings = {**quick(prompts=64, evaluate_every=2).model_dump(), "reward": "bleu"}
    inputs = {"parent": str(save_parent(tmp_path / "parent"))}
    for name, file in (("prompts",) * 2, ("heldout", "pairs"), ("references",) * 2, ("corpus", "triplets")):
        inputs[name] = str(tmp_path / f"{file}.parquet")
    outputs = {name: str(tmp_path / "seed0" / name) for name in ("best", "final")}
    for name in ("log.csv", "samples.parquet", "settings.yaml"):
        outputs[name.split(".")[0]] = str(tmp_path / "seed0" / name)
    (tmp_path / "seed0").mkdir()
    return SimpleNamespace(
        threads=1,
        params=Named(
            settings=settings,
            options={},
            state=str(tmp_path / "seed0/state"),
            code="a",
            run="ppo",
            kinds={name: asdict(kind) for name, kind in terms("bleu").items()},
        ),
        wildcards=Named(seed="0"),
        input=Named(inputs),
        output=Named(outputs),
    )


def script() -> dict:
    return runpy.run_path(str(PROJECT / "scripts/ppo.py"))


def test_the_rule_writes_every_output_and_leaves_no_state(job):
    script()["main"](job)
    folder = Path(job.output.log).parent
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["best", "final", "log.csv", "samples.parquet", "settings.yaml"]
    )
    log = pd.read_csv(job.output.log)
    assert log["step"].tolist() == [0, 1, 2, 3, 4]
    assert log["held_out_accuracy"].notna().tolist() == [True, False, True, False, True]
    assert log["held_out_reward"].notna().tolist() == [True, False, True, False, True]
    samples = pd.read_parquet(job.output.samples)
    # Three questions, one of them held out, to which there are four replies at each of three evaluations.
    assert len(samples) == 5 * 16 + 3 * 4
    assert samples[samples["held_out"]].groupby("step").size().to_dict() == {0: 4, 2: 4, 4: 4}
    assert set(samples[samples["held_out"]]["prompt"]).isdisjoint(samples[~samples["held_out"]]["prompt"])
    assert all(row.reference == ANSWERS[row.prompt.split()[1]] for row in samples.itertuples())
    assert yaml.safe_load(Path(job.output.settings).read_text())["stopped"] == ""
    for name in ("best", "final"):
        assert load_model(Path(job.output[name]), "cpu")


def test_a_state_of_other_settings_inputs_or_code_is_refused_by_name(job):
    module = script()

    def crash(*_, state, **__):
        state.save(1, {})
        raise Crash

    module["main"].__globals__["train"] = crash
    with pytest.raises(Crash):
        module["main"](job)
    assert json.loads((Path(job.params.state) / "made_with.json").read_text())["seed"] == "0"
    with pytest.raises(Crash):
        module["main"](job)  # with nothing changed it is taken up

    def refused(names):
        with pytest.raises(UserError, match=f"an interrupted training with another {names}; delete the folder"):
            module["main"](job)

    job.params["settings"] = job.params.settings | {"learning_rate": 0.5}
    refused(r"ppo\.learning_rate")
    job.params["settings"] = job.params.settings | {"learning_rate": 3e-3}
    pd.DataFrame({"prompt": ["*MOT: who is it ?", "*MOT: who is that ?"]}).to_parquet(job.input.prompts)
    job.params["code"] = "b"
    refused("code, prompts")
    shutil.rmtree(job.params.state)
    with pytest.raises(Crash):
        module["main"](job)
