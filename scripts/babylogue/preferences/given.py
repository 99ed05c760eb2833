"""Pairs made elsewhere, such as the ones that Padovani et al. (2025) published.

pairs parquet: prompt, chosen, rejected (str, with tags), part (train | heldout). Nothing is known of the children,
who may be those of the test part: of pairs to train on, those are left out that the test part has.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow.parquet import read_schema

from ..dialogue import TAG, count_words
from ..errors import UserError
from ..logs import logger
from ..network.datasets import load_table
from ..user_files import check_header, read_records
from .filters import Filters
from .heldout import heldout_part
from .settings import GivenPairs

COLUMNS = ("prompt", "chosen", "rejected")
SEEN_WORDS = 4
"""Fewest lexical words of a turn that is taken to be the same one where it stands again."""
_FORMATS = (".json", ".jsonl", ".csv", ".parquet")


def given_pairs(settings: GivenPairs, test: pd.DataFrame | None = None) -> tuple[pd.DataFrame, Filters]:
    """Read the set and hold out whole prompts, so that no prompt is both trained on and judged by.

    Pairs with equal replies are left out: they prefer nothing.

    Args:
        test: exchanges (turn, reply) of the test part. A pair goes if prompt and chosen reply are one of them, or
            if its prompt or a reply, of SEEN_WORDS words or more, is a turn of theirs: shorter ones (`what's that
            ?`) are everybody's.

    Raises:
        UserError: the set cannot be had, or a pair lacks a text or a speaker tag.
    """
    name = settings.path or settings.hub
    table = _load(settings, name)
    for column in COLUMNS:
        if column not in table:
            raise UserError(f"{name}: no field {column!r}; a set of pairs has prompt, chosen and rejected")
        untagged = ~table[column].map(lambda text: isinstance(text, str) and bool(TAG.match(text)))
        if untagged.any():
            raise UserError(
                f"{name}, pair {int(untagged.to_numpy().argmax()) + 1}: field {column!r} must be a turn with its "
                "speaker tag, such as `*CHI: all gone .`"
            )
    filters = Filters("pairs made elsewhere", len(table))
    table = filters.keep(table, table["chosen"].str.strip() != table["rejected"].str.strip(), "equal_replies")
    if filters.removed["equal_replies"]:
        logger.warning("%s: %d pairs left out, whose replies are equal", name, filters.removed["equal_replies"])
    if test is not None:
        table = filters.keep(table, ~_of_test(table, test), "in_the_test_part")
    if settings.max_pairs:
        order = np.random.default_rng(settings.seed).permutation(len(table))
        table = filters.keep(table, order < settings.max_pairs, "beyond_max_pairs").reset_index(drop=True)
    pairs = table[list(COLUMNS)]
    return pairs.assign(part=heldout_part(table["prompt"].str.casefold(), settings)), filters


def _of_test(table: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """bool [pairs]: whether the test part has the pair's exchange or one of its longer turns."""
    bare = {name: table[name].str.replace(TAG, "", regex=True).str.strip().str.casefold() for name in COLUMNS}
    turn, reply = test["turn"].str.casefold(), test["reply"].str.casefold()
    exchanges = set(zip(turn, reply, strict=True))
    found = np.array([pair in exchanges for pair in zip(bare["prompt"], bare["chosen"], strict=True)], dtype=bool)
    turns = {own for own in {*turn, *reply} if count_words(own) >= SEEN_WORDS}
    for name in COLUMNS:
        found |= bare[name].isin(turns).to_numpy()
    return found


def _load(settings: GivenPairs, name: str) -> pd.DataFrame:
    if settings.hub:
        return load_table(name, "a set of pairs", settings.hub, revision=settings.revision, split=settings.split)
    path = Path(settings.path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.suffix.lower() not in _FORMATS:
        raise UserError(f"{path}: expected a file ending in {', '.join(_FORMATS)}")
    if path.suffix.lower() != ".parquet":
        return pd.DataFrame.from_records(read_records(path))
    try:
        check_header(read_schema(path).names, name)
        return pd.read_parquet(path).reset_index(drop=True)
    except (OSError, ValueError) as error:  # pyarrow's own among them
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{name}: cannot be read as a set of pairs: {reason}") from error
