"""How the tune part is divided: validation children, prompts of rollouts, prompts of pairs."""

import json

import pandas as pd
import pyarrow as pa
import pytest
import yaml

from babylogue.configuration import load_configuration
from babylogue.errors import UserError
from babylogue.preferences.exchanges import COLUMNS, find_exchanges
from babylogue.preferences.natural import natural_pairs
from babylogue.preferences.settings import NaturalPairs
from babylogue.preferences.tuning import reserved_for_rollouts, validation_families
from babylogue.preferences.tuning_settings import TuningSettings
from babylogue.reinforcement.prompts import rollout_prompts
from support.project import PROJECT

CHILDREN = {"big": 50, "left": 12, "right": 12, "small": 6, "tiny": 20}
NOUNS = ["ball", "dog", "cup", "cat", "shoe", "book", "hat"]


def talk() -> pa.Table:
    """Exchanges of children of different sizes, a triplet each; every twentieth is said to all of them."""
    rows = []
    for child, size in CHILDREN.items():
        for number in range(size):
            who = "all" if number % 20 == 0 else child
            turns = [f"where does {who} put number {number} ?", f"a {NOUNS[number % 7]} .", "I see ."]
            rows.append((f"made/{child}", "made", child, 24.0, ["MOT", "CHI", "MOT"],
                         ["Mother", "Target_Child", "Mother"], turns))  # fmt: skip
    return pa.table(dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True)))


FAMILIES = pd.Series({f"made/{child}": "left" if child == "right" else child for child in CHILDREN})


def validation(**division) -> set[str]:
    return validation_families(find_exchanges(talk()), FAMILIES, TuningSettings(**division))


def test_validation_families_are_whole_and_within_their_share():
    for seed in range(20):
        chosen = validation(validation_share=0.3, seed=seed)
        assert chosen <= {"left", "small", "tiny"}, "the big one is more than the share"
        assert 20 <= sum(size for child, size in CHILDREN.items() if FAMILIES[f"made/{child}"] in chosen) <= 30
    assert len({frozenset(validation(validation_share=0.3, seed=seed)) for seed in range(20)}) > 1
    assert validation(validation_share=0.01) == {"small"}, "where none fits it is the smallest"


def test_turns_are_reserved_by_their_words_alone():
    turns = pd.Series([f"what is {number} ?" for number in range(2000)])
    reserved = reserved_for_rollouts(turns, TuningSettings(rollout_share=0.3))
    assert 0.27 < reserved.mean() < 0.33
    shuffled = turns.str.upper().sample(frac=1, random_state=0)
    assert (reserved_for_rollouts(shuffled, TuningSettings(rollout_share=0.3)) == reserved[shuffled.index]).all()
    more = reserved_for_rollouts(turns, TuningSettings(rollout_share=0.6))
    assert (more | ~reserved).all() and more.sum() > reserved.sum()
    assert (reserved_for_rollouts(turns, TuningSettings(rollout_share=0.3, seed=1)) != reserved).any()
    assert not reserved_for_rollouts(pd.Series(["who is ?", "oh ."] * 50), TuningSettings(rollout_share=0.9)).any()
    assert not reserved_for_rollouts(turns, TuningSettings(rollout_share=0)).any()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("row", [{}, {"construction": "published"}, {"max_pairs": 20, "seed": 3}])
def test_pairs_and_rollouts_share_no_prompt_and_no_validation_child(row, seed):
    table, division = talk(), TuningSettings(validation_share=0.3, rollout_share=0.5, seed=seed)
    pairs, filters = natural_pairs(table, FAMILIES, NaturalPairs(min_prompt_words=1, **row), division)
    prompts = set(rollout_prompts(table, FAMILIES, division, count=1000, seed=0)["prompt"])
    assert len(pairs) > 10 and len(prompts) > 10
    assert not prompts & set(pairs["prompt"])
    held_out = validation(validation_share=0.3, seed=seed)
    assert set(pairs.loc[pairs["part"] == "heldout", "family"]) <= held_out
    assert not set(pairs.loc[pairs["part"] == "train", "family"]) & held_out
    heard = find_exchanges(table)
    heard = heard[FAMILIES[heard["transcript"]].isin(held_out).to_numpy()]
    assert not prompts & {f"*MOT: {turn}" for turn in heard["turn"]}
    assert filters.candidates - sum(filters.removed.values()) == len(pairs)


def test_the_test_part_is_not_divided():
    table = talk()
    sets = [
        natural_pairs(table, FAMILIES, NaturalPairs(part="test"), TuningSettings(rollout_share=share, seed=seed))
        for share, seed in ((0, 0), (0.9, 1))
    ]
    pd.testing.assert_frame_equal(sets[0][0], sets[1][0])
    assert set(sets[0][0]["part"]) == {"heldout"} and "reserved_for_rollouts" not in sets[0][1].removed


def test_too_few_prompts_are_told_with_the_setting_that_gives_more(caplog):
    with caplog.at_level("WARNING"):
        rollout_prompts(talk(), FAMILIES, TuningSettings(rollout_share=0.2), count=1000, seed=0)
    assert "teacher.rollouts.prompts: 1000 asked for, " in caplog.text and "tuning.rollout_share" in caplog.text
    with pytest.raises(
        UserError, match=r"^tuning\.rollout_share: the tune part has no caregiver turn for rollouts"
    ):
        rollout_prompts(talk(), FAMILIES, TuningSettings(rollout_share=0), count=1, seed=0)


def test_a_natural_set_holds_out_no_share_of_its_own():
    raw = yaml.safe_load((PROJECT / "config.yaml").read_text())
    raw["pairs"]["natural"]["heldout_share"] = 0.3
    with pytest.raises(
        UserError, match=r"^pairs\.natural: heldout_share: all natural sets .*tuning\.validation_share"
    ):
        load_configuration(raw)


def test_runs_are_watched_on_natural_pairs_alone():
    """Prompts of pairs made elsewhere may be prompts of rollouts too."""
    raw = yaml.safe_load((PROJECT / "config.yaml").read_text())
    raw["pairs"]["mine"] = {"kind": "given", "path": "mine.csv"}
    raw["models"]["ppo_bleu"]["heldout_pairs"] = "mine"
    with pytest.raises(
        UserError, match=r"^models\.ppo_bleu\.heldout_pairs: no natural set 'mine' of the tune part"
    ):
        load_configuration(raw)


# --- the workflow -----------------------------------------------------------------------------------------------


def test_sets_of_the_small_workflow_and_its_rollouts_are_apart(small):
    results = small.folder / "results"
    prompts = set(pd.read_parquet(results / "prompts/rollouts.parquet")["prompt"])
    pairs = pd.read_parquet(results / "pairs/natural.parquet")
    assert len(prompts) == 24 and not prompts & set(pairs["prompt"])
    assert json.loads((results / "pairs/natural.filters.json").read_text())["removed"]["reserved_for_rollouts"] > 0
    families = pd.read_parquet(results / "corpus/split.parquet").set_index("transcript")["family"]
    tune = find_exchanges(pa.Table.from_pandas(pd.read_parquet(results / "corpus/triplets/tune.parquet")))
    held_out = set(pairs.loc[pairs["part"] == "heldout", "family"])
    heard = tune[families[tune["transcript"]].isin(held_out).to_numpy()]
    assert held_out and not prompts & set("*" + heard["speaker"] + ": " + heard["turn"])


def test_the_default_has_pairs_and_prompts_enough(finished):
    results = finished.folder / "results"
    pairs = pd.read_parquet(results / "pairs/natural.parquet")
    assert len(pairs) > 2900 and 0.1 < (pairs["part"] == "heldout").mean() < 0.25
    assert len(pd.read_parquet(results / "prompts/rollouts.parquet")) == 32
