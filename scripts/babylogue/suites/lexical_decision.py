"""Lexical decision on words of the training text against non-words made for them.

Non-words are made in the manner of Wuggy (Keuleers & Brysbaert 2010, Behavior Research Methods 42, 627-633), with
letters in place of syllable segments: a stretch of about a third of the word is replaced so that the length stays,
every letter trigram (word boundaries included) occurs in some word of the vocabulary, and the trigrams are about
as frequent as the word's own. A non-word is no word of the vocabulary; it may be an English word that the model
has never met, which for the model is the same.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain, islice
from pathlib import Path
from random import Random

import pandas as pd

from ..errors import UserError
from .base import Suite, items_frame
from .lexical_decision_published import evaluate

BANDS = ("low", "mid", "high")
LEXICAL = re.compile("[a-z]{3,10}")
BOUNDARY = "#"
MAX_CANDIDATES = 50  # non-words looked at for each word


class _Orthography:
    """Which letter trigrams the words have, and in how many of them."""

    def __init__(self, words: list[str]):
        self.counts = Counter(trigram for word in words for trigram in self._trigrams(word))
        letters = defaultdict(list)
        for trigram in sorted(self.counts):
            letters[trigram[:2]].append(trigram[2])
        self.next_letters = dict(letters)

    @staticmethod
    def _trigrams(word: str) -> list[str]:
        bounded = f"{BOUNDARY}{BOUNDARY}{word}{BOUNDARY}{BOUNDARY}"
        return [bounded[i : i + 3] for i in range(len(bounded) - 2)]

    def frequency(self, word: str) -> float:
        """Mean log count of the trigrams; -inf where one does not occur."""
        counts = [self.counts.get(trigram, 0) for trigram in self._trigrams(word)]
        return sum(map(math.log, counts)) / len(counts) if all(counts) else -math.inf

    def replacements(self, draw: Random, word: str, start: int, stop: int) -> Iterator[str]:
        """Strings of legal trigrams that differ from the word between two positions only, in random order."""
        bounded = f"{BOUNDARY}{BOUNDARY}{word}{BOUNDARY}{BOUNDARY}"
        tail = bounded[stop + 2 :]

        def extend(head: str) -> Iterator[str]:
            if len(head) == stop + 2:
                whole = (head + tail).strip(BOUNDARY)
                if math.isfinite(self.frequency(whole)):
                    yield whole
                return
            letters = [letter for letter in self.next_letters.get(head[-2:], ()) if letter != BOUNDARY]
            for letter in draw.sample(letters, len(letters)):
                yield from extend(head + letter)

        yield from extend(bounded[: start + 2])

    def nonword(self, draw: Random, word: str, taken: set[str]) -> str | None:
        """The candidate nearest to the word in trigram frequency, of the shortest stretch that has any."""
        aim = self.frequency(word)
        for width in range(math.ceil(len(word) / 3), len(word) + 1):
            starts = draw.sample(range(len(word) - width + 1), len(word) - width + 1)
            legal = chain.from_iterable(self.replacements(draw, word, start, start + width) for start in starts)
            found = list(islice((candidate for candidate in legal if candidate not in taken), MAX_CANDIDATES))
            if found:
                return min(found, key=lambda candidate: abs(self.frequency(candidate) - aim))
        return None


def items(words: Mapping[str, int], *, pairs: int, seed: int) -> pd.DataFrame:
    """Words paired with non-words, in the schema of items: candidates are [word, non-word], group is the band.

    Args:
        words: word -> how often it occurs in the training text. Lower-case alphabetic words of 3 to 10 letters
            are used; all words count as no non-word.
        pairs: pairs in all, shared evenly among the bands low, mid and high: thirds of the words by frequency.
        seed: seed of the words drawn and of their non-words.

    Raises:
        UserError: there are too few words for so many pairs.
    """
    eligible = [word for word in words if LEXICAL.fullmatch(word)]
    ranked = sorted(eligible, key=lambda word: (words[word], word))
    draw = Random(seed)
    orthography = _Orthography(ranked)
    taken = {word.casefold() for word in words}
    rows = []
    for number, band in enumerate(BANDS):
        own = ranked[number * len(ranked) // len(BANDS) : (number + 1) * len(ranked) // len(BANDS)]
        wanted = pairs // len(BANDS) + (number < pairs % len(BANDS))
        found = 0
        for word in draw.sample(own, len(own)):
            if found == wanted:
                break
            nonword = orthography.nonword(draw, word, taken)
            if nonword is not None:
                taken.add(nonword)
                rows.append((f"{band}_{found}", band, ["", ""], [word, nonword]))
                found += 1
        if found < wanted:
            raise UserError(
                f"lexical_decision: {pairs} pairs asked for, but the {band}-frequency band has words for "
                f"{found} of {wanted}; ask for fewer pairs or give more text"
            )
    return items_frame(rows)


def read(inputs: dict[str, list[Path]], *, pairs: int, seed: int) -> pd.DataFrame:
    """Items from the words of a table of triplets."""
    (path,) = inputs["triplets"]
    turns = pd.read_parquet(path, columns=["turns"])["turns"].explode().dropna()
    return items(Counter(word for turn in turns for word in turn.split()), pairs=pairs, seed=seed)


SUITES = {
    "lexical_decision": Suite(
        "lexical_decision",
        "Lexical decision: words of the training text against non-words made for them",
        read,
        needs=("triplets",),
        evaluator=partial(evaluate, correction="word_corrected"),
    )
}
