"""Preference pairs: each construction keeps its own rules, draws evenly and is the same every time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babylogue.dialogue import count_words, read_turns, share_words, terminator
from babylogue.preferences.exchanges import find_exchanges
from babylogue.preferences.matching import draw_rejected
from babylogue.preferences.mixed import mixed_pairs
from babylogue.preferences.natural import natural_pairs
from babylogue.preferences.settings import MixedPairs, NaturalPairs, SyntheticPairs
from babylogue.preferences.synthetic import synthetic_pairs
from babylogue.transcripts.corpus import read_corpus
from babylogue.transcripts.settings import SplitSettings, TripletSettings
from babylogue.transcripts.sources import find_archives
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.settings import ToySettings
from babylogue.transcripts.triplets import cut_triplets


@pytest.fixture(scope="module")
def triplets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    write_toy_transcripts(folder, ToySettings(words=25_000, children=6, transcripts_per_child=3))
    files = [folder / name for name in ("utterances.parquet", "transcripts.parquet", "rejected.csv")]
    read_corpus(find_archives(folder), folder, *files, max_rejected_share=0.0, processes=1)
    split = pd.read_parquet(files[1], columns=["transcript"]).assign(part="tune")
    cut_triplets(files[0], split, {"tune": folder / "tune.parquet"}, TripletSettings(), SplitSettings())
    return pd.read_parquet(folder / "tune.parquet")


@pytest.fixture(scope="module")
def natural(triplets):
    return natural_pairs(triplets, NaturalPairs(max_pairs=1500, heldout_share=0.2), None)


def turns(texts):
    return [read_turns(text)[0][1] for text in texts]


def as_turns(pairs):
    """(prompt, chosen, rejected) of every pair, without tags."""
    return zip(*(turns(pairs[column]) for column in ("prompt", "chosen", "rejected")), strict=True)


def test_exchanges_are_a_caregivers_turn_and_the_childs_reply_once(triplets):
    exchanges = find_exchanges(triplets)
    assert not exchanges.duplicated(["transcript", "turn", "reply"]).any()
    assert "CHI" not in set(exchanges["speaker"])
    assert "SIB" not in set(exchanges["speaker"])
    followed = {
        (turns[i], turns[i + 1])
        for turns, speakers in zip(triplets["turns"], triplets["speakers"], strict=True)
        for i in (0, 1)
        if speakers[i + 1] == "CHI"
    }
    assert set(zip(exchanges["turn"], exchanges["reply"], strict=True)) <= followed


def test_two_sided_pairs_keep_every_rule(natural):
    assert len(natural) > 700
    for prompt, chosen, rejected in zip(
        *(turns(natural[c]) for c in ("prompt", "chosen", "rejected")), strict=True
    ):
        assert not share_words((prompt, chosen))
        assert not share_words((prompt, rejected))
        assert count_words(chosen) == count_words(rejected)
        assert terminator(chosen) == terminator(rejected)
        assert chosen.casefold() != rejected.casefold()


def test_no_rejected_reply_is_a_true_reply_to_its_prompt(natural):
    true = set(zip(natural["prompt"], natural["chosen"], strict=True))
    assert not true & set(zip(natural["prompt"], natural["rejected"], strict=True))


@pytest.mark.parametrize("max_pairs", [100_000, 300])
def test_replies_are_rejected_as_often_as_chosen(triplets, max_pairs):
    pairs = natural_pairs(triplets, NaturalPairs(max_pairs=max_pairs), None)
    pd.testing.assert_series_equal(
        pairs["chosen"].value_counts().sort_index(),
        pairs["rejected"].value_counts().sort_index(),
        check_names=False,
    )


def test_replies_are_rejected_in_their_own_corpus_and_age_band(triplets):
    corpora = triplets.assign(corpus=triplets["child"].map(lambda child: f"corpus of {ord(child[-1]) % 2}"))
    pairs = natural_pairs(corpora, NaturalPairs(max_pairs=1500, age_band_months=3), None)
    groups = list(pairs.groupby(["corpus", pairs["age_months"] // 3]))
    assert len(groups) > 3
    for _, own in groups:
        assert sorted(own["chosen"]) == sorted(own["rejected"])


def test_held_out_pairs_are_of_other_children(natural):
    children = natural.groupby("part")["child"].agg(set)
    assert set(children.index) == {"train", "heldout"}
    assert not children["train"] & children["heldout"]
    replies = natural.groupby("part").apply(lambda pairs: pairs["rejected"].isin(pairs["chosen"]).all())
    assert replies.all(), "a rejected reply is a true one of the same part"


def test_the_same_settings_give_the_same_pairs_and_another_seed_others(triplets, natural):
    again = natural_pairs(triplets, NaturalPairs(max_pairs=1500, heldout_share=0.2), None)
    pd.testing.assert_frame_equal(natural, again)
    other = natural_pairs(triplets, NaturalPairs(max_pairs=1500, heldout_share=0.2, seed=1), None)
    assert not natural["prompt"].equals(other["prompt"])


def test_match_in_tokens(triplets):
    def count_letters(replies):
        return [len(reply) for reply in replies]

    pairs = natural_pairs(triplets, NaturalPairs(match="tokens", max_pairs=500), count_letters)
    assert count_letters(turns(pairs["chosen"])) == count_letters(turns(pairs["rejected"]))


def test_published_construction_filters_the_chosen_reply_alone(triplets):
    pairs = natural_pairs(triplets, NaturalPairs(construction="published", max_pairs=1500), None)
    prompts = turns(pairs["prompt"])
    overlap = {
        side: np.mean(
            [bool(set(p.split()) & set(r.split())) for p, r in zip(prompts, turns(pairs[side]), strict=True)]
        )
        for side in ("chosen", "rejected")
    }
    assert overlap["chosen"] == 0
    assert overlap["rejected"] > 0.1, "the short cut that the two-sided pairs close"


def test_test_part_is_held_out_whole(triplets):
    pairs = natural_pairs(triplets, NaturalPairs(part="test", max_pairs=300), None)
    assert set(pairs["part"]) == {"heldout"}


@pytest.fixture(scope="module")
def replies(natural):
    written = ["It's on the table.", "no, I don't want it!", "", "what's that?", "a dog.", "up there."]
    prompts = natural["prompt"].drop_duplicates().head(600)
    return pd.DataFrame(
        {"prompt": prompts, "sample": 0, "reply": [written[i % len(written)] for i in range(len(prompts))]}
    )


def test_synthetic_pairs_in_chat_form_are_matched(natural, replies):
    pairs = synthetic_pairs(natural, replies, SyntheticPairs(kind="synthetic", base="natural"))
    assert len(pairs) > 100
    for prompt, chosen, rejected in as_turns(pairs):
        assert count_words(chosen) == count_words(rejected) > 0
        assert terminator(chosen) == terminator(rejected) != ""
        assert share_words((prompt, chosen)) == share_words((prompt, rejected))


def test_raw_synthetic_pairs_are_as_the_teacher_wrote_them(natural, replies):
    pairs = synthetic_pairs(natural, replies, SyntheticPairs(kind="synthetic", base="natural", form="raw"))
    assert "*CHI: it's on the table." in set(pairs["chosen"])
    assert set(pairs["rejected"]) <= set(natural["rejected"])


def test_mixed_pairs_have_their_shares_at_equal_size(natural):
    sets = {"one": natural, "two": natural.head(600)}
    for share in (0.5, 0.25):
        mixed = mixed_pairs(sets, MixedPairs(kind="mixed", shares={"one": share, "two": 1 - share}))
        assert abs(len(mixed) - 600) <= 2
        assert np.mean(mixed["source"] == "one") == pytest.approx(share, abs=0.01)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcd")), max_size=40),
    st.integers(0, 5),
)
def test_drawing_is_balanced_whatever_is_allowed(exchanges, seed):
    groups, replies = [group for group, _ in exchanges], [reply for _, reply in exchanges]

    def allowed(index, reply):
        return reply != replies[index]

    drawn = draw_rejected(np.arange(len(groups)), groups, replies, allowed, np.random.default_rng(seed))
    kept = np.flatnonzero(drawn >= 0)
    assert sorted(drawn[kept]) == sorted(kept), "chosen and rejected are the same replies"
    for index in kept:
        assert groups[drawn[index]] == groups[index]
        assert allowed(index, replies[drawn[index]])
