"""Pair sets of the test part as suites: what is said of them, and what they are held against.

All of it follows from the settings of a set, none from its name.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from ..preferences.settings import GivenPairs, NaturalPairs

PAPER_PAIRS = {"fpadovani/dialogue_eval_words": "words", "fpadovani/dialogue_eval_tokens": "tokens"}
"""Data set of the Hub with the dialogue pairs of Padovani et al. (2025) -> what their replies are matched in."""


class Traits(NamedTuple):
    """What is known of how the pairs of a set were made; None where that is not known."""

    construction: str | None
    """two_sided or published, the paper's one-sided one."""
    match: str | None
    """The unit in which two replies have the same length: words or tokens."""
    of_the_paper: bool
    """Whether they are the paper's own pairs, all of them."""


def is_suite(pairs) -> bool:
    """Whether a row of `pairs` is a suite: pairs of children, or from elsewhere, that nothing is trained on."""
    return isinstance(pairs, NaturalPairs | GivenPairs) and pairs.part == "test"


def traits(pairs: NaturalPairs | GivenPairs) -> Traits:
    """How the pairs of a set were made."""
    if isinstance(pairs, NaturalPairs):
        return Traits(pairs.construction, pairs.match, False)
    if pairs.hub in PAPER_PAIRS and pairs.max_pairs is None:
        return Traits("published", PAPER_PAIRS[pairs.hub], True)
    return Traits(None, None, False)


def description(pairs: NaturalPairs | GivenPairs) -> str:
    """What the suite is, in a line."""
    construction, match, of_the_paper = traits(pairs)
    if of_the_paper:
        return f"The paper's dialogue minimal pairs, matched in {match}, one-sided in their filters"
    if match is None:
        return "Dialogue minimal pairs made elsewhere"
    filters = ", one-sided in their filters as the paper's" if construction == "published" else ""
    return f"Dialogue minimal pairs matched in {match}, true against random replies of held-out children{filters}"


def module(pairs: NaturalPairs | GivenPairs) -> str:
    """Full name of the module that scores the suite; the paper's construction has one of its own."""
    name = "paper_pairs" if traits(pairs).construction == "published" else "dialogue_pairs"
    return f"{__package__}.{name}"


def paper_suite(pairs: NaturalPairs | GivenPairs) -> tuple[str | None, bool]:
    """The suite of the paper's tables that a set is held against, if any, and whether its items are the same."""
    _, match, of_the_paper = traits(pairs)
    return (match and f"dialogue_{match}_published"), of_the_paper


def baseline_pairs(suite: NaturalPairs | GivenPairs, pairs: Mapping[str, object]) -> str | None:
    """The natural pairs of the tune part that shallow baselines of a suite learn from; None: there are none.

    Of the sets most like the suite, in construction first and then in what is matched, it is the largest, and of
    equally large ones the first by name.
    """
    construction, match, _ = traits(suite)
    candidates = {name: row for name, row in pairs.items() if isinstance(row, NaturalPairs) and row.part == "tune"}

    def preference(name: str) -> tuple:
        row = candidates[name]
        return row.construction != construction, row.match != match, -(row.max_pairs or math.inf), name

    return min(candidates, key=preference, default=None)
