"""The card of a pair set, from hand-made pairs whose numbers are known."""

import numpy as np
import pandas as pd
import pytest

from babylogue.analysis.pair_cards import pair_card, reply_only
from babylogue.errors import UserError
from babylogue.report.tables import CARD_COLUMNS, pair_cards_table

PAIRS = pd.DataFrame(
    [
        ("*MOT: the ball ?", "*CHI: a dog .", "*CHI: my Ball .", "train", "x/ann"),
        ("*MOT: who , now ?", "*CHI: go .", "*CHI: not now !", "train", "x/ann"),
        ("*FAT: Who , now ?", "*CHI: a dog .", "*CHI: a dog ?", "heldout", "x/ben"),
        ("*MOT: up there .", "*CHI: I see .", "*CHI: go .", "heldout", "x/cat"),
    ],
    columns=["prompt", "chosen", "rejected", "part", "transcript"],
)
PAIRS = PAIRS.assign(child=PAIRS["transcript"], corpus="x")
FAMILIES = pd.Series({"x/ann": "ann", "x/ben": "ben", "x/cat": "ann", "x/dan": "dan"})
PARTS = {"pretrain": ["x/dan", "x/ben"], "tune": ["x/ann", "x/ben", "x/cat"]}
FILTERS = {"what": "exchanges", "candidates": 9, "removed": {"short_prompt": 5}}


def card_of(pairs, parts=PARTS, **settings):
    return pair_card(
        "made",
        pairs,
        FILTERS,
        {"kind": "natural", **settings},
        count_tokens=lambda texts: [len(text) for text in texts],
        families=FAMILIES,
        parts=parts,
    )


def test_numbers_of_a_card():
    card = card_of(PAIRS)
    assert card["sizes"] == {
        "pairs": 4, "train": 2, "heldout": 2, "prompts": 4, "chosen_replies": 3, "rejected_replies": 4,
        "children": 3, "corpora": 1,
    }  # fmt: skip
    assert card["filters"] == FILTERS
    assert card["length"] == {
        "equal_terminator_percent": 50,
        "equal_words_percent": 50,
        "mean_difference_words": 0,  # 0, -1, 0, +1
        "equal_tokens_percent": 25,
        "mean_difference_tokens": pytest.approx((7 - 9 + 4 - 9 + 0 + 7 - 4) / 4),
    }
    assert card["overlap"] == {
        "chosen_percent": 0,
        "rejected_percent": 50,
        "heldout_prompts_in_train_percent": 0,  # another speaker asks
    }
    # In train no chosen reply is rejected, nor in heldout; `go .` is both, in different parts.
    assert card["balance"] == {"balanced_uses_percent": 0, "most_chosen": 2}
    assert card["children"] == {"train_and_heldout": 1, "pretrain": 1, "tune": 2}


def test_shared_children_are_warned_of(caplog):
    card_of(PAIRS)
    assert "pairs.made: children are shared between parts" in caplog.text
    caplog.clear()
    card_of(PAIRS[:3], {"pretrain": ["x/dan"], "tune": PARTS["tune"]})
    assert not caplog.text


def test_pairs_made_elsewhere_tell_nothing_of_children():
    card = card_of(PAIRS[["prompt", "chosen", "rejected", "part"]])
    assert card["children"] is None and card["sizes"]["children"] is None
    assert card["reply_only"]["by"] == "prompt"


def test_an_empty_set_has_no_card():
    with pytest.raises(UserError, match=r"pairs\.made: no pair is left"):
        card_of(PAIRS[:0])


def balanced(corpora: int, size: int) -> pd.DataFrame:
    """Within each corpus every reply once chosen and once rejected, each in a child's pair of its own."""
    random = np.random.default_rng(0)
    rows = []
    for corpus in range(corpora):
        replies = [f"*CHI: {first} {second} ." for first, second in random.integers(0, 40, (size, 2))]
        rows += [
            (f"*MOT: {number} ?", good, bad, f"c{corpus}", f"c{corpus}/{number}")
            for number, (good, bad) in enumerate(zip(replies, [*replies[1:], replies[0]], strict=True))
        ]
    return pd.DataFrame(rows, columns=["prompt", "chosen", "rejected", "corpus", "child"]).assign(part="train")


def test_balanced_replies_give_nothing_away_across_corpora():
    pairs = balanced(5, 200)
    found = reply_only(pairs)
    assert (found["by"], found["folds"]) == ("corpus", 5)
    assert found["ci_low"] < 50 < found["ci_high"]
    # What is left behind as rejected when a fold takes its chosen replies: worse than chance, and no short cut.
    assert reply_only(pairs.drop(columns="corpus"))["ci_high"] < 50
    assert reply_only(pairs[pairs["corpus"] == "c0"])["by"] == "child"
    assert reply_only(pairs[:1]) is None


def test_replies_that_give_the_answer_away_are_found_and_warned_of(caplog):
    pairs = balanced(3, 60)
    pairs["chosen"] = pairs["chosen"].str.replace("*CHI:", "*CHI: please")
    assert reply_only(pairs)["accuracy_percent"] > 95
    pairs["transcript"] = "x/dan"
    card = card_of(pairs, {"pretrain": [], "tune": ["x/dan"]}, construction="published")
    assert card["reply_only"]["accuracy_percent"] > 95 and not caplog.text
    card_of(pairs, {"pretrain": [], "tune": ["x/dan"]}, construction="two_sided")
    assert "pairs.made: the reply alone tells the chosen one in" in caplog.text


def test_table_of_cards():
    unknown = card_of(PAIRS[["prompt", "chosen", "rejected", "part"]])
    table = pair_cards_table([card_of(PAIRS), unknown | {"pairs": "given"}])
    assert list(table.columns) == CARD_COLUMNS
    values = table.set_index(["pairs", "section", "quantity"])["value"]
    assert values["made", "filters", "candidates"] == 9 and values["made", "filters", "short_prompt"] == 5
    assert values["made", "children", "train_and_heldout"] == 1
    assert ("given", "sizes", "children") not in values.index
    assert not {"children"} & set(table.loc[table["pairs"] == "given", "section"])
    alone = table[table["section"] == "reply_only"]
    assert (alone["ci_low"] <= alone["value"]).all() and (alone["value"] <= alone["ci_high"]).all()
    assert list(pair_cards_table([])) == CARD_COLUMNS
