"""A small suite of grammatical minimal pairs of our own over the vocabulary of the toy transcripts.

Eight paradigms after those of BLiMP and Zorro (Warstadt et al. 2020; Huebner et al. 2021), 100 pairs each, in the
form of the toy corpora: lower case, spaced terminator, no speaker tag. In paradigms of agreement and number half
of the pairs have the singular right, half the plural, so that preferring one of two words does not help.
"""

from collections.abc import Callable, Iterable
from itertools import zip_longest
from random import Random

import pandas as pd

from ..transcripts.toy.exchanges import activity_phrase, subject
from ..transcripts.toy.lexicon import FEMALE, MALE, WORLD, Thing, article, plural, verb_forms
from ..transcripts.toy.scenes import SCENE_ACTIVITIES, Activity
from .base import Suite, items_frame

PAIRS_PER_PARADIGM = 100
SEED = 0

Pair = tuple[str, str]
THINGS = tuple(thing for thing in WORLD if thing.countable and plural(thing.noun) != thing.noun)
ANIMALS = tuple(thing for thing in THINGS if thing.animal)
DOINGS = tuple(act for own in SCENE_ACTIVITIES.values() for act in own if act.who in FEMALE + MALE)


def _there(thing: Thing) -> str:
    return f"{thing.preposition} the {thing.place}"


def _pronoun(act: Activity, feminine: str, masculine: str) -> str:
    return feminine if act.who in FEMALE else masculine


def subject_verb_agreement() -> list[list[Pair]]:
    """the cups are shiny / the cups is shiny."""
    copula = [(f"the {t.noun}", f"the {plural(t.noun)}", t.like) for t in THINGS]
    eats = [(f"the {t.noun}", f"the {plural(t.noun)}", t.food) for t in ANIMALS]
    return [
        [(f"{one} is {like} .", f"{one} are {like} .") for one, _, like in copula],
        [(f"{many} are {like} .", f"{many} is {like} .") for _, many, like in copula],
        [(f"{one} eats {food} .", f"{one} eat {food} .") for one, _, food in eats],
        [(f"{many} eat {food} .", f"{many} eats {food} .") for _, many, food in eats],
    ]


def determiner_noun_agreement() -> list[list[Pair]]:
    """these cups are shiny / this cups are shiny; the verb agrees with the noun in both."""
    return [
        [(f"this {t.noun} is {t.like} .", f"these {t.noun} is {t.like} .") for t in THINGS],
        [(f"these {plural(t.noun)} are {t.like} .", f"this {plural(t.noun)} are {t.like} .") for t in THINGS],
        [(f"where is that {t.noun} ?", f"where is those {t.noun} ?") for t in THINGS],
        [(f"where are those {plural(t.noun)} ?", f"where are that {plural(t.noun)} ?") for t in THINGS],
    ]


def auxiliary_inversion() -> list[list[Pair]]:
    """where is the cup ? / where the cup is ?"""
    return [
        [(f"where is the {t.noun} ?", f"where the {t.noun} is ?") for t in THINGS],
        [(f"what colour are the {plural(t.noun)} ?", f"what colour the {plural(t.noun)} are ?") for t in THINGS],
        [(f"where has the {t.noun} gone ?", f"where the {t.noun} has gone ?") for t in THINGS],
        [
            (f"why is {who} {activity_phrase(act, 1)} ?", f"why {who} is {activity_phrase(act, 1)} ?")
            for act in DOINGS
            for who in [subject(act.who)]
        ],
    ]


def pronoun_case() -> list[list[Pair]]:
    """he lost his cup / him lost his cup; did he cook dinner / did him cook dinner; told them / told they."""
    return [
        [(f"he lost his {t.noun} .", f"him lost his {t.noun} .") for t in THINGS],
        [(f"he gave him the {t.noun} .", f"he gave he the {t.noun} .") for t in THINGS],
        [(f"did he {a.verb} {a.rest} ?", f"did him {a.verb} {a.rest} ?") for a in DOINGS],
        [
            (f"{he} told them to {a.verb} {a.rest} .", f"{he} told they to {a.verb} {a.rest} .")
            for a in DOINGS
            for he in [_pronoun(a, "she", "he")]
        ],
    ]


def word_order() -> list[list[Pair]]:
    """the red cup fell down / the cup red fell down."""
    return [
        [(f"the {t.colour} {t.noun} fell down .", f"the {t.noun} {t.colour} fell down .") for t in THINGS],
        [(f"we have {t.number} {plural(t.noun)} .", f"we have {plural(t.noun)} {t.number} .") for t in THINGS],
        [(f"the {t.noun} is {_there(t)} .", f"the {t.noun} is the {t.preposition} {t.place} .") for t in THINGS],
        [(f"{w} is {v} {a.rest} .", f"{w} is {a.rest} {v} .") for a in DOINGS for w, v in [_who_doing(a)]],
    ]


def _who_doing(act: Activity) -> tuple[str, str]:
    return subject(act.who), verb_forms(act.verb)[1]


def irregular_past() -> list[list[Pair]]:
    """daddy ate noodles yesterday / daddy eaten noodles yesterday; has eaten / has ate."""
    forms = [(subject(a.who), *verb_forms(a.verb)[2:], a.rest) for a in DOINGS]
    forms = [form for form in forms if form[1] != form[2]]
    return [
        [
            (f"{who} {past} {rest} yesterday .", f"{who} {done} {rest} yesterday .")
            for who, past, done, rest in forms
        ],
        [(f"has {who} {done} {rest} ?", f"has {who} {past} {rest} ?") for who, past, done, rest in forms],
        [(f"have they {done} {rest} ?", f"have they {past} {rest} ?") for _, past, done, rest in forms],
        [
            (f"we {past} {rest} by ourselves .", f"we {done} {rest} by ourselves .")
            for _, past, done, rest in forms
        ],
        [
            (f"{he} has {done} {rest} .", f"{he} has {past} {rest} .")
            for he in ("he", "she")
            for _, past, done, rest in forms
        ],
    ]


def anaphor_agreement() -> list[list[Pair]]:
    """daddy hurt himself / daddy hurt herself."""
    acts = [(a, _pronoun(a, "she", "he"), *_reflexives(a)) for a in DOINGS]
    people = {a.who: (subject(a.who), own, other) for a, _, own, other in acts}.values()
    return [
        [(f"{who} hurt {own} .", f"{who} hurt {other} .") for who, own, other in people],
        [(f"{who} saw {own} in the mirror .", f"{who} saw {other} in the mirror .") for who, own, other in people],
        [
            (f"{he} has {activity_phrase(a, 3)} by {own} .", f"{he} has {activity_phrase(a, 3)} by {other} .")
            for a, he, own, other in acts
        ],
        [
            (f"we {activity_phrase(a, 2)} by ourselves .", f"we {activity_phrase(a, 2)} by {own} .")
            for a, _, own, _ in acts
        ],
    ]


def _reflexives(act: Activity) -> Pair:
    return ("herself", "himself") if act.who in FEMALE else ("himself", "herself")


def quantifier_number() -> list[list[Pair]]:
    """we have three cups / we have three cup; he gave me a cup / he gave me a cups."""
    return [
        [
            (f"he gave me {article(t.noun)} {t.noun} .", f"he gave me {article(t.noun)} {plural(t.noun)} .")
            for t in THINGS
        ],
        [(f"we have {t.number} {plural(t.noun)} .", f"we have {t.number} {t.noun} .") for t in THINGS],
        [
            (
                f"did somebody lose {article(t.noun)} {t.noun} ?",
                f"did somebody lose {article(t.noun)} {plural(t.noun)} ?",
            )
            for t in THINGS
        ],
        [(f"how many {plural(t.noun)} are there ?", f"how many {t.noun} are there ?") for t in THINGS],
    ]


PARADIGMS: tuple[Callable[[], list[list[Pair]]], ...] = (
    subject_verb_agreement,
    determiner_noun_agreement,
    auxiliary_inversion,
    pronoun_case,
    word_order,
    irregular_past,
    anaphor_agreement,
    quantifier_number,
)


def _draw(draw: Random, templates: Iterable[list[Pair]]) -> list[Pair]:
    """Pairs of a paradigm, in turn from each of its templates as long as that has any, without duplicates."""
    pools = [draw.sample(pairs, len(pairs)) for pairs in templates]
    in_turn = (pair for row in zip_longest(*pools) for pair in row if pair is not None)
    return list(dict.fromkeys(in_turn))[:PAIRS_PER_PARADIGM]


def items() -> pd.DataFrame:
    """The pairs in the schema of items: group is the paradigm, candidates are [good, bad]."""
    draw = Random(SEED)
    return items_frame(
        (f"{paradigm.__name__}_{i}", paradigm.__name__, ["", ""], [good, bad])
        for paradigm in PARADIGMS
        for i, (good, bad) in enumerate(_draw(draw, paradigm()))
    )


SUITES = {
    "toy_grammar": Suite(
        "toy_grammar",
        "Grammatical minimal pairs over the vocabulary of the toy transcripts",
        lambda inputs: items(),
    )
}
