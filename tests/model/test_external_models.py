"""Folders of models made elsewhere: their tokenizers, their settings, and kinds that are no plain transformer."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    MambaConfig,
    MambaForCausalLM,
    PreTrainedTokenizerFast,
)

from babylogue.errors import UserError
from babylogue.model.checkpoints import save_model
from babylogue.model.state import TrainingState
from babylogue.reinforcement import ppo
from babylogue.reinforcement.group_policy import STATE, train_group_policy
from babylogue.reinforcement.policy import Policy
from babylogue.reinforcement.prompts import fitting_prompts
from babylogue.reinforcement.rollouts import encode_prompts
from babylogue.reinforcement.sampling import sample_replies, seeded_generator
from babylogue.reinforcement.sampling_settings import SamplingSettings
from babylogue.scoring.loading import load_model
from babylogue.teacher.causal import load_causal
from babylogue.teacher.lm import TeacherModel
from babylogue.tokenizer.counting import token_counter
from support.tiny_group_policy import HELDOUT, settings_of
from support.tiny_pairs import save_parent, tune
from support.tiny_ppo import PROMPTS, ball, quick, tiny_llama, tiny_tokenizer
from support.tiny_talker import TALK, save_tiny_talker
from support.tiny_teacher import save_tiny_teacher

# --- tokenizers ---------------------------------------------------------------------------------------------

TEXT = "The Dög runs home 12 *CHI:"
NORMALISERS = {
    "lower-casing": normalizers.Lowercase(),
    "accents": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
    "none": None,
}
# tokenizer_class in tokenizer_config.json, and the kind of model in config.json.
CLASSES = [
    ("GPT2Tokenizer", "gpt2"),
    ("GPT2TokenizerFast", "llama"),
    ("RobertaTokenizerFast", "llama"),
    (None, "gpt2"),
    (None, "opt"),
    ("PreTrainedTokenizerFast", "llama"),
]


def save_external(folder: Path, tokenizer_class: str | None, kind: str, normaliser, **settings) -> Tokenizer:
    """A model folder with tokenizer.json as another program wrote it, which closes texts with `</s>`."""
    tokenizer = Tokenizer(models.BPE())
    if normaliser:
        tokenizer.normalizer = normaliser
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=True)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>", "<pad>", "<unk>", "<mask>", "<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the dog runs home", "The dog"] * 5, trainer)
    tokenizer.add_special_tokens([AddedToken("*CHI:", lstrip=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    config = AutoConfig.for_model(
        kind, vocab_size=tokenizer.get_vocab_size(), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    if tokenizer_class:
        settings |= {"tokenizer_class": tokenizer_class}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer


@pytest.mark.parametrize("normaliser", NORMALISERS)
@pytest.mark.parametrize(("tokenizer_class", "kind"), CLASSES)
def test_a_tokenizer_gives_the_tokens_of_its_file(tokenizer_class, kind, normaliser, tmp_path):
    file = save_external(tmp_path, tokenizer_class, kind, NORMALISERS[normaliser])
    expected = file.encode(TEXT).ids
    for load in (load_model, load_causal):
        tokenizer = load(tmp_path, "cpu")[1]
        assert tokenizer(TEXT)["input_ids"] == expected
        tokenizer.save_pretrained(tmp_path / "again")  # as a tuned model's
        assert PreTrainedTokenizerFast.from_pretrained(tmp_path / "again")(TEXT)["input_ids"] == expected
        shutil.rmtree(tmp_path / "again")
    assert token_counter(str(tmp_path))([TEXT]) == [len(expected) - 2]


@pytest.mark.parametrize(("tokenizer_class", "kind"), CLASSES)
def test_what_is_said_beside_the_file_survives(tokenizer_class, kind, tmp_path):
    template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    save_external(
        tmp_path, tokenizer_class, kind, None, model_max_length=77, bos_token="<s>", eos_token="</s>",
        pad_token="<pad>", padding_side="left", chat_template=template,
    )  # fmt: skip
    tokenizer = load_model(tmp_path, "cpu")[1]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 1, 2)
    assert (tokenizer.model_max_length, tokenizer.padding_side) == (77, "left")
    assert tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False) == "hi"


def test_special_tokens_that_only_the_class_names_are_kept_where_the_file_has_them(tmp_path):
    save_external(tmp_path, "RobertaTokenizerFast", "llama", None)
    tokenizer = load_model(tmp_path, "cpu")[1]
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.mask_token) == ("<s>", "</s>", "<mask>")
    save_external(tmp_path / "gpt2", "GPT2Tokenizer", "gpt2", None)
    assert load_model(tmp_path / "gpt2", "cpu")[1].bos_token == "<|endoftext|>"
    assert (
        len(load_model(tmp_path / "gpt2", "cpu")[1]) == load_model(tmp_path / "gpt2", "cpu")[0].config.vocab_size
    )


def test_a_broken_tokenizer_is_one_line(tmp_path):
    save_external(tmp_path, "PreTrainedTokenizerFast", "llama", None)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="its tokenizer cannot be loaded"):
        load_model(tmp_path, "cpu")


# --- tokenizers that close every text -----------------------------------------------------------------------


def closing(tokenizer):
    """The same tokenizer with an end of sequence after every text."""
    template = [(token, tokenizer.convert_tokens_to_ids(token)) for token in ("<s>", "</s>")]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=template
    )
    return tokenizer


def test_prompts_stay_open():
    tokenizer, open_one = closing(tiny_tokenizer()), tiny_tokenizer()
    assert tokenizer(PROMPTS[0])["input_ids"][-1] == tokenizer.eos_token_id
    assert encode_prompts(tokenizer, PROMPTS, 40) == encode_prompts(open_one, PROMPTS, 40)
    longest = max(map(len, encode_prompts(open_one, PROMPTS, 40)))
    assert fitting_prompts(PROMPTS, tokenizer, longest) == PROMPTS


def test_replies_do_not_depend_on_how_the_tokenizer_closes_texts(tmp_path):
    model, tokenizer = load_model(save_tiny_talker(tmp_path), "cpu")
    prompts, settings = [f"*MOT: {turn} *CHI:" for turn in TALK], SamplingSettings(temperature=0)
    for own in (tokenizer, closing(tokenizer)):
        replies = sample_replies(model, own, prompts, settings, seeded_generator(model, 0))
        assert [reply.text for reply in replies] == list(TALK.values())


def test_a_teacher_reads_its_examples_as_an_open_text(tmp_path):
    save_tiny_teacher(tmp_path)
    prompts, replies = ["*MOT: what is that ?", "*MOT: where is the cup ?"], ["a dog .", "on the big chair ."]
    before = TeacherModel(tmp_path, device="cpu").log_probabilities(prompts, replies)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.save_pretrained(tmp_path)
    after = TeacherModel(tmp_path, device="cpu").log_probabilities(prompts, replies)
    np.testing.assert_allclose(after[0], before[0], atol=1e-5)


# --- settings of generation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [{"do_sample": False, "temperature": 0.6, "top_p": 0.9}, {"length_penalty": 2.0, "pad_token_id": -1}],
    ids=str,
)
def test_settings_of_generation_that_cannot_be_written_are_mended(written, tmp_path):
    folder = save_parent(tmp_path)
    file = folder / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **written}))
    model, tokenizer = load_model(folder, "cpu")
    model.generation_config.pad_token_id = 0  # as a trainer sets it to what the tokenizer has
    save_model(model, tokenizer, tmp_path / "tuned")
    assert GenerationConfig.from_pretrained(tmp_path / "tuned").eos_token_id == tokenizer.eos_token_id
    assert load_model(tmp_path / "tuned", "cpu")[0].generation_config.do_sample is not True


# --- models that are no plain transformer -------------------------------------------------------------------


def tiny_mamba(tokenizer) -> MambaForCausalLM:
    torch.manual_seed(0)
    return MambaForCausalLM(
        MambaConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.3,
            bos_token_id=1, eos_token_id=tokenizer.eos_token_id, pad_token_id=0,
        )
    ).eval()  # fmt: skip


def test_ppo_of_a_recurrent_model_trains_on_what_it_sampled():
    """The first update of each batch sees the probabilities of sampling, so that no ratio is far from 1."""
    tokenizer = tiny_tokenizer()
    model = tiny_mamba(tokenizer)
    assert not Policy(model).way.padding
    settings = quick(prompts=64, epochs_per_batch=1, minibatch_size=16, learning_rate=1e-3)
    result = ppo.train(model, tokenizer, PROMPTS, ball, settings, seed=0)
    ratios = result.log["ratio_max"].dropna()
    assert len(ratios) >= 3
    np.testing.assert_allclose(ratios, 1, atol=1e-3)


def test_dpo_of_a_recurrent_model(tmp_path):
    parent = save_parent(tmp_path / "parent")
    tokenizer = load_model(parent, "cpu")[1]
    save_model(tiny_mamba(tokenizer), tokenizer, parent)
    log, checkpoints = tune(parent, tmp_path / "state")
    assert log["heldout_reward_chosen"].iloc[0] == 0
    assert log["heldout_reward_margin"].iloc[-1] > 0
    assert type(load_model(checkpoints["final"], "cpu")[0]) is MambaForCausalLM


@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_trl_s_methods_refuse_what_they_would_get_wrong(method, tmp_path):
    tokenizer, settings = tiny_tokenizer(), settings_of(method)
    state = TrainingState(tmp_path, {}, 1e9, STATE)
    cases = [
        (tiny_mamba(tokenizer), tokenizer, "MambaForCausalLM cannot be tuned by GRPO or RLOO"),
        (tiny_llama(tokenizer), closing(tiny_tokenizer()), "special token at the end of every text"),
    ]
    for model, own, message in cases:
        with pytest.raises(UserError, match=message):
            train_group_policy(model, own, PROMPTS, ball, settings, seed=0, state=state, heldout=HELDOUT)
