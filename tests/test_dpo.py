"""DPO on a tiny model: it learns its pairs, keeps the best, and a seed decides everything."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers import AutoTokenizer

from babylogue.errors import UserError
from babylogue.model.architecture import build_model
from babylogue.model.checkpoints import save_model
from babylogue.model.settings import ArchitectureSettings
from babylogue.preferences.accuracy import pair_accuracy
from babylogue.preferences.dpo import train_dpo
from babylogue.preferences.settings import DPOSettings
from babylogue.scoring.loading import load_model
from babylogue.tokenizer.bpe import save_tokenizer, train_tokenizer
from babylogue.tokenizer.settings import TokenizerSettings

ANSWERS = {"where": "in there .", "who": "my daddy .", "what": "a boat ."}
SETTINGS = DPOSettings(pairs="made", learning_rate=3e-3, epochs=6, batch_size=8, evaluations=3, patience=3)


@pytest.fixture(scope="module")
def pairs():
    rows = []
    for number in range(60):
        asked, other = (list(ANSWERS)[(number + shift) % 3] for shift in (0, 1 + number // 3 % 2))
        rows.append(
            {
                "prompt": f"*MOT: {asked} is it ?",
                "chosen": f"*CHI: {ANSWERS[asked]}",
                "rejected": f"*CHI: {ANSWERS[other]}",
                "part": "heldout" if number % 5 == 0 else "train",
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def parent(pairs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("parent")
    texts = [text.split(": ", 1)[1] for column in ("prompt", "chosen") for text in pairs[column]]
    trained = train_tokenizer(texts, ["CHI", "MOT"], TokenizerSettings(vocabulary=300))
    save_tokenizer(trained, folder / "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    torch.manual_seed(0)
    shape = ArchitectureSettings(hidden_size=16, intermediate_size=32, layers=1, heads=2, context_tokens=64)
    save_model(build_model(shape, tokenizer), tokenizer, folder / "model")
    return folder / "model"


@pytest.fixture(scope="module")
def tuned(parent, pairs, tmp_path_factory):
    runs = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp(name)
        log = train_dpo(
            parent, pairs, SETTINGS, seed=3, folder=lambda checkpoint, folder=folder: folder / checkpoint
        )
        runs.append((folder, log))
    return runs


def test_it_learns_what_the_pairs_teach(tuned, parent, pairs):
    heldout = pairs[pairs["part"] == "heldout"]
    before = pair_accuracy(*load_model(parent, "cpu"), heldout)
    after = pair_accuracy(*load_model(tuned[0][0] / "final", "cpu"), heldout)
    assert after > before + 20


def test_best_is_the_most_accurate_on_held_out_pairs(tuned, pairs):
    folder, log = tuned[0]
    best = pair_accuracy(*load_model(folder / "best", "cpu"), pairs[pairs["part"] == "heldout"])
    assert best == pytest.approx(log["heldout_accuracy"].max())
    assert {"step", "epoch", "loss", "reward_accuracy", "reward_margin"} <= set(log.columns)


def test_one_seed_gives_one_set_of_weights(tuned):
    one, two = ((folder / "final/model.safetensors").read_bytes() for folder, _ in tuned)
    assert one == two


def test_without_held_out_pairs_it_says_so(parent, pairs, tmp_path):
    with pytest.raises(UserError, match=r"pairs\.made: 48 training and 0 held-out pairs"):
        train_dpo(parent, pairs[pairs["part"] == "train"], SETTINGS, seed=0, folder=tmp_path.joinpath)
