"""Suite names and the modules that define them; a module is imported only when its suite is asked for."""

import importlib
from dataclasses import dataclass

from ..errors import UserError

GLUE_TASKS = ("boolq", "multirc", "rte", "wsc", "mrpc", "qqp", "mnli")
DIALOGUE = ("dialogue_words", "dialogue_tokens", "dialogue_words_published", "dialogue_tokens_published")
"""Suites of the set of pairs of their name."""

MODULES = {
    "blimp": "blimp",
    "blimp_fast": "blimp",
    "blimp_supplement": "blimp_supplement",
    "blimp_supplement_fast": "blimp_supplement",
    "ewok": "ewok",
    "ewok_fast": "ewok",
    "comps": "comps",
    "entity_tracking": "entity_tracking",
    "entity_tracking_fast": "entity_tracking",
    "wug_adj": "wug",
    "wug_past": "wug",
    "reading": "reading",
    "aoa": "aoa",
    "aoa_surprisal": "aoa",
    "glue": "glue",
    **{f"glue_{task}": "glue" for task in GLUE_TASKS},
    "zorro": "zorro",
    "zorro_fast": "zorro",
    "toy_grammar": "toy_grammar",
    "lexical_decision": "lexical_decision",
    "lexical_decision_published": "lexical_decision_published",
    "dialogue_words": "dialogue_pairs",
    "dialogue_tokens": "dialogue_pairs",
    "dialogue_words_published": "paper_pairs",
    "dialogue_tokens_published": "paper_pairs",
}
NAMES = tuple(MODULES)


@dataclass(frozen=True)
class Combination:
    """A suite that is made of the item scores of other suites, `parts`.

    `whole_run`: at all checkpoints by words of a run, and reported at `final`; else at the one checkpoint.
    """

    parts: tuple[str, ...]
    whole_run: bool = False


COMBINATIONS = {
    "aoa": Combination(("aoa_surprisal",), whole_run=True),
    "glue": Combination(tuple(f"glue_{task}" for task in GLUE_TASKS)),
}


def parts(name: str) -> tuple[str, ...]:
    """The suites that a suite is made of; none for most."""
    return COMBINATIONS[name].parts if name in COMBINATIONS else ()


def module(name: str) -> str:
    """The full name of the module that defines a suite. Raises UserError for an unknown suite."""
    if name not in MODULES:
        raise UserError(f"suite {name!r} is unknown; the suites are {', '.join(NAMES)}")
    return f"{__package__}.{MODULES[name]}"


def load(name: str):
    """The `Suite` of that name. Raises UserError for an unknown one."""
    return importlib.import_module(module(name)).SUITES[name]
