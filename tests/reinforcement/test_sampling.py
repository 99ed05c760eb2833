"""Sampled replies: they end where the turn ends, and the seed alone says what they are."""

import pytest

from babylogue.errors import UserError
from babylogue.reinforcement.sampling import sample_replies, seeded_generator
from babylogue.reinforcement.sampling_settings import SamplingSettings
from babylogue.scoring.loading import load_model
from support.tiny_talker import TALK, save_tiny_talker

PROMPTS = [f"*MOT: {turn} *CHI:" for turn in TALK]
HOT = SamplingSettings(temperature=2.0, top_p=1.0, max_new_tokens=8)


@pytest.fixture(scope="module")
def talker(tmp_path_factory):
    """The model and its tokenizer."""
    return load_model(save_tiny_talker(tmp_path_factory.mktemp("talker")), "cpu")


def said(talker, settings, prompts=PROMPTS, seed=0):
    generator = seeded_generator(talker[0], seed)
    return [reply.text for reply in sample_replies(*talker, prompts, settings, generator)]


def test_the_most_probable_replies_are_those_that_were_learnt_and_end_with_the_turn(talker):
    greedy = SamplingSettings(temperature=0)
    replies = sample_replies(*talker, PROMPTS, greedy, seeded_generator(talker[0], 0))
    assert [reply.text for reply in replies] == list(TALK.values())
    assert all(reply.ended for reply in replies)
    assert said(talker, greedy, seed=1) == list(TALK.values())


def test_a_greedy_reply_is_what_transformers_generates(talker):
    model, tokenizer = talker
    settings = SamplingSettings(temperature=0, max_new_tokens=6)
    for prompt in ("*MOT: the cow is there . *CHI:", "*FAT: who ? *CHI:"):
        ids = tokenizer(prompt, return_tensors="pt")
        written = model.generate(**ids, max_new_tokens=6, do_sample=False, eos_token_id=None)
        text = tokenizer.decode(written[0, ids["input_ids"].shape[1] :]).split("*")[0]
        assert said(talker, settings, [prompt]) == [text.replace("</s>", "").strip()]


def test_the_seed_says_what_is_sampled(talker):
    first = said(talker, HOT)
    assert said(talker, HOT) == first
    assert said(talker, HOT, seed=1) != first
    assert all("*" not in reply for reply in first)


def test_a_generator_goes_on_from_reply_to_reply(talker):
    generator = seeded_generator(talker[0], 0)
    twice = [sample_replies(*talker, PROMPTS[:1] * 4, HOT, generator) for _ in range(2)]
    assert twice[0] != twice[1]


def test_a_reply_that_does_not_end_is_marked(talker):
    settings = SamplingSettings(temperature=0, max_new_tokens=2)
    replies = sample_replies(*talker, PROMPTS, settings, seeded_generator(talker[0], 0))
    assert [reply.ended for reply in replies] == [False] * 4
    assert all(whole.startswith(reply.text) for whole, reply in zip(TALK.values(), replies, strict=True))


def test_a_small_nucleus_leaves_the_most_probable_token(talker):
    assert said(talker, SamplingSettings(temperature=1.0, top_p=0.01)) == list(TALK.values())


def test_a_prompt_without_room_is_refused(talker):
    with pytest.raises(UserError, match="context leaves 40"):
        said(talker, SamplingSettings(), [f"*MOT: {'the ' * 50} . *CHI:"])


def test_a_tokenizer_without_tags_is_cut_at_the_next_voice(tmp_path):
    """Tags are ordinary text to a published model."""
    plain = load_model(save_tiny_talker(tmp_path, speakers=()), "cpu")
    settings = SamplingSettings(temperature=0, max_new_tokens=30)
    replies = sample_replies(*plain, PROMPTS[3:], settings, seeded_generator(plain[0], 0))
    assert [(reply.text, reply.ended) for reply in replies] == [("no .", True)]
