"""Items one by one: which models are right on them and by how much, as a table and for the page's explorer.

items.parquet: suite, group, item, context, candidates, answer (index of the right one), and correct_{run} and
margin_{run} of each model: the log-probability of the right candidate minus that of the best other one, nats.
`context` is empty where candidates differ in it: they then are whole strings. Every item of every suite that has
right answers and may be copied in plain text; one seed, each model at the checkpoint that is reported.

The page has as many of them as fit into PAGE_BYTES (see `shown_first`), and for each suite on how many of *all*
items any two models are both right, which gives the four cells of every two models.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from jinja2.utils import htmlsafe_json_dumps

from ..errors import UserError

PAGE_BYTES = 2_000_000
"""Room for all items of the page, shared by the suites. Of 21 models an item of BLiMP takes 240 bytes (its text
105, its name and group 10, a decision and a margin of each model 6 times 21): the page has 420 of each of 20 such
suites, or all 3,987 of the two of dialogue. Counts, 21 x 21 a suite, take another 0.05 MB."""
SEED = 0
"""Of the draw of items that are shown first."""
COMPACT = {"ensure_ascii": False, "allow_nan": False, "sort_keys": False, "separators": (",", ":")}
"""How JSON of the page is written."""


def read_scores(suite: str, run: str, file: str, *, plain_text: bool) -> pd.DataFrame:
    """A run's item scores as `decisions_of` takes them: item, correct and, for items in plain text, scores.

    Raises UserError where the suite's evaluator gives no such column.
    """
    columns = ["item", "correct", *(["scores"] if plain_text else [])]
    missing = [name for name in columns if name not in parquet.read_schema(file).names]
    if missing:
        raise UserError(
            f"{suite}: the item scores of {run} have no {' and no '.join(map(repr, missing))}; a suite without "
            "right and wrong answers says has_answers=False"
        )
    return pd.read_parquet(file, columns=columns)


@dataclass(frozen=True)
class Decisions:
    """The models on the items of a suite.

    `correct` is [runs, items], bool, `margins` [runs, items] in nats. `items` has group, item, context, candidates
    and answer; None, and so `margins`, where no copies in plain text are allowed.
    """

    suite: str
    runs: list[str]
    correct: np.ndarray
    items: pd.DataFrame | None = None
    margins: np.ndarray | None = None


def decisions_of(suite: str, scores: Mapping[str, pd.DataFrame], items: pd.DataFrame | None) -> Decisions:
    """From each run's item scores, as `read_scores` gives them, and the items, None where these may not be copied.

    Raises UserError where models were scored on other items.
    """
    names = (next(iter(scores.values())) if items is None else items)["item"].tolist()
    for run, own in scores.items():
        if own["item"].tolist() != names:
            raise UserError(f"{suite}: {run} was scored on other items; delete the scores that are out of date")
    correct = np.array([own["correct"].to_numpy(dtype=bool) for own in scores.values()])
    if items is None:
        return Decisions(suite, list(scores), correct)
    answers = items["answer"].to_numpy()
    margins = np.array([_margins(own["scores"], answers) for own in scores.values()])
    return Decisions(suite, list(scores), correct, _as_texts(items), margins)


def _margins(scores: pd.Series, answers: np.ndarray) -> np.ndarray:
    """Right minus best other score of each item, from the items' lists of scores."""
    flat = np.concatenate(scores.tolist())
    starts = np.cumsum([0, *map(len, scores)])[:-1]
    right = flat[starts + answers]
    flat[starts + answers] = -np.inf
    with np.errstate(invalid="ignore"):
        return right - np.maximum.reduceat(flat, starts)


def _as_texts(items: pd.DataFrame) -> pd.DataFrame:
    """The items with one context each: none where candidates differ in it, which then are whole strings."""
    contexts, candidates = [], []
    for fronts, ends in zip(items["contexts"], items["candidates"], strict=True):
        alike = len(set(fronts)) == 1
        contexts.append(fronts[0] if alike else "")
        candidates.append(list(ends) if alike else [a + b for a, b in zip(fronts, ends, strict=True)])
    return items[["group", "item", "answer"]].assign(context=contexts, candidates=candidates)


def write_items(file: str, runs: Sequence[str], decisions: Iterable[Decisions]) -> int:
    """Write items.parquet, suite after suite, nulls for a model that was not scored on one; -> how many items."""
    texts = {name: pa.string() for name in ("suite", "group", "item", "context")}
    texts |= {"candidates": pa.list_(pa.string()), "answer": pa.int8()}
    numbers = [{f"correct_{run}": pa.bool_(), f"margin_{run}": pa.float32()} for run in runs]
    schema, count = pa.schema([pair for own in (texts, *numbers) for pair in own.items()]), 0
    with parquet.ParquetWriter(file, schema) as writer:
        for own in decisions:
            if own.items is None:
                continue
            columns = {name: own.items[name].tolist() for name in texts if name != "suite"}
            columns["suite"] = [own.suite] * len(own.items)
            for run, correct, margins in zip(own.runs, own.correct, own.margins, strict=True):
                columns |= {f"correct_{run}": correct, f"margin_{run}": margins.astype(np.float32)}
            missing = [None] * len(own.items)
            arrays = [pa.array(columns.get(field.name, missing), field.type) for field in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(own.items)
    return count


def shown_first(correct: np.ndarray) -> np.ndarray:
    """The order in which items are taken onto the page, from decisions [runs, items].

    For every two models in turn, a drawn item on which the first is right and the second wrong, then the next one
    of each, so that models that seldom part are not crowded out; at the end, drawn too, what all agree on.
    """
    drawn = np.random.default_rng(SEED).permutation(correct.shape[1])
    turn = np.full(len(drawn), len(drawn))
    for right, wrong in permutations(correct[:, drawn], 2):
        apart = np.flatnonzero(right & ~wrong)
        turn[apart] = np.minimum(turn[apart], np.arange(len(apart)))
    return drawn[np.argsort(turn, kind="stable")]


def suite_data(own: Decisions) -> dict[str, Any]:
    """A suite of the page's data, with as many rows as would fit if there were no other: see `page_data`.

    `rows` are (place in the suite, bytes on the page, row), those that are shown first in front.
    """
    decisions = own.correct.astype(int)
    return {
        "suite": own.suite,
        "runs": own.runs,
        "items": own.correct.shape[1],
        "plain_text": own.items is not None,
        "groups": [] if own.items is None else list(dict.fromkeys(own.items["group"])),
        "both_right": (decisions @ decisions.T).tolist(),
        "rows": [] if own.items is None else list(_within(PAGE_BYTES, _rows(own))),
    }


def page_data(suites: Sequence[dict[str, Any]], seed: int) -> dict[str, Any]:
    """The page's data, from each suite's with PAGE_BYTES shared: what one leaves goes to those that need more.

    `seed`, of the models, and `suites`: suite, runs, items (how many there are), plain_text (whether rows may be
    shown), groups (their names), both_right ([runs, runs], on how many of all items both are right) and rows in
    the order of the suite. A row is [name, or its number where that is {group}_{number}, index of the group,
    context, candidates, answer, decisions as a string of 0 and 1 in the order of the runs, their margins in
    hundredths of a nat, None where one is undefined].
    """
    needs = [sum(size for _, size, _ in own["rows"]) for own in suites]
    left, found = PAGE_BYTES, {}
    for rank, index in enumerate(sorted(range(len(suites)), key=needs.__getitem__)):
        rows, room = [], left // (len(suites) - rank)
        for place, size, row in suites[index]["rows"]:
            if size > room:
                break
            rows.append((place, row))
            room, left = room - size, left - size
        found[index] = suites[index] | {"rows": [row for _, row in sorted(rows)]}
    return {"seed": seed, "suites": [found[index] for index in range(len(suites))]}


def _rows(own: Decisions) -> Iterator[tuple[int, list]]:
    """(place in the suite, row), those that are shown first in front."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(own.items["group"]))}
    columns = [own.items[name].tolist() for name in ("item", "group", "context", "candidates", "answer")]
    for place in shown_first(own.correct).tolist():
        item, group, context, candidates, answer = (column[place] for column in columns)
        decisions = "".join("01"[int(right)] for right in own.correct[:, place])
        margins = [
            round(100 * margin) if np.isfinite(margin) else None for margin in own.margins[:, place].tolist()
        ]
        yield place, [_short(item, group), numbers[group], context, candidates, answer, decisions, margins]


def _short(item: str, group: str) -> str | int:
    ending = item.removeprefix(f"{group}_")
    number = int(ending) if ending.isdecimal() else None
    return number if item == f"{group}_{number}" else item


def _within(room: int, rows: Iterable[tuple[int, list]]) -> Iterator[tuple[int, int, list]]:
    """(place, bytes on the page, row) of the rows in front that fit."""
    for place, row in rows:
        size = len(htmlsafe_json_dumps(row, **COMPACT).encode()) + 1
        if (room := room - size) < 0:
            return
        yield place, size, row


@dataclass(frozen=True)
class Cells:
    """Two models on all items of a suite."""

    suite: str
    run: str
    against: str
    both: int
    run_alone: int
    against_alone: int
    neither: int

    @property
    def items(self) -> int:
        return self.both + self.run_alone + self.against_alone + self.neither


@dataclass(frozen=True)
class ItemsSection:
    """What the section of items shows."""

    data: dict[str, Any]
    """That of `page_data` with `models`, run -> what it is called, and `start`, the two that are shown first."""
    contrasts: list[Cells]
    """Of each suite, every tuned model against its parent at the checkpoint that it was tuned from."""


def items_section(data: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> ItemsSection | None:
    """From the data of `page_data` and the rows of the table of models; None where there is no item."""
    if not data or not data["suites"]:
        return None
    # Counts are of the checkpoints that are shown: of another one of the parent they would say nothing.
    at = {model["run"]: model["checkpoint"] for model in models}
    tuned = [
        (model["run"], model["parent"])
        for model in models
        if "parent" in model and at.get(model["parent"]) == model.get("parent_checkpoint", "final")
    ]
    contrasts = [
        _cells(suite, run, parent)
        for suite in data["suites"]
        for run, parent in tuned
        if {run, parent} <= set(suite["runs"])
    ]
    names = {
        model["run"]: model["run"] + ("" if model["checkpoint"] == "final" else f", {model['checkpoint']}")
        for model in models
    }
    start = [contrasts[0].against, contrasts[0].run] if contrasts else data["suites"][0]["runs"][:2]
    return ItemsSection({**data, "models": names, "start": start}, contrasts)


def _cells(suite: Mapping[str, Any], run: str, against: str) -> Cells:
    a, b = (suite["runs"].index(name) for name in (run, against))
    right = suite["both_right"]
    both = right[a][b]
    alone = (right[a][a] - both, right[b][b] - both)
    return Cells(suite["suite"], run, against, both, *alone, suite["items"] - both - sum(alone))
