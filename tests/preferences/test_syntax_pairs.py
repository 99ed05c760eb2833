"""Syntactic pairs: each violation by hand, and what holds of every set."""

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babylogue.dialogue import read_turns, terminator, words
from babylogue.preferences.exchanges import find_exchanges
from babylogue.preferences.settings import VIOLATIONS, SyntaxPairs
from babylogue.preferences.syntax import MODALS, VERBS, adult_sentences, syntax_pairs, violations
from babylogue.preferences.tuning import validation_families
from babylogue.preferences.tuning_settings import TuningSettings
from babylogue.reinforcement.prompts import rollout_prompts

SETTINGS = SyntaxPairs(kind="syntax", base="natural", max_pairs=12)


@pytest.mark.parametrize(
    ("kind", "turn", "expected"),
    [
        ("agreement", "he is in there .", ["he are in there ."]),
        ("agreement", "where are you ?", ["where is you ?"]),
        ("agreement", "is it hot ?", ["are it hot ?"]),
        ("agreement", "am I late ?", ["is I late ?"]),
        ("agreement", "I have two .", ["I has two ."]),
        ("agreement", "what do they want ?", ["what does they want ?", "what do they wants ?"]),
        ("agreement", "she doesn't know .", ["she don't know ."]),
        ("agreement", "the dog is here .", []),  # no pronoun
        ("agreement", "if it was yours .", []),  # it were, too
        ("agreement", "I was there .", []),
        ("agreement", "it was there .", []),
        ("case", "you and I can go .", []),
        ("agreement", "this is it .", []),
        ("order", "look at the dog .", ["look the at dog .", "look at dog the ."]),
        ("order", "is that your ?", []),  # nothing that the determiner goes with
        ("order", "go to bed .", []),
        ("case", "I want it .", ["me want it ."]),
        ("case", "they can go .", ["them can go ."]),
        ("case", "give me that .", ["give I that ."]),
        ("case", "with them .", ["with they ."]),
        ("case", "tell him is gone .", []),  # he is gone
        ("case", "and I .", []),
        ("case", "give her that .", []),  # she and her book are told apart by nothing in sight
    ],
)
def test_violations_by_hand(kind, turn, expected):
    assert violations(turn, kind) == expected


SUBJECTS = st.sampled_from(["I", "he", "she", "it", "you", "we", "they", "the dog"])
TURNS = st.lists(
    st.one_of(
        SUBJECTS,
        st.sampled_from([*VERBS, *VERBS.values(), *MODALS]),
        st.sampled_from(["to me", "for him", "in the box", "what", "ball", "a"]),
    ),
    min_size=1,
    max_size=6,
).map(lambda pieces: " ".join([*pieces, "."]))


@given(TURNS, st.sampled_from(VIOLATIONS))
def test_a_violation_changes_one_place_and_no_length(turn, kind):
    before = turn.split()
    for changed in violations(turn, kind):
        after = changed.split()
        assert len(after) == len(before)
        assert after[-1] == "."
        others = [place for place in range(len(before)) if before[place] != after[place]]
        if kind == "order":
            assert len(others) == 2
            assert others[1] == others[0] + 1
            assert sorted(after) == sorted(before)
        else:
            assert len(others) == 1


def triplets(transcripts: int = 12) -> pd.DataFrame:
    columns = ["transcript", "corpus", "child", "age_months", "speakers", "roles", "turns"]
    rows = []
    for number in range(transcripts):
        turns = ["where is it ?", f"he is in the box {number} .", f"you give me the ball {number} ."]
        for speakers in (["CHI", "MOT", "MOT"], ["MOT", "CHI", "FAT"]):
            roles = ["Target_Child" if name == "CHI" else "Mother" for name in speakers]
            rows.append((f"t{number}", "made", f"c{number}", 24.0, speakers, roles, turns))
    rows.append(("t0", "made", "c0", 24.0, ["CHI", "SIB", "MOT"], ["Target_Child", "Brother", "Mother"],
                 ["yes .", "she was in there .", "he are in the box 1 ."]))  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


TUNING = TuningSettings(validation_share=0.3, rollout_share=0)
FAMILIES = pd.Series({f"t{number}": "c2" if number == 5 else f"c{number}" for number in range(12)})


def build(settings: SyntaxPairs = SETTINGS, part: str = "tune", tuning: TuningSettings = TUNING) -> pd.DataFrame:
    pairs, filters = syntax_pairs(pa.Table.from_pandas(triplets()), FAMILIES, part, settings, tuning)
    assert filters.candidates - sum(filters.removed.values()) == len(pairs)
    return pairs


def test_sentences_are_those_of_adults_each_once():
    sentences = adult_sentences(triplets(2), 3)
    assert sentences["turn"].tolist() == [
        "he is in the box 0 .", "you give me the ball 0 .", "he is in the box 1 .", "you give me the ball 1 .",
        "he are in the box 1 .",
    ]  # fmt: skip
    assert sentences["prompt"].iloc[0] == "*CHI: where is it ?"
    assert set(sentences["speaker"]) == {"MOT"}
    assert adult_sentences(triplets(2), 9).empty


def test_every_pair_is_a_sentence_and_its_own_violation():
    source, pairs = triplets(), build()
    assert pairs["violation"].value_counts().to_dict() == {"agreement": 4, "order": 4, "case": 4}
    turns = {turn for own in source["turns"] for turn in own}
    for pair in pairs.itertuples():
        ((speaker, chosen),), ((other, rejected),) = read_turns(pair.chosen), read_turns(pair.rejected)
        assert speaker == other != "CHI"
        assert chosen in turns
        assert rejected not in turns
        assert rejected in violations(chosen, pair.violation)
        assert len(words(chosen)) == len(words(rejected)) >= SETTINGS.min_words
        assert terminator(chosen) == terminator(rejected) == "."
    assert pairs["chosen"].is_unique
    assert "*MOT: he are in the box 1 ." not in set(pairs["rejected"])  # the corpus has it


def test_the_validation_children_are_held_out_and_those_of_the_test_part_all():
    everything = SETTINGS.model_copy(update={"max_pairs": 60})
    found = set()
    for seed in range(6):
        tuning = TUNING.model_copy(update={"seed": seed})
        validation = validation_families(find_exchanges(pa.Table.from_pandas(triplets())), FAMILIES, tuning)
        pairs = build(everything, tuning=tuning)
        assert set(pairs.loc[pairs["part"] == "heldout", "family"]) == validation
        # c5 belongs to c2.
        assert pairs[pairs["child"].isin(["c2", "c5"])]["part"].nunique() == 1
        found |= validation
    assert len(found) > 4, "the seed decides"
    assert set(build(everything, part="test")["part"]) == {"heldout"}


def test_no_prompt_is_a_caregivers_turn_that_rollouts_have():
    table = triplets()[:24]
    table["speakers"] = [["MOT", "CHI", "MOT"], ["MOT", "MOT", "CHI"]] * 12
    table["roles"] = [["Mother" if own == "MOT" else "Target_Child" for own in row] for row in table["speakers"]]
    # Every question is once answered by the child, and once followed by a sentence of the mother's.
    table["turns"] = [
        [f"where did it go {number // 2} ?", *turns[1:]] for number, turns in enumerate(table["turns"])
    ]
    tuning = TUNING.model_copy(update={"rollout_share": 0.5})
    arguments = pa.Table.from_pandas(table), FAMILIES
    prompts = rollout_prompts(*arguments, tuning, count=100, seed=0)["prompt"]
    pairs, filters = syntax_pairs(*arguments, "tune", SETTINGS.model_copy(update={"max_pairs": 60}), tuning)
    assert len(prompts) > 2 and filters.removed["reserved_for_rollouts"] > 2
    asked = set(pairs["prompt"][pairs["prompt"].str.startswith("*MOT: where")])
    assert asked and not asked & set(prompts)


def test_the_set_is_that_of_its_seed():
    first, second = (build() for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    other = build(SETTINGS.model_copy(update={"seed": 1}))
    assert not first["rejected"].equals(other["rejected"])


def test_only_the_violations_that_are_asked_for_and_no_more_than_there_are():
    asked = SyntaxPairs(kind="syntax", base="natural", violations=["case"], max_pairs=1000)
    pairs = build(asked)
    assert set(pairs["violation"]) == {"case"}
    assert len(pairs) == 25  # two of each of twelve children, and one
