"""DPO that is killed, runs out of disk or finds a torn state: no loss, no silence."""

import os
import runpy
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from babylogue.errors import UserError
from babylogue.logs import logger
from babylogue.preferences.dpo import dpo_from_files
from babylogue.scoring.loading import load_model
from support.jobs import Named
from support.killed import kill_at, limit_files, start, weights
from support.project import PROJECT
from support.tiny_pairs import SETTINGS, exchange_pairs, save_parent, tune

pytestmark = pytest.mark.slow

TOLD = SETTINGS.model_copy(update={"evaluations": 6, "checkpoints": [1, 4]})


def run(parent: Path, folder: Path, every_s: float = 0.0):
    """A training in `folder`, which saves its state after every step if `every_s` is 0."""
    return tune(parent, folder, TOLD, every_s)


def start_here(parent: Path, folder: Path, every_s: float = 0.0, **options) -> subprocess.Popen:
    """The same in a process of its own."""
    call = f"run(Path({str(parent)!r}), Path({str(folder)!r}), {every_s})"
    return start("preferences.test_dpo_faults", call, **options)


@pytest.fixture(scope="module")
def parent(tmp_path_factory) -> Path:
    return save_parent(tmp_path_factory.mktemp("parent"))


@pytest.fixture(scope="module")
def uninterrupted(parent, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    log, _ = run(parent, folder, every_s=1e9)
    return folder, log


def test_killed_at_any_moment_it_ends_in_the_same_weights(parent, uninterrupted, tmp_path):
    folder, log = uninterrupted
    last = log["step"].iloc[-1]
    reached = [kill_at(step, start_here(parent, tmp_path), tmp_path) for step in (1, last // 3, last - 4)]
    assert reached == sorted(set(reached))
    assert reached[-1] < last
    resumed, checkpoints = run(parent, tmp_path)
    assert sorted(checkpoints) == sorted(weights(folder)) == ["best", "epoch_1", "epoch_4", "final"]
    assert weights(tmp_path) == weights(folder)
    pd.testing.assert_frame_equal(resumed, log, check_exact=True)


def test_killed_after_its_last_step_it_ends_in_the_same_weights(parent, uninterrupted, tmp_path):
    """What is left of a run that was killed before its outputs were in place, early stopping or not."""
    run(parent, tmp_path / "whole")
    shutil.rmtree(tmp_path / "whole/checkpoints/final")
    again, _ = run(parent, tmp_path / "whole")
    assert weights(tmp_path / "whole") == weights(uninterrupted[0])
    pd.testing.assert_frame_equal(again, uninterrupted[1], check_exact=True)

    stopping = TOLD.model_copy(update={"learning_rate": 1e-12, "patience": 2})
    log, _ = tune(parent, tmp_path / "stopped", stopping, 0.0)
    before = weights(tmp_path / "stopped")
    again, _ = tune(parent, tmp_path / "stopped", stopping, 0.0)
    assert log["step"].iloc[-1] == 12
    pd.testing.assert_frame_equal(again, log, check_exact=True)
    assert weights(tmp_path / "stopped") == before


@pytest.fixture(scope="module")
def killed(parent, tmp_path_factory):
    """The folder of a training that was killed halfway."""
    folder = tmp_path_factory.mktemp("killed") / "state"
    kill_at(15, start_here(parent, folder), folder)
    return folder


@pytest.fixture
def interrupted(killed, tmp_path):
    """A copy of it."""
    return shutil.copytree(killed, tmp_path / "state")


@pytest.mark.parametrize("damage", ["cut short", "a bit flipped", "a file gone", "no checksum", "no state left"])
def test_a_torn_state_is_noticed_and_the_one_before_it_taken(
    damage, parent, interrupted, uninterrupted, monkeypatch
):
    told = []
    monkeypatch.setattr(logger, "warning", lambda message, *values: told.append(message % values))
    states = [path for path in interrupted.glob("checkpoint-*") if path.is_dir()]
    states.sort(key=lambda path: -int(path.name.split("-")[1]))
    newest = [path.with_suffix(".sha256").exists() for path in states].index(True)  # one may be in the making
    damaged = states if damage == "no state left" else states[: newest + 1]
    for state in damaged:
        file = state / "optimizer.pt"
        content = bytearray(file.read_bytes()) if file.exists() else bytearray(b"not yet there")
        content[len(content) // 2] ^= 1
        if damage == "no checksum":
            state.with_suffix(".sha256").unlink(missing_ok=True)
        elif damage == "a file gone":
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(content[: len(content) // 2] if damage == "cut short" else content)
    run(parent, interrupted)
    assert [message.split(" is damaged")[0] for message in told] == list(map(str, damaged))
    assert weights(interrupted) == weights(uninterrupted[0])


def test_a_state_of_other_settings_pairs_or_parent_is_refused_by_name(parent, tmp_path):
    files = tmp_path / "pairs.parquet", tmp_path / "others.parquet"
    exchange_pairs().to_parquet(files[0])
    exchange_pairs().iloc[:50].to_parquet(files[1])
    other_parent = shutil.copytree(parent, tmp_path / "parent")
    (other_parent / "config.json").write_text((parent / "config.json").read_text() + "\n")
    once = TOLD.model_copy(update={"epochs": 1, "checkpoints": [1], "evaluations": 1})
    state = tmp_path / "state"
    dpo_from_files(parent, files[0], once, seed=0, state=state, code="a")
    (state / "checkpoint-1").mkdir()  # something to lose
    changed = once.model_copy(update={"beta": 0.5})
    for arguments, seed, code, names in (
        ((parent, files[0], changed), 0, "a", "dpo.beta"),
        ((parent, files[1], once), 1, "a", "pairs, seed"),
        ((other_parent, files[0], once), 0, "b", "code, parent"),
    ):
        with pytest.raises(UserError, match=f"another {names}; delete the folder to start anew"):
            dpo_from_files(*arguments, seed=seed, state=state, code=code)


@pytest.mark.parametrize(("every_s", "share"), [(0.0, 1.5), (1e9, 0.5)], ids=["state", "checkpoint"])
def test_a_disk_that_fills_up_is_told_in_one_line(every_s, share, parent, interrupted, uninterrupted):
    """No file may have more than `share` of the weights' size: the optimiser's state has twice that."""
    size = int(share * os.path.getsize(uninterrupted[0] / "checkpoints/final/model.safetensors"))
    process = start_here(
        parent, interrupted, every_s, stderr=subprocess.PIPE, preexec_fn=lambda: limit_files(size)
    )
    _, errors = process.communicate(timeout=500)
    assert process.returncode != 0
    last = errors.strip().splitlines()[-1]
    assert last.startswith(f"babylogue.errors.UserError: {interrupted}")
    assert last.endswith("; free some space and run the same command again")
    for folder in (interrupted / "checkpoints").glob("[!.]*"):
        assert load_model(folder, "cpu")
    run(parent, interrupted)
    assert weights(interrupted) == weights(uninterrupted[0])


def test_the_rule_publishes_every_checkpoint_and_leaves_no_state(parent, tmp_path):
    """scripts/dpo.py as Snakemake runs it."""
    exchange_pairs().to_parquet(tmp_path / "pairs.parquet")
    settings = {**SETTINGS.model_dump(), "epochs": 2, "checkpoints": [1]}
    names = ["epoch_1", "best", "final"]
    job = SimpleNamespace(
        threads=1,
        params=Named(settings=settings, state=tmp_path / "seed0/state", code="a", run="dpo"),
        wildcards=Named(seed="0"),
        input=Named(parent=parent, pairs=tmp_path / "pairs.parquet"),
        output=Named(
            {name: tmp_path / "seed0" / name for name in names},
            log=tmp_path / "seed0/log.csv",
            settings=tmp_path / "seed0/settings.yaml",
        ),
    )
    job.input["parent"] = str(parent)
    runpy.run_path(str(PROJECT / "scripts/dpo.py"))["main"](job)
    assert sorted(path.name for path in (tmp_path / "seed0").iterdir()) == sorted(
        [*names, "log.csv", "settings.yaml"]
    )
    assert pd.read_csv(tmp_path / "seed0/log.csv")["heldout_accuracy"].between(0, 100).all()
    assert yaml.safe_load((tmp_path / "seed0/settings.yaml").read_text())["settings"]["checkpoints"] == [1]
    for name in names:
        assert load_model(tmp_path / "seed0" / name, "cpu")
