"""Preference pairs and a model that a test can tune on them."""

from pathlib import Path

import pandas as pd
import torch
from transformers import AutoTokenizer

from babylogue.model.architecture import build_model
from babylogue.model.checkpoints import save_model
from babylogue.model.settings import ArchitectureSettings
from babylogue.model.state import TrainingState
from babylogue.preferences.dpo import STATE, train_dpo
from babylogue.preferences.settings import DPOSettings
from babylogue.tokenizer.bpe import save_tokenizer, train_tokenizer
from babylogue.tokenizer.settings import TokenizerSettings

ANSWERS = {"where": "in there .", "who": "my daddy .", "what": "a boat ."}
SETTINGS = DPOSettings(pairs="made", learning_rate=3e-3, epochs=6, batch_size=8, evaluations=3, patience=3)


def exchange_pairs() -> pd.DataFrame:
    """Sixty pairs, a fifth of them held out: the rejected reply answers another question."""
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


def save_parent(folder: Path) -> Path:
    """A tokenizer and an untrained model; -> the model folder."""
    pairs = exchange_pairs()
    texts = [text.split(": ", 1)[1] for column in ("prompt", "chosen") for text in pairs[column]]
    save_tokenizer(train_tokenizer(texts, ["CHI", "MOT"], TokenizerSettings(vocabulary=300)), folder / "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    torch.manual_seed(0)
    shape = ArchitectureSettings(hidden_size=16, intermediate_size=32, layers=1, heads=2, context_tokens=64)
    save_model(build_model(shape, tokenizer), tokenizer, folder / "model")
    return folder / "model"


def tune(parent: Path, folder: Path, settings: DPOSettings = SETTINGS, every_s: float = 1e9):
    """A training whose state is in `folder`, saved after every step if `every_s` is 0."""
    torch.set_num_threads(1)
    state = TrainingState(folder, {"dpo": settings.model_dump()}, every_s, STATE)
    return train_dpo(parent, exchange_pairs(), settings, seed=3, state=state)
