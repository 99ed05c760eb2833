"""Shallow baselines on invented pairs in which one of them, by construction, must win or tie.

On the 18,000 published tuning pairs of natural replies, split by prompt, the rules find what is known of the
published evaluation set: sharing a token tells 70 %, the question mark 65 %, crosses 78 % and where no token is
shared 63 %.
"""

import numpy as np
import pandas as pd
import pytest

from babylogue.analysis.baselines import COLUMNS, evaluate
from babylogue.errors import UserError
from babylogue.suites.shared_tokens import share_token, tokens

REPLIES = {"what": "*CHI: a {} .", "who": "*CHI: my {} did .", "where": "*CHI: in the {} ."}


def contingent_pairs(count: int, seed: int) -> pd.DataFrame:
    """The right reply has the form that the question word asks for; replies alone tell nothing."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        asked, other = random.choice(list(REPLIES), 2, replace=False)
        nouns = random.choice(["dog", "box", "bed", "cup"], 2)
        rows.append(
            (f"*MOT: {asked} now ?", REPLIES[asked].format(nouns[0]), REPLIES[other].format(nouns[1])),
        )
    return pd.DataFrame(rows, columns=["prompt", "chosen", "rejected"])


def accuracies(train: pd.DataFrame, test: pd.DataFrame) -> pd.Series:
    return evaluate(train, test, seed=0).query("metric == 'accuracy'").set_index("baseline")["value"]


def test_tokens_have_no_tags():
    assert tokens("*MOT: Where's it ? *CHI: There .") == ["where's", "it", "?", "there", "."]
    assert tokens("ball .") == ["ball", "."]
    assert share_token("*MOT: a Ball ?", "*CHI: ball .") and share_token("*MOT: go .", "*CHI: no .")
    assert not share_token("*CHI: a ball ?", "*CHI: no .")


def test_only_baselines_that_see_the_prompt_learn_contingency():
    found = accuracies(contingent_pairs(300, 0), contingent_pairs(300, 1))
    assert found["word_crosses"] == 100
    assert found["pmi"] > 95
    for name in ("unigram", "bigram", "reply_classifier", "length"):
        assert 30 < found[name] < 70, name
    assert found["question_mark"] == 50
    assert found["token_sharing"] == 50


def test_rules_learn_their_direction_from_the_tuning_pairs():
    pairs = pd.DataFrame(
        {
            "prompt": ["*MOT: a ball ?", "*MOT: the cup ."],
            "chosen": ["*CHI: yes please it is .", "*CHI: I want it now ?"],
            "rejected": ["*CHI: ball ?", "*CHI: cup ."],
        }
    )
    found = accuracies(pairs, pairs)
    assert found["length"] == found["token_sharing"] == found["question_mark"] == 100
    swapped = pairs.rename(columns={"chosen": "rejected", "rejected": "chosen"})
    assert accuracies(pairs, swapped)["length"] == 0
    assert accuracies(swapped, swapped)["token_sharing"] == 100


ONE_SIDED = pd.DataFrame(
    [
        ("*MOT: a ball ?", "*CHI: yes it is .", "*CHI: my ball ."),  # only the rejected reply repeats
        ("*MOT: the cup .", "*CHI: I want it !", "*CHI: the dog ."),
        ("*MOT: and now ?", "*CHI: go home .", "*CHI: a spoon ."),  # neither does
    ],
    columns=["prompt", "chosen", "rejected"],
)


def test_pairs_that_repetition_cannot_tell_are_scored_on_their_own():
    table = evaluate(ONE_SIDED, ONE_SIDED, seed=0).set_index(["baseline", "metric"])
    sharing = table.loc["token_sharing"]
    assert sharing["value"].to_dict() == pytest.approx({"accuracy": 100 * 2.5 / 3, "accuracy_no_shared_token": 50})
    assert sharing["n"].to_dict() == {"accuracy": 3, "accuracy_no_shared_token": 1}
    only = evaluate(ONE_SIDED, ONE_SIDED[:2], seed=0)
    assert set(only["metric"]) == {"accuracy"}


def test_a_rule_that_tuning_pairs_do_not_tell_has_the_published_direction():
    unshared = ONE_SIDED[2:]
    assert accuracies(unshared, ONE_SIDED[:2])["token_sharing"] == 100
    question = ONE_SIDED[2:].assign(rejected="*CHI: home ?")
    assert accuracies(unshared, question)["question_mark"] == 100


def test_table_of_results():
    table = evaluate(contingent_pairs(30, 0), contingent_pairs(20, 1), seed=0)
    assert table.columns.tolist() == COLUMNS
    assert set(table.loc[table["reply_only"], "baseline"]) == {"length", "unigram", "bigram", "reply_classifier"}
    assert (table["n"] == 20).all()  # no reply of these repeats anything: both metrics are of all pairs
    values = table.pivot(index="baseline", columns="metric", values="value")
    assert values["accuracy"].equals(values["accuracy_no_shared_token"].rename("accuracy"))
    assert ((table["ci_low"] <= table["value"]) & (table["value"] <= table["ci_high"])).all()


def test_bad_tables():
    pairs = contingent_pairs(3, 0)
    with pytest.raises(UserError, match="tuning pairs has no column 'chosen'"):
        evaluate(pairs.drop(columns="chosen"), pairs, 0)
    with pytest.raises(UserError, match="no test pairs"):
        evaluate(pairs, pairs[:0], 0)
