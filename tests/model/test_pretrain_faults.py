"""Pre-training that is killed, runs out of disk, finds a torn state or diverges: no loss, no silence."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from babylogue.errors import UserError
from babylogue.logs import logger
from babylogue.model.pretrain import pretrain
from babylogue.model.settings import ArchitectureSettings, PretrainSettings
from babylogue.model.state import TrainingState
from babylogue.model.tokens import read_tokens
from support.killed import kill_at, kill_when, limit_files, start, weights
from support.project import PROJECT
from support.tiny_texts import exchanges, save_tiny_texts

pytestmark = pytest.mark.slow

SETTINGS = PretrainSettings(
    architecture=ArchitectureSettings(hidden_size=32, intermediate_size=64, layers=2, heads=2, context_tokens=64),
    words=12_000,
    checkpoints=[4_000, 8_000],
    row_tokens=64,
    batch_rows=4,
    validations=6,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a tokenizer and texts."""
    return save_tiny_texts(
        tmp_path_factory.mktemp("data"), exchanges(["kitty", "dog", "spoon", "ball", "boat"], rounds=80)
    )


def train(data: Path, folder: Path, settings: PretrainSettings = SETTINGS, every_s: float = 0.0):
    """A training in `folder`, which saves its state after every step if `every_s` is 0."""
    texts = read_tokens(data / "tokens")
    torch.set_num_threads(1)
    return pretrain(
        AutoTokenizer.from_pretrained(data / "tokenizer"),
        texts,
        texts,
        settings,
        seed=2,
        state=TrainingState(folder, {"pretrain": settings.model_dump()}, every_s),
        device=torch.device("cpu"),
    )


def start_here(data: Path, folder: Path, every_s: float = 0.0, **options) -> subprocess.Popen:
    """The same in a process of its own."""
    call = f"train(Path({str(data)!r}), Path({str(folder)!r}), every_s={every_s})"
    return start("model.test_pretrain_faults", call, **options)


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    log, _ = train(data, folder, every_s=1e9)
    return folder, log


def test_killed_at_any_moment_it_ends_in_the_same_weights(data, uninterrupted, tmp_path):
    folder, log = uninterrupted
    last, steps = log["step"].iloc[-1], []
    for share in (0.1, 0.35, 0.6, 0.85):
        steps.append(kill_at(share * last, start_here(data, tmp_path), tmp_path))
    assert sorted(set(steps)) == steps
    assert steps[-1] < last
    resumed, _ = train(data, tmp_path)
    assert weights(tmp_path) == weights(folder)
    assert sorted(weights(folder)) == ["best", "chck_4K", "chck_8K", "final"]
    timeless = [name for name in log if name not in ("tokens_per_s", "share_of_peak")]
    pd.testing.assert_frame_equal(resumed[timeless], log[timeless], check_exact=True)


@pytest.fixture(scope="module")
def killed(data, tmp_path_factory):
    """The folder of a training that was killed halfway."""
    folder = tmp_path_factory.mktemp("killed") / "state"
    kill_when(
        lambda: (folder / "checkpoints/chck_4K").exists() and len(list(folder.glob("*.sha256"))) >= 2,
        start_here(data, folder),
    )
    return folder


@pytest.fixture
def interrupted(killed, tmp_path):
    """A copy of it."""
    return shutil.copytree(killed, tmp_path / "state")


@pytest.mark.parametrize("damage", ["cut short", "a bit flipped", "no checksum", "no state left"])
def test_a_torn_state_is_noticed_and_the_one_before_it_taken(
    damage, data, interrupted, uninterrupted, monkeypatch
):
    told = []
    monkeypatch.setattr(logger, "warning", lambda message, *values: told.append(message % values))
    steps = sorted((int(file.stem) for file in interrupted.glob("*.pt")), reverse=True)
    for step in steps if damage == "no state left" else steps[:1]:
        file = interrupted / f"{step}.pt"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        if damage == "no checksum":
            file.with_suffix(".sha256").unlink(missing_ok=True)
        else:
            file.write_bytes(content[: len(content) // 2] if damage == "cut short" else content)
    train(data, interrupted)
    assert len(told) == (len(steps) if damage == "no state left" else 1)
    assert all(f"{step}.pt is damaged" in message for step, message in zip(steps, told, strict=False))
    assert weights(interrupted) == weights(uninterrupted[0])


def test_a_state_of_other_settings_is_refused_by_name(data, interrupted):
    others = SETTINGS.model_copy(update={"learning_rate": 1e-4, "row_tokens": 32})
    before = sorted(interrupted.rglob("*"))
    with pytest.raises(UserError) as refused:
        train(data, interrupted, others)
    assert "another pretrain.learning_rate, pretrain.row_tokens; delete the folder" in str(refused.value)
    assert str(interrupted) in str(refused.value)
    assert sorted(interrupted.rglob("*")) == before


@pytest.mark.parametrize(("every_s", "share"), [(0.0, 2.0), (1e9, 0.5)], ids=["state", "checkpoint"])
def test_a_disk_that_fills_up_costs_no_checkpoint(every_s, share, data, interrupted, uninterrupted):
    """No file may have more than `share` of the weights' size: a state has three times that."""
    size = int(share * os.path.getsize(uninterrupted[0] / "checkpoints/final/model.safetensors"))
    before = set(interrupted.rglob("*.partial"))
    process = start_here(data, interrupted, every_s, stderr=subprocess.PIPE, preexec_fn=lambda: limit_files(size))
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "UserError" in errors
    assert "File too large; free some space and run the same command again" in errors
    assert set(interrupted.rglob("*.partial")) <= before
    for folder in (interrupted / "checkpoints").glob("[!.]*"):
        assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() > 0
    train(data, interrupted)
    assert weights(interrupted) == weights(uninterrupted[0])


def test_a_disk_that_is_full_is_told_in_one_line(data, interrupted):
    """A file system of two megabytes, where mounting one is allowed: elsewhere the limit above stands for it."""
    unshare = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    small = interrupted.parent / "small"
    small.mkdir()
    log = interrupted.parent / "log"
    code = (
        "from model.test_pretrain_faults import *\n"
        "from babylogue.logs import job_log\n"
        f'with job_log("{log}", "base"): train(Path("{data}"), Path("{small}"))'
    )
    script = (
        f"mount -t tmpfs -o size=2m none {small} && cp -r {interrupted}/. {small} && {sys.executable} -c '{code}'"
    )
    done = subprocess.run([*unshare, "sh", "-c", script], cwd=PROJECT / "tests", capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        log.read_text()
        .splitlines()[-1]
        .endswith("No space left on device; free some space and run the same command again")
    )
    assert "Traceback" not in done.stderr


def test_a_loss_that_is_no_number_stops_with_step_batch_and_last_checkpoint(data, tmp_path):
    exploding = SETTINGS.model_copy(update={"learning_rate": 1e38, "warmup_share": 0.5, "words": 40_000})
    with pytest.raises(UserError) as stopped:
        train(data, tmp_path / "early", exploding, every_s=1e9)
    assert str(stopped.value).startswith("the loss is nan at step ")
    assert "(epoch 1, batch " in str(stopped.value)
    assert "no checkpoint yet; lower pretrain.learning_rate" in str(stopped.value)

    with pytest.MonkeyPatch.context() as patch:
        # From 5,000 words on every loss is none.
        patch.setattr("babylogue.model.pretrain.learning_rate", lambda share, _: 1e-3 if share < 0.4 else 1e38)
        with pytest.raises(UserError, match=r"the last good checkpoint is .*/checkpoints/chck_4K"):
            train(data, tmp_path / "late", every_s=1e9)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "late/checkpoints/chck_4K").num_parameters() > 0


def test_only_two_states_are_kept(data, interrupted):
    assert 2 <= len(list(interrupted.glob("*.pt"))) <= 3
    assert json.loads((interrupted / "made_with.json").read_text())["pretrain"]["words"] == SETTINGS.words
    shutil.rmtree(interrupted)
