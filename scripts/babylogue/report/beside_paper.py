"""The paper's own scores, beside those of this run.

published_scores.csv: suite, group, metric, model, value; the table of results of Padovani et al. (2025), in our
names of suites and in the metrics that follow its rules, corrections included; one seed, no intervals. The model
`simpo` is the organisers' SimPO baseline of BabyLM 2025, as the paper quotes it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import pandas as pd

from .summary import Cell

FOLLOWS = {
    "dpo_natural_published": "dpo_natural",
    "dpo_synthetic_raw": "dpo_synthetic",
    "ppo_confidence_sum": "ppo_confidence",
}
"""Run of presets/paper.yaml -> the model of the paper that it follows; one that is not named here is set beside
the model of its own name, if there is one."""
MENDED = set(FOLLOWS.values())
"""Runs that depart on purpose from the model of their name: two-sided or matched pairs, confidence a token."""


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


def published_values(suite: str, metric: str, runs: Sequence[str]) -> list[PublishedValue | None]:
    """For each run the paper's score of a suite as a whole, where it is by that metric."""
    table = published_scores()
    own = table[(table["suite"] == suite) & (table["group"] == "all") & (table["metric"] == metric)]
    value = dict(zip(own["model"], own["value"], strict=True))
    models = [FOLLOWS.get(run, run) for run in runs]
    return [
        PublishedValue(value[model], run in MENDED) if model in value else None
        for run, model in zip(runs, models, strict=True)
    ]


@dataclass(frozen=True)
class BesidePaper:
    """The paper's table with ours in it."""

    models: list[str]
    rows: list[tuple[str, str, str, list[tuple[float | None, dict[str, Cell]]]]]
    """Suite, group, metric, and for each model the published value and the cells of the runs beside it."""


def beside_paper(
    scored: Mapping[tuple[str, str, str, str], Cell], runs: Sequence[str], own_items: Collection[str]
) -> BesidePaper:
    """Every row of the paper's table.

    Args:
        scored: (run, suite, group, metric) -> cell, as `summary.cells` gives them.
        runs: those of this report.
        own_items: suites whose items are not the paper's, whatever they are called.
    """
    table = published_scores()
    models = list(dict.fromkeys(table["model"]))
    beside = {model: [run for run in runs if FOLLOWS.get(run, run) == model] for model in models}
    rows = []
    for key, own in table.groupby(["suite", "group", "metric"], sort=False):
        value = dict(zip(own["model"], own["value"], strict=True))
        ours = {} if key[0] in own_items else scored
        cells = [
            (value.get(model), {run: ours[run, *key] for run in beside[model] if (run, *key) in ours})
            for model in models
        ]
        rows.append((*key, cells))
    return BesidePaper(models, rows)
