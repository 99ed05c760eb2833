"""Shallow baselines for dialogue minimal pairs: what a model has to beat before its score shows contingency.

Everything is learned from tuning pairs (columns prompt, chosen, rejected; turns with speaker tags) and scored on
others. Tokens are the turn's words and terminator, case-folded, tags apart. Pairs in which neither reply shares a
token with the prompt are scored on their own too: the rest may be told by repetition alone.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression

from ..errors import UserError
from ..logs import progress
from ..scoring.intervals import wilson
from ..suites.shared_tokens import tokens

HASHED_FEATURES = 2**20
SIDES = ("chosen", "rejected")
COLUMNS = ["baseline", "reply_only", "metric", "value", "ci_low", "ci_high", "n"]
# A pair as (tokens of the prompt, tokens of a reply, the reply as text); a scorer gives a number, more is better.
Example = tuple[list[str], list[str], str]
Score = Callable[[Example], float]


def evaluate(train_pairs: pd.DataFrame, test_pairs: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Accuracy of every baseline on the test pairs, a tie as one half.

    Columns COLUMNS: baseline, reply_only (bool: it never sees the prompt), metric ("accuracy"; if there are pairs
    in which neither reply shares a token with the prompt, "accuracy_no_shared_token" of these), value, ci_low,
    ci_high (percent, Wilson), n. Raises UserError if a table lacks a column or is empty.
    """
    train, test = examples(train_pairs, "tuning"), examples(test_pairs, "test")
    decisions = {
        "length": (True, lambda: rule(_length, train, test)),
        "unigram": (True, lambda: compare(unigram(train), test)),
        "bigram": (True, lambda: compare(bigram(train), test)),
        "reply_classifier": (True, lambda: logistic(reply_words, train, test, seed)),
        "token_sharing": (False, lambda: rule(_shares_no_token, train, test)),
        "question_mark": (False, lambda: rule(_question_marks_differ, train, test)),
        "pmi": (False, lambda: compare(pmi(train), test)),
        "word_crosses": (False, lambda: logistic(_crosses, train, test, seed)),
    }
    subset = np.array([not any(map(_shares_a_token, pair)) for pair in test])
    metrics = {"accuracy": np.full(len(test), True), "accuracy_no_shared_token": subset}
    rows = []
    for name, (reply_only, decide) in progress(decisions.items(), description="baselines", unit="baseline"):
        values = decide()
        for metric, kept in metrics.items():
            if kept.any():
                estimate = wilson((np.sign(values[kept]) + 1) / 2)
                value, low, high = (100 * number for number in estimate[:3])
                rows.append((name, reply_only, metric, value, low, high, estimate.n))
    return pd.DataFrame(rows, columns=COLUMNS)


def examples(pairs: pd.DataFrame, part: str) -> list[tuple[Example, Example]]:
    """The pairs as (chosen, rejected) examples."""
    for column in ("prompt", *SIDES):
        if column not in pairs:
            raise UserError(f"the table of {part} pairs has no column {column!r}")
    if pairs.empty:
        raise UserError(f"there are no {part} pairs for the shallow baselines; ask for more pairs")
    return [
        tuple((tokens(prompt), tokens(reply), reply) for reply in replies)
        for prompt, *replies in pairs[["prompt", *SIDES]].itertuples(index=False, name=None)
    ]


def compare(score: Score, pairs: list[tuple[Example, Example]]) -> np.ndarray:
    """Score of the chosen minus score of the rejected reply, [pairs]."""
    return np.array([score(chosen) - score(rejected) for chosen, rejected in pairs], dtype=float)


def rule(feature: Score, train, test) -> np.ndarray:
    """Compare by one feature, in the direction that is right more often on the tuning pairs.

    Where they do not tell, more of the feature is better.
    """
    direction = np.sign(np.sign(compare(feature, train)).sum())
    return (direction or 1.0) * compare(feature, test)


def _length(example: Example) -> float:
    return len(example[2])


def _shares_a_token(example: Example) -> bool:
    return not set(example[0]).isdisjoint(example[1])


def _shares_no_token(example: Example) -> float:
    return float(not _shares_a_token(example))


def _question_marks_differ(example: Example) -> float:
    return float((example[0][-1:] == ["?"]) != (example[1][-1:] == ["?"]))


def unigram(train) -> Score:
    """Mean log-frequency of the reply's tokens in chosen replies, add-one smoothed."""
    counts = Counter(token for chosen, _ in train for token in chosen[1])
    total = sum(counts.values()) + len(counts) + 1
    return lambda example: _mean(np.log((counts[token] + 1) / total) for token in example[1])


def bigram(train, prior: float = 10.0) -> Score:
    """Mean log-probability of the reply's tokens given the one before, in chosen replies.

    Backs off to the add-one unigram, which weighs as much as `prior` observations.
    """
    replies = [["", *chosen[1]] for chosen, _ in train]
    counts = Counter(token for reply in replies for token in reply[1:])
    total = sum(counts.values()) + len(counts) + 1
    after = Counter(pair for reply in replies for pair in pairwise(reply))
    before = Counter(token for reply in replies for token in reply[:-1])

    def score(example: Example) -> float:
        reply = ["", *example[1]]
        return _mean(
            np.log((after[first, second] + prior * (counts[second] + 1) / total) / (before[first] + prior))
            for first, second in pairwise(reply)
        )

    return score


def pmi(train, smoothing: float = 1.0) -> Score:
    """Mean pointwise mutual information of prompt words with reply words, from true exchanges.

    log (observed + smoothing) / (expected + smoothing) over how many exchanges hold both words, so that a pair of
    words too rare to tell counts as independent.
    """
    exchanges = [(set(chosen[0]), set(chosen[1])) for chosen, _ in train]
    prompts = Counter(word for prompt, _ in exchanges for word in prompt)
    replies = Counter(word for _, reply in exchanges for word in reply)
    both = Counter((word, other) for prompt, reply in exchanges for word in prompt for other in reply)

    def information(word: str, other: str) -> float:
        expected = prompts[word] * replies[other] / len(exchanges)
        return np.log((both[word, other] + smoothing) / (expected + smoothing))

    return lambda example: _mean(information(word, other) for word in set(example[0]) for other in set(example[1]))


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    # Exact, or the order of a set, another in every process, would decide pairs that are alike.
    return math.fsum(values) / len(values) if values else 0.0


def reply_words(example: Example) -> list[str]:
    """The different tokens of the reply."""
    return sorted(set(example[1]))


def _crosses(example: Example) -> list[str]:
    return [f"{word} {other}" for word in sorted(set(example[0])) for other in sorted(set(example[1]))]


def logistic(features: Callable[[Example], list[str]], train, test, seed: int) -> np.ndarray:
    """Decision value of a logistic regression on the difference of the two replies' (hashed) features, [pairs].

    Each tuning pair is seen both ways round and there is no intercept, so the order of a pair teaches nothing.
    """
    hasher = FeatureHasher(HASHED_FEATURES, input_type="string", alternate_sign=False)

    def difference(pairs) -> csr_matrix:
        chosen, rejected = (hasher.transform(features(pair[side]) for pair in pairs) for side in (0, 1))
        return chosen - rejected

    known = difference(train)
    labels = np.repeat([1, 0], known.shape[0])
    model = LogisticRegression(solver="liblinear", fit_intercept=False, random_state=seed)
    model.fit(vstack([known, -known]), labels)
    return model.decision_function(difference(test))
