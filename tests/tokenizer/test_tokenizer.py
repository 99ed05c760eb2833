"""The tokenizer: tags apart from words, exact round trips, BOS and nothing else."""

import json
import re

import pytest
from transformers import AutoTokenizer

from babylogue.tokenizer.bpe import save_tokenizer, tag_ids, train_tokenizer
from babylogue.tokenizer.settings import TokenizerSettings

TURNS = [
    "where's the kitty ?",
    "all gone .",
    "no I want the milk , mummy !",
    "merry-go-round and Tilly's dog .",
] * 30


@pytest.fixture(scope="module")
def trained():
    return train_tokenizer(TURNS, ["CHI", "MOT", "GRA"], TokenizerSettings(vocabulary=400))


@pytest.fixture(scope="module")
def tokenizer(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(trained, folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    "text",
    [
        "*MOT: where's the kitty ? *CHI: all gone .",
        "*CHI: no I want the milk , mummy !",
        "Who shaves the barber?",
        "zürich ☃ 3.5 %",
    ],
)
def test_round_trip_is_exact(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_a_tag_is_one_token_and_in_no_merge(tokenizer):
    assert len(tag_ids(tokenizer)) == 3
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("*MOT: all gone . *CHI: the kitty .")["input_ids"])
    assert tokens.count("*MOT:") == tokens.count("*CHI:") == 1
    assert not [
        token for token in tokenizer.get_vocab() if "*" in token and token not in ("*", "*CHI:", "*MOT:", "*GRA:")
    ]


def test_merges_are_of_words_alone(trained):
    merges = json.loads(trained.to_str())["model"]["merges"]
    assert len(merges) > 50
    for first, second in merges:
        assert not re.search(r"[*:]|CHI|MOT|GRA", first + second)


def test_it_is_the_same_through_auto_tokenizer(trained, tokenizer):
    for text in ("*MOT: where's the kitty ? *CHI: All gone .", "merry-go-round , mummy !", "zürich ☃"):
        assert tokenizer(text)["input_ids"] == trained.encode(text).ids


def test_a_word_has_one_form_everywhere(tokenizer):
    first = tokenizer("all gone .", add_special_tokens=False)["input_ids"]
    after_tag = tokenizer("*CHI: all gone .", add_special_tokens=False)["input_ids"]
    assert after_tag[1:] == first


def test_text_begins_with_bos_and_ends_open(tokenizer):
    ids = tokenizer("all gone .")["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.eos_token_id not in ids


def test_a_prompt_is_a_prefix_of_prompt_and_reply(tokenizer):
    prompt, whole = "*MOT: all gone .", "*MOT: all gone . *CHI: the kitty ."
    ids = tokenizer(prompt)["input_ids"]
    assert tokenizer(whole)["input_ids"][: len(ids)] == ids
