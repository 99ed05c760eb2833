"""Syntactic preference pairs: an adult's sentence as the corpus has it (chosen) against itself with one violation.

They are the supervision of form that synthetic pairs lack: agreement of a pronoun and its verb, the order of a
determiner or preposition and what it governs, and the case of a pronoun. The violations are those that closed
lists of words can make without a parser, so that hardly any comes out well-formed; one that is among the sentences
itself is left out.

pairs parquet: as of natural pairs, and violation (agreement | order | case).
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa

from ..dialogue import CHILD, TAG, count_words, speaker_tag, write_turn
from ..transcripts.exchanges import NO_CAREGIVER_ROLES
from .exchanges import find_exchanges
from .filters import Filters
from .settings import VIOLATIONS, SyntaxPairs
from .tuning import reserved_for_rollouts, validation_families
from .tuning_settings import TuningSettings

# Third person singular -> the other form.
AUXILIARIES = {
    "is": "are", "was": "were", "has": "have", "does": "do",
    "isn't": "aren't", "wasn't": "weren't", "hasn't": "haven't", "doesn't": "don't",
}  # fmt: skip
VERBS = AUXILIARIES | {
    "comes": "come", "eats": "eat", "gets": "get", "goes": "go", "keeps": "keep", "knows": "know", "likes": "like",
    "lives": "live", "looks": "look", "loves": "love", "makes": "make", "means": "mean", "needs": "need",
    "says": "say", "sees": "see", "sits": "sit", "sleeps": "sleep", "takes": "take", "thinks": "think",
    "wants": "want", "wears": "wear", "works": "work",
}  # fmt: skip
MODALS = ("can", "can't", "could", "did", "didn't", "might", "should", "will", "won't", "would")
SINGULAR, PLURAL = ("he", "she", "it"), ("you", "we", "they")
QUESTION_WORDS = ("what", "where", "who", "why", "how", "when")
ACCUSATIVE = {"I": "me", "he": "him", "she": "her", "we": "us", "they": "them"}
NOMINATIVE = {"me": "I", "him": "he", "us": "we", "them": "they"}
PREPOSITIONS = ("at", "behind", "beside", "for", "from", "in", "into", "of", "on", "to", "under", "with")
GOVERNS_CASE = (*PREPOSITIONS, "give", "help", "show", "tell")
DETERMINERS = ("a", "an", "my", "our", "the", "their", "your")

_BARE = {bare: singular for singular, bare in VERBS.items()}
_FINITE = {*VERBS, *_BARE, *MODALS, "am"}


def _agreement(words: list[str]) -> Iterator[list[str]]:
    for place, (first, second) in enumerate(pairwise(words)):
        if other := _disagreeing(first, second):
            yield [*words[: place + 1], other, *words[place + 2 :]]
        # An auxiliary before its subject, where nothing else can be meant.
        inverted = place == 0 or words[place - 1] in QUESTION_WORDS
        auxiliary = first in AUXILIARIES or first in AUXILIARIES.values() or first == "am"
        if inverted and auxiliary and (other := _disagreeing(second, first)):
            yield [*words[:place], other, *words[place + 1 :]]


def _disagreeing(subject: str, verb: str) -> str | None:
    """The form of the verb that a pronoun does not take, if the one that is there agrees with it."""
    if subject in SINGULAR:
        # "It were" is how some speak.
        return None if (subject, verb) == ("it", "was") else VERBS.get(verb)
    if subject in PLURAL:
        return _BARE.get(verb)
    if subject == "I":
        # "I were" is a subjunctive, "I was" a past.
        return "is" if verb == "am" else None if verb in ("are", "were") else _BARE.get(verb)
    return None


def _order(words: list[str]) -> Iterator[list[str]]:
    for place, (first, second) in enumerate(pairwise(words)):
        governed = second.isalpha() and second not in DETERMINERS
        if (first in DETERMINERS and governed) or (first in PREPOSITIONS and second in DETERMINERS):
            yield [*words[:place], second, first, *words[place + 2 :]]


def _case(words: list[str]) -> Iterator[list[str]]:
    for place, (first, second, after) in enumerate(zip(words, words[1:], [*words[2:], ""], strict=False)):
        coordinated = place and words[place - 1] == "and"  # you and me can: colloquial
        if first in ACCUSATIVE and second in _FINITE and not coordinated:
            yield [*words[:place], ACCUSATIVE[first], *words[place + 1 :]]
        if first in GOVERNS_CASE and second in NOMINATIVE and after not in _FINITE:
            yield [*words[: place + 1], NOMINATIVE[second], *words[place + 2 :]]


_MAKERS: dict[str, Callable[[list[str]], Iterator[list[str]]]] = dict(
    zip(VIOLATIONS, (_agreement, _order, _case), strict=True)
)


def violations(turn: str, kind: str) -> list[str]:
    """Every version of a turn with one violation of a kind (of VIOLATIONS), in the order of its words."""
    words = turn.split()
    if kind == "agreement" and {"if", "wish"} & set(words):
        return []  # if he were ...
    return [" ".join(changed) for changed in _MAKERS[kind](words)]


def adult_sentences(triplets: pd.DataFrame, min_words: int) -> pd.DataFrame:
    """Turns of adults, each once, and the turn before as the prompt.

    Columns: transcript, corpus, child, age_months, prompt, speaker, turn.
    """
    tables = []
    for place in (1, 2):
        speaker, turn = triplets["speakers"].str[place], triplets["turns"].str[place]
        adult = (speaker != CHILD) & ~triplets["roles"].str[place].isin(NO_CAREGIVER_ROLES)
        before = zip(triplets["speakers"].str[place - 1], triplets["turns"].str[place - 1], strict=True)
        table = triplets[["transcript", "corpus", "child", "age_months"]].assign(
            prompt=[write_turn(*pair) for pair in before], speaker=speaker, turn=turn
        )
        tables.append(table[adult & (turn.map(count_words) >= min_words)])
    sentences = pd.concat(tables).sort_index(kind="stable")
    return sentences[~sentences["turn"].str.casefold().duplicated()].reset_index(drop=True)


def syntax_pairs(
    triplets: pa.Table, families: pd.Series, part: str, settings: SyntaxPairs, tuning: TuningSettings
) -> tuple[pd.DataFrame, Filters]:
    """Build the set, every sentence once and every violation as often as there are sentences for it.

    Args:
        triplets: of the part of the corpus that the base set is of.
        families: transcript -> family of its child.
        part: that part, tune or test; all of test is held out.
        tuning: how the tune part is divided.
    """
    sentences = adult_sentences(triplets.to_pandas(), settings.min_words)
    filters = Filters("sentences of adults", len(sentences))
    attested = set(sentences["turn"].str.casefold())
    if part == "tune":
        sentences = filters.keep(
            sentences, ~_prompts_rollouts(sentences["prompt"], tuning), "reserved_for_rollouts"
        )
    sentences = sentences.sample(frac=1, random_state=settings.seed)
    generator = np.random.default_rng(settings.seed)
    kinds = len(settings.violations)
    wanted = {
        kind: settings.max_pairs * (number + 1) // kinds - settings.max_pairs * number // kinds
        for number, kind in enumerate(settings.violations)
    }
    looked_at, rows = 0, []
    for index, turn in sentences["turn"].items():
        if not any(wanted.values()):
            break
        looked_at += 1
        found = {kind: made for kind in wanted if wanted[kind] and (made := _unattested(turn, kind, attested))}
        if found:
            # The kind that most is missing of, so that a rare one gets what it can.
            kind = max(found, key=lambda own: wanted[own])
            wanted[kind] -= 1
            rows.append((index, kind, found[kind][generator.integers(len(found[kind]))]))
    filters.removed |= {"no_violation": looked_at - len(rows), "not_needed": len(sentences) - looked_at}
    chosen = sentences.loc[[index for index, *_ in rows]]
    speakers = chosen["speaker"].tolist()
    pairs = pd.DataFrame(
        {
            "prompt": chosen["prompt"].to_numpy(),
            "chosen": [write_turn(*pair) for pair in zip(speakers, chosen["turn"], strict=True)],
            "rejected": [write_turn(*pair) for pair in zip(speakers, (made for *_, made in rows), strict=True)],
            "violation": [kind for _, kind, _ in rows],
            "family": families.loc[chosen["transcript"]].to_numpy(),
        }
    )
    for name in ("corpus", "child", "transcript", "age_months"):
        pairs[name] = chosen[name].to_numpy()
    heldout = np.ones(len(pairs), dtype=bool)
    if part == "tune":
        heldout = pairs["family"].isin(validation_families(find_exchanges(triplets), families, tuning))
    return pairs.assign(part=np.where(heldout, "heldout", "train")), filters


def _prompts_rollouts(prompts: pd.Series, tuning: TuningSettings) -> np.ndarray:
    """bool [prompts]: whether a written turn is an adult's and reserved for rollouts."""
    adults = ~prompts.str.startswith(speaker_tag(CHILD)).to_numpy(dtype=bool)
    return adults & reserved_for_rollouts(prompts.str.replace(TAG, "", regex=True).str.strip(), tuning)


def _unattested(turn: str, kind: str, attested: set[str]) -> list[str]:
    return [changed for changed in violations(turn, kind) if changed.casefold() not in attested]
