"""Age of acquisition: fits whose answer is known, the rules that reject one, and files."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr

from babylogue.errors import UserError
from babylogue.suites import aoa, registry
from support.reference_scores import reference
from support.tiny_scorers import TOKENIZERS, make_model

FOLDER = "evaluation_data/full_eval/cdi_childes"
WORDS = np.array([1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8])
CHANCE = np.log(aoa.VOCABULARY)


def test_children_reach_half_where_their_curve_does():
    ages = np.arange(16.0, 31.0)
    assert aoa.age_of_children(ages, aoa.sigmoid(ages, 1.0, 0.4, 23.0, 0.0)) == pytest.approx(23.0, abs=1e-3)
    # 0.9 / (1 + exp(-0.5 (x - 20))) + 0.1 = 0.5  <=>  x = 20 - 2 ln 1.25
    curve = aoa.sigmoid(ages, 0.9, 0.5, 20.0, 0.1)
    assert aoa.age_of_children(ages, curve) == pytest.approx(20 - 2 * np.log(1.25), abs=1e-2)
    gaps = np.where(ages % 2 == 0, curve, np.nan)
    assert aoa.age_of_children(ages, gaps) == pytest.approx(20 - 2 * np.log(1.25), abs=1e-2)


@pytest.mark.parametrize(
    "shares",
    [np.full(15, np.nan), [0.1, 0.6] + [np.nan] * 13, np.linspace(0.0, 0.2, 15), np.linspace(0.8, 0.99, 15)],
    ids=["nothing known", "two months", "never half", "always more than half"],
)
def test_children_without_an_age(shares):
    assert np.isnan(aoa.age_of_children(np.arange(16.0, 31.0), np.array(shares)))


def learning_curve(middle: float, low: float = 2.0) -> np.ndarray:
    """Surprisal that falls from chance to `low` around log10(words) = `middle`."""
    return -aoa.sigmoid(np.log10(WORDS + 1), CHANCE - low, 4.0, middle, -CHANCE)


def test_model_age_is_halfway_between_chance_and_the_minimum():
    values = learning_curve(6.5)
    level = (CHANCE + values.min()) / 2
    a = CHANCE - 2.0
    expected = 6.5 - np.log(a / (CHANCE - level) - 1) / 4  # the curve solved for that level
    assert aoa.age_of_model(WORDS, values, CHANCE) == pytest.approx(expected, abs=1e-3)
    # Chance in bits against surprisals in nats asks for less: acquired earlier.
    assert aoa.age_of_model(WORDS, values, np.log2(aoa.VOCABULARY)) < expected


@pytest.mark.parametrize(
    "values",
    [learning_curve(6.5)[::-1], np.full(7, 3.0), learning_curve(9.5)],
    ids=["unlearnt", "known from the start", "not within the run"],
)
def test_model_without_an_age(values):
    assert np.isnan(aoa.age_of_model(WORDS, values, CHANCE))
    assert np.isnan(aoa.age_of_model(WORDS[:2], values[:2], CHANCE))


def made(middles: list[float], months: list[float]):
    """Surprisals of words at all checkpoints, one context each, shuffled, and the children's ages."""
    names = [f"word{number}" for number in range(len(middles))]
    parts = pd.DataFrame(
        [
            {"suite": "aoa_surprisal", "words": int(words), "item": f"{name}_1", "group": name, "surprisal": value}
            for name, middle in zip(names, middles, strict=True)
            for words, value in zip(WORDS, learning_curve(middle), strict=True)
        ]
    )
    children = pd.DataFrame({"item": [*names, "unscored"], "group": "aoa", "value": [*months, 20.0]})
    return parts.sample(frac=1, random_state=0), children


def test_score_correlates_the_two_ages():
    middles, months = [5.8, 6.1, 6.4, 6.9, 7.2], [18.0, 17.0, 22.0, 21.0, np.nan]
    suite = registry.load("aoa")
    scores = suite.combiner(*made(middles, months))
    assert scores["item"].tolist() == [f"word{number}" for number in range(5)]
    rows = {row["metric"]: row for row in suite.rows(scores)}
    expected = pearsonr(scores["model_one_unit"][:4], months[:4]).statistic
    assert rows["pearson_one_unit"]["value"] == pytest.approx(expected)
    assert rows["words_one_unit"]["value"] == 4
    assert rows["pearson"]["ci_low"] < rows["pearson"]["value"] < rows["pearson"]["ci_high"]


def test_fewer_than_three_words_score_zero_upstream_and_nothing_when_corrected():
    suite = registry.load("aoa")
    rows = {row["metric"]: row["value"] for row in suite.rows(suite.combiner(*made([6.0, 7.0], [18.0, 20.0])))}
    assert rows == {"pearson": 0.0, "words": 2, "pearson_one_unit": None, "words_one_unit": 2}


def test_surprisal_is_of_the_word_alone(tmp_path):
    path = tmp_path / FOLDER / "cdi_childes.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"dog": [{"context": " the "}, {"context": "a red"}], "a": [{"context": "see"}]}))
    suite = registry.load("aoa_surprisal")
    items = suite.read({"mirror": suite.mirror_files(tmp_path)})
    assert items["group"].tolist() == ["dog", "dog"]
    model = make_model(positions=64)
    scores = suite.evaluate(model, TOKENIZERS["bos"], items, 4096)
    expected = [-reference(model, TOKENIZERS["bos"], context, "dog")[0] for context in ("the ", "a red ")]
    np.testing.assert_allclose(scores["surprisal"], expected, atol=1e-4)
    (row,) = suite.rows(scores)
    assert (row["metric"], row["value"]) == ("surprisal", pytest.approx(np.mean(expected), abs=1e-4))


def test_tables_of_children_by_either_name(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    suite = registry.load("aoa")
    with pytest.raises(UserError, match=r"aoa: no .*cdi_human\.csv in"):
        suite.mirror_files(tmp_path)
    (folder / "wordbank_production_by_month.csv").write_text("word,8,16,17\nnull,0,0.1,0.9\nnull,0,0.2,0.8\n")
    assert [path.name for path in suite.mirror_files(tmp_path)] == ["wordbank_production_by_month.csv"]
    (folder / "cdi_human.csv").write_text("word,16,17\nnull,0.1,0.9\nnull,0.2,0.8\n")
    assert [path.name for path in suite.mirror_files(tmp_path)] == ["cdi_human.csv"]
    items = suite.read({"mirror": suite.mirror_files(tmp_path)})
    assert items["item"].tolist() == ["null"]
    (folder / "cdi_human.csv").write_text("word,16,17\ndog,much,0.9\n")
    with pytest.raises(UserError, match="column '16' holds something that is no number"):
        suite.read({"mirror": suite.mirror_files(tmp_path)})
    (folder / "cdi_human.csv").write_text("word,age\ndog,17\n")
    with pytest.raises(UserError, match="columns 16 to 30"):
        suite.read({"mirror": suite.mirror_files(tmp_path)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "maps each word to its list"),
        ('{"dog": [{"context": 3}]}', "'dog', context 1: field 'context' is int"),
    ],
)
def test_malformed_contexts_are_named(tmp_path, text, message):
    path = tmp_path / "cdi_childes.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        registry.load("aoa_surprisal").read({"mirror": [path]})
