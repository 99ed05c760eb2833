"""The context of a model, and models whose configuration names none."""

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, Mamba2Config, Mamba2ForCausalLM

from babylogue.model.context import context_tokens, prompt_room
from babylogue.model.state import TrainingState
from babylogue.preferences import dpo
from babylogue.preferences.dpo import STATE, train_dpo
from babylogue.reinforcement import ppo
from babylogue.reinforcement.files import heldout_pairs, prompts_from_file
from babylogue.suites.finetuning import fine_tune
from test_scorer import TOKENIZERS, make_model
from tiny_pairs import SETTINGS, exchange_pairs, save_parent
from tiny_ppo import PROMPTS, ball, quick, tiny_llama, tiny_tokenizer


@pytest.fixture
def unlimited():
    """A Llama whose configuration says nothing of positions, as those of some architectures do."""
    model = tiny_llama(tiny_tokenizer())
    del model.config.max_position_embeddings
    assert not hasattr(model.config, "max_position_embeddings")
    return model


def test_the_context_is_what_the_configuration_names():
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=20, n_positions=48, n_embd=8, n_layer=1, n_head=1))
    assert (context_tokens(gpt2), prompt_room(gpt2, 8)) == (48, 40)


def test_without_one_there_is_no_limit(unlimited):
    assert context_tokens(unlimited) is None
    assert prompt_room(unlimited, 20) > 2**30


def test_ppo_of_such_a_model(unlimited, tmp_path):
    tokenizer = tiny_tokenizer()
    pd.DataFrame({"prompt": PROMPTS}).to_parquet(tmp_path / "prompts.parquet")
    settings = quick(prompts=32, held_out_prompts=0.25, language_model_coefficient=0.1)
    prompts, held_out = prompts_from_file(str(tmp_path / "prompts.parquet"), unlimited, tokenizer, settings)
    result = ppo.train(
        unlimited, tokenizer, prompts, ball, settings, seed=0, held_out_prompts=held_out,
        corpus_texts=["*MOT: what is that ? *CHI: a ball ."],
    )  # fmt: skip
    assert np.isfinite(result.log["held_out_reward"].dropna()).all() and len(result.log) == 3


def test_fine_tuning_of_such_a_model():
    model = make_model(positions=64)
    del model.config.max_position_embeddings
    texts = pd.DataFrame({"group": "rte", "first": "look at", "second": ["the dog runs .", "the ball ."] * 8})
    texts["label"] = [0, 1] * 8
    settings = {"pooling": "last", "labels": 2, "batch_size": 8, "epochs": 1}
    assert fine_tune(model, TOKENIZERS["bos"], texts, texts, **settings).shape == (1, 16)


def test_dpo_of_such_a_model(tmp_path, monkeypatch):
    """A state-space model; how it is scored is not the matter here."""
    tokenizer = AutoTokenizer.from_pretrained(save_parent(tmp_path / "parent"))
    torch.manual_seed(0)
    shape = {
        "hidden_size": 16,
        "num_heads": 4,
        "head_dim": 8,
        "state_size": 8,
        "n_groups": 1,
        "num_hidden_layers": 1,
    }
    model = Mamba2ForCausalLM(Mamba2Config(vocab_size=len(tokenizer), chunk_size=16, **shape))
    model.save_pretrained(tmp_path / "mamba")
    tokenizer.save_pretrained(tmp_path / "mamba")
    monkeypatch.setattr(dpo, "pair_accuracy", lambda *arguments: 50.0)
    settings = SETTINGS.model_copy(update={"epochs": 1, "evaluations": 1})
    state = TrainingState(tmp_path / "state", {}, 1e9, STATE)
    log, checkpoints = train_dpo(tmp_path / "mamba", exchange_pairs(), settings, seed=0, state=state)
    assert log["heldout_loss"].notna().all() and (checkpoints["final"] / "model.safetensors").exists()


def test_pairs_that_watch_a_run_are_those_that_fit(tmp_path, caplog):
    pairs = exchange_pairs().iloc[:10]
    long = pairs.iloc[:1].assign(prompt="*MOT: " + "is " * 90 + "?", part="heldout")
    pd.concat([pairs, long]).to_parquet(tmp_path / "natural.parquet")
    tokenizer = tiny_tokenizer()
    with caplog.at_level("WARNING", logger="babylogue"):
        watched = heldout_pairs(str(tmp_path / "natural.parquet"), tiny_llama(tokenizer), tokenizer)
    assert watched["prompt"].tolist() == pairs.loc[pairs["part"] == "heldout", "prompt"].tolist()
    assert (
        "pairs.natural: 1 of 3 pairs are longer than the model's context of 64 tokens and left out" in caplog.text
    )
