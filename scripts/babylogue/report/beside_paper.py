"""The paper's own scores, beside those of this run.

published_scores.csv: suite, group, metric, model, value; the table of results of Padovani et al. (2025), in our
names of suites and in the metrics that follow its rules, corrections included; one seed, no intervals. The model
`simpo` is the organisers' SimPO baseline of BabyLM 2025, as the paper quotes it. A run is set beside the published
model of its name, as presets/paper.yaml has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from .summary import Cell


@cache
def published_scores() -> pd.DataFrame:
    """The paper's scores: suite, group, metric, model, value."""
    with (files(__package__) / "published_scores.csv").open() as file:
        return pd.read_csv(file)


def published_values(suite: str, metric: str) -> dict[str, float]:
    """Model -> the paper's score of a suite as a whole, where it is by that metric."""
    table = published_scores()
    own = table[(table["suite"] == suite) & (table["group"] == "all") & (table["metric"] == metric)]
    return dict(zip(own["model"], own["value"], strict=True))


@dataclass(frozen=True)
class BesidePaper:
    """The paper's table with ours in it."""

    models: list[str]
    rows: list[tuple[str, str, str, list[tuple[float | None, Cell | None]]]]
    """Suite, group, metric, and for each model the published value and our cell."""


def beside_paper(scored: Mapping[tuple[str, str, str, str], Cell], runs: Sequence[str]) -> BesidePaper:
    """Every row of the paper's table.

    Args:
        scored: (run, suite, group, metric) -> cell, as `summary.cells` gives them.
        runs: those of this report.
    """
    table = published_scores()
    models = list(dict.fromkeys(table["model"]))
    rows = []
    for key, own in table.groupby(["suite", "group", "metric"], sort=False):
        value = dict(zip(own["model"], own["value"], strict=True))
        cells = [(value.get(name), scored.get((name, *key)) if name in runs else None) for name in models]
        rows.append((*key, cells))
    return BesidePaper(models, rows)
