"""Preference pairs: each construction keeps its own rules, draws evenly and is the same every time."""

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
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
from babylogue.preferences.tuning_settings import TuningSettings
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
    return pq.read_table(folder / "tune.parquet")


@pytest.fixture(scope="module")
def natural(triplets):
    return build(triplets, max_pairs=1500, tuning=divided(validation_share=0.2))


def families(triplets):
    """Every child on its own: transcript -> child."""
    table = triplets.select(["transcript", "child"]).to_pandas().drop_duplicates()
    return table.set_index("transcript")["child"]


def divided(**division) -> TuningSettings:
    """A division of the tune part in which no turn is reserved for rollouts, unless it says so."""
    return TuningSettings(**{"rollout_share": 0, **division})


def build(triplets, count_tokens=None, *, tuning=None, **row):
    """The natural set of a row, whose filters account for every exchange."""
    pairs, filters = natural_pairs(
        triplets, families(triplets), NaturalPairs(**row), tuning or divided(), count_tokens
    )
    assert filters.candidates - sum(filters.removed.values()) == len(pairs)
    return pairs


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
        for turns, speakers in zip(triplets["turns"].to_pylist(), triplets["speakers"].to_pylist(), strict=True)
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
    pairs = build(triplets, max_pairs=max_pairs)
    pd.testing.assert_series_equal(
        pairs["chosen"].value_counts().sort_index(),
        pairs["rejected"].value_counts().sort_index(),
        check_names=False,
    )


def test_replies_are_rejected_in_their_own_corpus_and_age_band(triplets):
    corpora = pa.array([f"corpus of {ord(child[-1]) % 2}" for child in triplets["child"].to_pylist()])
    table = triplets.set_column(triplets.schema.get_field_index("corpus"), "corpus", corpora)
    pairs = build(table, max_pairs=1500, age_band_months=3)
    groups = list(pairs.groupby(["corpus", pairs["age_months"] // 3]))
    assert len(groups) > 3
    for _, own in groups:
        assert sorted(own["chosen"]) == sorted(own["rejected"])


def test_held_out_pairs_are_of_other_children(natural):
    children = natural.groupby("part")["child"].agg(set)
    assert set(children.index) == {"train", "heldout"}
    assert not children["train"] & children["heldout"]
    texts = natural.groupby("part")[["chosen", "rejected"]]
    replies = texts.apply(lambda pairs: pairs["rejected"].isin(pairs["chosen"]).all())
    assert replies.all(), "a rejected reply is a true one of the same part"


def test_the_same_settings_give_the_same_pairs_and_another_seed_others(triplets, natural):
    division = divided(validation_share=0.2)
    again = build(triplets, max_pairs=1500, tuning=division)
    pd.testing.assert_frame_equal(natural, again)
    other = build(triplets, max_pairs=1500, tuning=division, seed=1)
    assert not natural["prompt"].equals(other["prompt"])


def test_match_in_tokens(triplets):
    def count_letters(replies):
        return [len(reply) for reply in replies]

    pairs = build(triplets, count_letters, match="tokens", max_pairs=500)
    assert count_letters(turns(pairs["chosen"])) == count_letters(turns(pairs["rejected"]))


def test_published_construction_filters_the_chosen_reply_alone(triplets):
    pairs = build(triplets, construction="published", max_pairs=1500)
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
    pairs = build(triplets, part="test", max_pairs=300)
    assert set(pairs["part"]) == {"heldout"}


# --- what every natural set promises, on talk that is anything ------------------------------------------------

WORDS = ["a", "A", "ball", "dog", "dog's", "go", "0", ",", "xx-y"]
TURN = st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), st.sampled_from(".?!")).map(
    lambda turn: " ".join([*turn[0], turn[1]])
)
TRANSCRIPTS = st.lists(
    st.tuples(
        st.sampled_from(["one", "two", "three", "four"]),  # child
        st.sampled_from([12.0, 15.0, 40.0, None]),  # age
        st.lists(st.tuples(st.sampled_from(["MOT", "CHI", "SIB"]), TURN), min_size=3, max_size=14),
    ),
    min_size=1,
    max_size=8,
)
ROLES = {"MOT": "Mother", "CHI": "Target_Child", "SIB": "Brother"}


def cut(transcripts) -> pa.Table:
    """Sliding triplets of (child, age, [(speaker, turn), ...]); two children are of each corpus."""
    rows = []
    for number, (child, age, said) in enumerate(transcripts):
        for first in range(len(said) - 2):
            speakers, turns = zip(*said[first : first + 3], strict=True)
            corpus = "left" if child in ("one", "two") else "right"
            roles = [ROLES[speaker] for speaker in speakers]
            rows.append((f"{corpus}/{number}", corpus, child, age, list(speakers), roles, list(turns)))
    names = ("transcript", "corpus", "child", "age_months", "speakers", "roles", "turns")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


@settings(max_examples=100, deadline=None)
@given(
    transcripts=TRANSCRIPTS,
    match=st.sampled_from(["words", "tokens"]),
    band=st.sampled_from([6, 48]),
    max_pairs=st.sampled_from([1, 5, 1000]),
    seed=st.integers(0, 3),
)
def test_no_two_sided_pair_violates_a_rule(transcripts, match, band, max_pairs, seed):
    table = cut(transcripts)
    count = {"words": count_words, "tokens": len}[match]
    row = {"match": match, "age_band_months": band, "max_pairs": max_pairs, "seed": seed}
    row |= {"tuning": divided(validation_share=0.4)}
    pairs = build(table, lambda replies: [len(reply) for reply in replies], min_prompt_words=1, **row)
    assert len(pairs) <= max_pairs
    true = {(turn.casefold(), reply.casefold()) for turn, reply in find_exchanges(table)[["turn", "reply"]].values}
    for prompt, chosen, rejected in as_turns(pairs):
        assert (prompt.casefold(), chosen.casefold()) in true
        assert (prompt.casefold(), rejected.casefold()) not in true
        assert not share_words((prompt, chosen)) and not share_words((prompt, rejected))
        assert count(chosen) == count(rejected)
        assert terminator(chosen) == terminator(rejected)
    # A rejected reply is a chosen one of the same corpus, age band and part, as often as it is rejected there.
    for _, own in pairs.groupby(["part", "corpus", pairs["age_months"].fillna(-band) // band]):
        assert Counter(own["chosen"]) == Counter(own["rejected"])
    parts = pairs.groupby("part")["child"].agg(set)
    assert len(parts) < 2 or not parts["train"] & parts["heldout"]
    again = build(table, lambda replies: [len(reply) for reply in replies], min_prompt_words=1, **row)
    pd.testing.assert_frame_equal(pairs, again)


@settings(max_examples=60, deadline=None)
@given(transcripts=TRANSCRIPTS, max_pairs=st.sampled_from([3, 1000]))
def test_published_pairs_keep_their_own_rules(transcripts, max_pairs):
    pairs = build(cut(transcripts), construction="published", min_prompt_words=1, max_pairs=max_pairs)
    for prompt, chosen, rejected in as_turns(pairs):
        assert not set(prompt.split()) & set(chosen.split()), "the final mark counts as a word there"
        assert count_words(chosen) == count_words(rejected)
        assert chosen != rejected
    assert Counter(pairs["chosen"]) == Counter(pairs["rejected"])


def one_exchange_each(*exchanges: tuple[str, str]) -> pa.Table:
    """A transcript an exchange, all of one child."""
    return cut([("one", 20.0, [("MOT", turn), ("CHI", reply), ("MOT", "oh .")]) for turn, reply in exchanges])


def test_each_natural_filter_is_counted():
    table = one_exchange_each(
        ("look !", "a cat ."),  # a prompt of one word
        ("look there !", "!"),  # a reply of none
        ("a Ball , see ?", "ball ."),  # an overlap but for case
        ("who did that ?", "my dog ."),
        ("where is it ?", "up there ."),
        ("and now what ?", "I go ?"),  # nobody else's reply ends so
    )
    _, filters = natural_pairs(table, families(table), NaturalPairs(), divided())
    assert (filters.candidates, filters.removed) == (
        6,
        {
            "reserved_for_rollouts": 0,
            "short_prompt": 1,
            "short_reply": 1,
            "overlap_with_prompt": 1,
            "not_needed": 0,
            "no_reply_to_reject": 1,
            "beyond_max_pairs": 0,
        },
    )
    _, filters = natural_pairs(table, families(table), NaturalPairs(max_pairs=1), divided())
    assert filters.removed["beyond_max_pairs"] + filters.removed["no_reply_to_reject"] == 3


def test_a_true_reply_to_the_same_prompt_is_never_rejected():
    table = one_exchange_each(("who did it ?", "my dog ."), ("Who did it ?", "the cat ."))
    pairs, filters = natural_pairs(table, families(table), NaturalPairs(), divided())
    assert pairs.empty
    assert filters.removed["no_reply_to_reject"] == 2


def test_children_who_belong_together_are_held_out_together(triplets):
    kin = families(triplets)
    first, second, *_ = sorted(kin.unique())
    for seed in range(8):
        division = divided(validation_share=0.4, seed=seed)
        pairs, _ = natural_pairs(
            triplets, kin.replace({second: first}), NaturalPairs(max_pairs=400, seed=seed), division
        )
        parts = pairs.groupby("child")["part"].unique()
        assert len(parts[first]) == 1 and list(parts[first]) == list(parts[second])


# --- synthetic ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def replies(natural):
    written = ["It's on the table.", "no, I don't want it!", "", "what's that?", "a dog.", "up there."]
    prompts = natural["prompt"].drop_duplicates().head(600)
    return pd.DataFrame(
        {"prompt": prompts, "sample": 0, "reply": [written[i % len(written)] for i in range(len(prompts))]}
    )


def test_synthetic_pairs_in_chat_form_are_matched(natural, replies):
    pairs, filters = synthetic(natural, replies, max_reply_share=1)
    assert len(pairs) > 100
    assert filters.removed["prompt_not_answered"] == len(natural) - natural["prompt"].isin(replies["prompt"]).sum()
    for prompt, chosen, rejected in as_turns(pairs):
        assert count_words(chosen) == count_words(rejected) > 0
        assert terminator(chosen) == terminator(rejected) != ""
        assert share_words((prompt, chosen)) == share_words((prompt, rejected))


def test_raw_synthetic_pairs_are_as_the_teacher_wrote_them(natural, replies):
    pairs, filters = synthetic(natural, replies, form="raw")
    assert "*CHI: it's on the table." in set(pairs["chosen"])
    both = natural.merge(pairs, on=["prompt", "rejected", "transcript"])
    assert len(both) >= len(pairs), "the same prompts and rejected replies"
    assert set(filters.removed) == {"prompt_not_answered", "repeated_prompt", "empty_reply", "equal_replies"}


def synthetic(natural, replies, **row):
    """The synthetic set of a row, whose filters account for every pair of the base."""
    pairs, filters = synthetic_pairs(natural, replies, SyntheticPairs(kind="synthetic", base="natural", **row))
    assert filters.candidates - sum(filters.removed.values()) == len(pairs)
    return pairs, filters


def base_set(*rejected: str) -> pd.DataFrame:
    """A natural set of made-up prompts: `p0 q0 ?` and so on."""
    prompts = [f"*MOT: p{number} q{number} ?" for number in range(len(rejected))]
    replies = [f"*CHI: {reply}" for reply in rejected]
    return pd.DataFrame({"prompt": prompts, "chosen": replies, "rejected": replies, "part": "train"})


def answers(natural: pd.DataFrame, *written: str) -> pd.DataFrame:
    return pd.DataFrame({"prompt": natural["prompt"][: len(written)], "sample": 0, "reply": written})


def test_each_synthetic_filter_is_counted():
    natural = base_set(*["a b ."] * 5, "c .", "d .", "e .")
    written = ["P0, q0!", "...", "one two three four. five", "x y!", "Yes.", "yes", "yes."]
    pairs, filters = synthetic(natural, answers(natural, *written), max_words=3, max_reply_share=0.5)
    assert filters.candidates == 8
    assert filters.removed == {
        "prompt_not_answered": 1,
        "repeated_prompt": 0,
        "empty_reply": 1,
        "copy_of_the_prompt": 1,
        "too_many_words": 1,
        "repeated_reply": 1,  # 4 are left, of which half are 2
        "no_reply_to_reject": 1,  # no child's reply of two words ends in "!"
    }
    assert list(pairs["chosen"]) == ["*CHI: yes .", "*CHI: yes ."]
    assert set(pairs["rejected"]) < {"*CHI: c .", "*CHI: d .", "*CHI: e ."}
    raw, filters = synthetic(natural, answers(natural, *written, ""), form="raw")
    assert filters.removed == {
        "prompt_not_answered": 0,
        "repeated_prompt": 0,
        "empty_reply": 1,
        "equal_replies": 0,
    }
    assert list(raw["chosen"][:2]) == ["*CHI: p0, q0!", "*CHI: ."]


@pytest.mark.parametrize("form", ["chat", "raw"])
def test_a_teachers_reply_that_is_the_childs_makes_no_pair(form):
    natural = base_set("up there .", "a dog .")
    pairs, filters = synthetic(natural, answers(natural, "up there .", "in there ."), form=form, max_reply_share=1)
    assert (pairs["chosen"] != pairs["rejected"]).all()
    assert form == "chat" or (filters.removed["equal_replies"], len(pairs)) == (1, 1)


@pytest.mark.parametrize("form", ["chat", "raw"])
def test_a_reply_of_the_teacher_is_trained_on_or_held_out_and_not_both(form):
    natural = base_set("a .", "b .", "c .", "d .")
    natural["prompt"] = ["*MOT: who is it ?", "*MOT: what now ?", "*FAT: who is it ?", "*MOT: Who is it ?"]
    natural["part"] = ["train", "train", "train", "heldout"]
    pairs, filters = synthetic(natural, answers(natural, "x.", "y.", "z.", "x."), form=form)
    # The same words of another speaker are another prompt.
    assert filters.removed["repeated_prompt"] == 1
    assert "*MOT: who is it ?" not in set(pairs["prompt"])
    parts = pairs.groupby(pairs["prompt"].str.casefold())["part"].agg(list)
    assert all(len(own) == 1 for own in parts)


def test_a_synthetic_pair_rejects_no_true_reply_to_its_prompt():
    natural = base_set("c .")
    _, filters = synthetic(natural, answers(natural, "d."))
    assert filters.removed["no_reply_to_reject"] == 1, "its own child's reply was the only one"


@settings(max_examples=60, deadline=None)
@given(
    children=st.lists(TURN, min_size=1, max_size=12),
    written=st.lists(st.lists(st.sampled_from([*WORDS, "p0", "q0."]), max_size=4).map(" ".join), max_size=12),
    share=st.sampled_from([0.1, 0.5, 1.0]),
)
def test_no_synthetic_pair_violates_a_rule(children, written, share):
    natural = base_set(*children)
    natural["part"] = ["train", "heldout"] * (len(natural) // 2) + ["train"] * (len(natural) % 2)
    pairs, filters = synthetic(
        natural, answers(natural, *written[: len(natural)]), max_words=3, max_reply_share=share
    )
    for prompt, chosen, rejected in as_turns(pairs):
        assert 0 < count_words(chosen) == count_words(rejected) <= 3
        assert terminator(chosen) == terminator(rejected) != ""
        assert share_words((prompt, chosen)) == share_words((prompt, rejected))
        assert chosen.casefold() != rejected.casefold() and chosen.casefold() != prompt.casefold()
    before = filters.candidates - sum(list(filters.removed.values())[:5])
    assert pairs.empty or pairs["chosen"].value_counts().max() <= max(1, share * before)
    for part, own in pairs.groupby("part"):
        assert not Counter(own["rejected"]) - Counter(natural.loc[natural["part"] == part, "rejected"])


# --- mixed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "expected"), [(1, (600, 0)), (0.5, (300, 300)), (0, (0, 600)), (0.25, (150, 450)), (1 / 3, (200, 400))]
)
def test_mixed_pairs_have_their_shares_at_equal_size(natural, one, expected):
    train = natural[natural["part"] == "train"]
    sets = {"one": train, "two": train.head(600)}
    mixed, filters = mixed_pairs(sets, MixedPairs(kind="mixed", shares={"one": one, "two": 1 - one}))
    assert tuple((mixed["source"] == name).sum() for name in sets) == expected
    assert filters.candidates == len(train) + 600 and filters.removed == {"not_drawn": len(train)}


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=4),
    weights=st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(lambda weights: weights[0] > 0),
    seed=st.integers(0, 3),
)
def test_mixed_sets_are_of_one_size_to_the_pair_whatever_the_shares(sizes, weights, seed):
    sets = {
        f"set {number}": pd.DataFrame({"part": ["train"] * train + ["heldout"] * held}).assign(
            prompt=lambda own, number=number: [f"{number} {row}" for row in range(len(own))]
        )
        for number, (train, held) in enumerate(sizes)
    }
    total = sum(weights[: len(sizes)])
    shares = {name: weight / total for name, weight in zip(sets, weights, strict=False)}
    mixed, _ = mixed_pairs(sets, MixedPairs(kind="mixed", shares=shares, seed=seed))
    for column, part in enumerate(("train", "heldout")):
        size = min(own[column] for own in sizes)
        own = mixed[mixed["part"] == part]
        assert len(own) == size
        for name, share in shares.items():
            assert abs((own["source"] == name).sum() - share * size) < 1 + 1e-9
    assert not mixed["prompt"].duplicated().any()
    pd.testing.assert_frame_equal(mixed, mixed_pairs(sets, MixedPairs(kind="mixed", shares=shares, seed=seed))[0])


# --- drawing --------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcd")), max_size=40),
    st.integers(0, 5),
)
def test_drawing_is_balanced_whatever_is_allowed(exchanges, seed):
    groups, replies = [group for group, _ in exchanges], [reply for _, reply in exchanges]

    def allowed(index, other):
        return replies[other] != replies[index]

    drawn = draw_rejected(np.arange(len(groups)), groups, allowed, np.random.default_rng(seed))
    kept = np.flatnonzero(drawn >= 0)
    assert sorted(drawn[kept]) == sorted(kept), "chosen and rejected are the same replies"
    for index in kept:
        assert groups[drawn[index]] == groups[index]
        assert allowed(index, drawn[index])
