"""The paper's own scores, beside those of this run.

published_scores.csv: suite, group, metric, model, value; the table of results of Padovani et al. (2025), in our
names of suites and in the metrics that follow its rules, corrections included; one seed, no intervals. The model
`simpo` is the organisers' SimPO baseline of BabyLM 2025, as the paper quotes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import pandas as pd

from .summary import Cell


@cache
def published_scores() -> pd.DataFrame:
    """The paper's scores: suite, group, metric, model, value."""
    with (files(__package__) / "published_scores.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


class PublishedValue(NamedTuple):
    """A score of the paper beside a run's."""

    value: float
    mended: bool
    """Whether the run departs on purpose from the paper's model."""


def published_values(suite: str, metric: str, models: Sequence[Mapping[str, Any]]) -> list[PublishedValue | None]:
    """For each model the paper's score of a suite as a whole, where the paper has that model and that metric.

    Args:
        suite: in the paper's table, which has the same items.
        models: rows of the table of models (`Results.models`).
    """
    table = published_scores()
    own = table[(table["suite"] == suite) & (table["group"] == "all") & (table["metric"] == metric)]
    value = dict(zip(own["model"], own["value"], strict=True))
    followed = (model.get("paper") or {"model": None, "mended": False} for model in models)
    return [
        PublishedValue(value[paper["model"]], paper["mended"]) if paper["model"] in value else None
        for paper in followed
    ]


@dataclass(frozen=True)
class BesidePaper:
    """The paper's table with ours in it."""

    models: list[str]
    rows: list[tuple[str, str, str, list[tuple[float | None, dict[str, Cell]]]]]
    """Suite, group, metric, and for each model the published value and the cells of the runs beside it."""


def beside_paper(
    scored: Mapping[tuple[str, str, str, str], Cell],
    models: Sequence[Mapping[str, Any]],
    pair_suites: Mapping[str, tuple[str | None, bool]],
) -> BesidePaper:
    """Every row of the paper's table.

    Args:
        scored: (run, suite, group, metric) -> cell, as `summary.cells` gives them.
        models: rows of the table of models (`Results.models`).
        pair_suites: as in `Results`.
    """
    table = published_scores()
    names = list(dict.fromkeys(table["model"]))
    followed = [(row["run"], (row.get("paper") or {}).get("model")) for row in models]
    beside = {name: [run for run, model in followed if model == name] for name in names}
    # The paper's suite -> ours with the same items.
    ours = {paper: suite for suite, (paper, same_items) in pair_suites.items() if same_items}
    rows = []
    for (paper_suite, group, metric), own in table.groupby(["suite", "group", "metric"], sort=False):
        value = dict(zip(own["model"], own["value"], strict=True))
        suite = ours.get(paper_suite, None if paper_suite in pair_suites else paper_suite)
        key = (suite, group, metric)
        cells = [
            (value.get(name), {run: scored[run, *key] for run in beside[name] if (run, *key) in scored})
            for name in names
        ]
        rows.append((paper_suite, group, metric, cells))
    return BesidePaper(names, rows)
