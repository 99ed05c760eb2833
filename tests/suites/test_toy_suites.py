"""The suites that need no download: toy grammar and lexical decision."""

import re
from collections import Counter

import pytest

from babylogue.dialogue import terminator, words
from babylogue.errors import UserError
from babylogue.suites import lexical_decision, toy_grammar
from babylogue.suites.base import COLUMNS
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.settings import ToySettings


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory) -> Counter:
    """Words of the main tiers of the default toy transcripts."""
    folder = tmp_path_factory.mktemp("toy")
    write_toy_transcripts(folder, ToySettings())
    counts: Counter = Counter()
    for path in folder.rglob("*.cha"):
        for line in path.read_text(encoding="utf-8").replace("\n\t", " ").split("\n"):
            if line.startswith("*"):
                counts.update(re.findall(r"(?<!\S)<?([a-z']+)>?(?!\S)", line.split("\t")[1]))
    return counts


def assert_schema(items):
    assert list(items.columns) == COLUMNS
    assert items["item"].is_unique
    assert (items["answer"] == 0).all()
    assert items["value"].isna().all()
    assert all(contexts == ["", ""] for contexts in items["contexts"])
    assert not items["candidates"].map(tuple).duplicated().any()
    assert all(good != bad for good, bad in items["candidates"])


def test_grammar_has_eight_paradigms_of_a_hundred_pairs():
    items = toy_grammar.items()
    assert_schema(items)
    assert items.groupby("group").size().to_dict() == {
        paradigm.__name__: 100 for paradigm in toy_grammar.PARADIGMS
    }
    assert len(toy_grammar.PARADIGMS) == 8
    assert items.equals(toy_grammar.items())


def test_grammar_pairs_are_minimal_and_in_the_corpus_form():
    for good, bad in toy_grammar.items()["candidates"]:
        assert good == good.lower()
        assert terminator(good) == terminator(bad) != ""
        assert len(good.split()) == len(bad.split())
        changed = [(a, b) for a, b in zip(good.split(), bad.split(), strict=True) if a != b]
        assert len(changed) == 1 or Counter(good.split()) == Counter(bad.split())


def test_grammar_words_occur_in_the_transcripts(vocabulary):
    used = {word for pair in toy_grammar.items()["candidates"] for sentence in pair for word in words(sentence)}
    assert used <= set(vocabulary)


def test_grammar_agreement_cannot_be_solved_by_one_word():
    items = toy_grammar.items()
    agreement = items[items["group"] == "subject_verb_agreement"]["candidates"]
    for word in ("is", "are", "eat", "eats"):
        good = sum(word in pair[0].split() for pair in agreement)
        assert good == sum(word in pair[1].split() for pair in agreement) or good == pytest.approx(25, abs=5)


@pytest.fixture(scope="module")
def decisions(vocabulary):
    return lexical_decision.items(vocabulary, pairs=151, seed=0)


def test_lexical_decision_schema_and_bands(decisions, vocabulary):
    assert_schema(decisions)
    assert decisions.groupby("group").size().to_dict() == {"low": 51, "mid": 50, "high": 50}
    frequency = {
        band: [vocabulary[word] for word, _ in own] for band, own in decisions.groupby("group")["candidates"]
    }
    assert max(frequency["low"]) <= min(frequency["mid"])
    assert max(frequency["mid"]) <= min(frequency["high"])


def test_nonwords_are_legal_and_new(decisions, vocabulary):
    eligible = [word for word in vocabulary if re.fullmatch("[a-z]{3,10}", word)]
    legal = {trigram for word in eligible for trigram in trigrams(word)}
    nonwords = [nonword for _, nonword in decisions["candidates"]]
    assert len(set(nonwords)) == len(nonwords)
    for word, nonword in decisions["candidates"]:
        assert word in vocabulary
        assert nonword not in vocabulary
        assert len(word) == len(nonword)
        assert set(trigrams(nonword)) <= legal


def trigrams(word: str) -> list[str]:
    bounded = f"##{word}##"
    return [bounded[i : i + 3] for i in range(len(bounded) - 2)]


def test_lexical_decision_follows_from_words_and_seed(vocabulary):
    def made(words, seed):
        return lexical_decision.items(words, pairs=30, seed=seed)["candidates"].tolist()

    reordered = dict(sorted(vocabulary.items(), reverse=True))
    assert made(vocabulary, 3) == made(reordered, 3) != made(vocabulary, 4)


def test_lexical_decision_wants_enough_words():
    with pytest.raises(UserError, match=r"lexical_decision: 90 pairs .* fewer pairs"):
        lexical_decision.items({"cat": 3, "dog": 2, "mouse": 1}, pairs=90, seed=0)
