"""The context of a model, and models whose configuration names none."""

import pandas as pd
import torch
from transformers import AutoTokenizer, BloomConfig, BloomForCausalLM, GPT2Config, GPT2LMHeadModel

from babylogue.model.context import context_tokens, prompt_room
from babylogue.model.state import TrainingState
from babylogue.preferences import dpo
from babylogue.preferences.dpo import STATE, train_dpo
from babylogue.reinforcement import ppo
from babylogue.reinforcement.files import heldout_pairs, prompts_from_file
from babylogue.suites.finetuning import fine_tune
from support.tiny_pairs import SETTINGS, exchange_pairs, save_parent
from support.tiny_ppo import PROMPTS, ball, quick, tiny_llama, tiny_tokenizer
from support.tiny_scorers import TOKENIZERS


def bloom(tokenizer) -> BloomForCausalLM:
    """A model without positions, of attention with a bias by distance, whose configuration names no context."""
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "n_layer": 1, "n_head": 2}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 0}
    return BloomForCausalLM(BloomConfig(vocab_size=len(tokenizer), **shape, **ends)).eval()


def test_the_context_is_what_the_configuration_names():
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=20, n_positions=48, n_embd=8, n_layer=1, n_head=1))
    assert (context_tokens(gpt2), prompt_room(gpt2, 8)) == (48, 40)


def test_without_one_there_is_no_limit():
    model = bloom(tiny_tokenizer())
    assert context_tokens(model) is None
    assert prompt_room(model, 20) > 2**30


def test_ppo_without_a_context(tmp_path):
    tokenizer = tiny_tokenizer()
    model = bloom(tokenizer)
    pd.DataFrame({"prompt": PROMPTS}).to_parquet(tmp_path / "prompts.parquet")
    settings = quick(prompts=32, held_out_prompts=0.25, language_model_coefficient=0.1)
    prompts, held_out = prompts_from_file(str(tmp_path / "prompts.parquet"), model, tokenizer, settings)
    result = ppo.train(
        model, tokenizer, prompts, ball, settings, seed=0, held_out_prompts=held_out,
        corpus_texts=["*MOT: what is that ? *CHI: a ball ."],
    )  # fmt: skip
    assert len(result.log) == 3 and result.log["held_out_reward"].notna().any()


def test_fine_tuning_without_a_context():
    texts = pd.DataFrame({"group": "rte", "first": "look at", "second": ["the dog runs .", "the ball ."] * 8})
    texts["label"] = [0, 1] * 8
    settings = {"pooling": "last", "labels": 2, "batch_size": 8, "epochs": 1}
    assert fine_tune(bloom(TOKENIZERS["bos"]), TOKENIZERS["bos"], texts, texts, **settings).shape == (1, 16)


def test_dpo_without_a_context(tmp_path, monkeypatch):
    tokenizer = AutoTokenizer.from_pretrained(save_parent(tmp_path))
    bloom(tokenizer).save_pretrained(tmp_path / "bloom")
    tokenizer.save_pretrained(tmp_path / "bloom")
    monkeypatch.setattr(dpo, "pair_accuracy", lambda *arguments: 50.0)  # what scores it is not the matter here
    settings = SETTINGS.model_copy(update={"epochs": 1, "evaluations": 1})
    state = TrainingState(tmp_path / "state", {}, 1e9, STATE)
    log, checkpoints = train_dpo(tmp_path / "bloom", exchange_pairs(), settings, seed=0, state=state)
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
