"""The tables of scores: suites as rows, models as columns, with what they are to be held against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .beside_paper import PublishedValue, published_values
from .summary import Cell, chance, headline, unit


@dataclass(frozen=True)
class Row:
    """A row of a table of scores: one cell a model, None where it was not scored."""

    name: str
    metric: str
    cells: list[Cell | None]

    @property
    def n(self) -> int:
        """Items, the most of any model."""
        return max((cell.n for cell in self.cells if cell), default=0)


@dataclass(frozen=True)
class SuiteTable:
    """All that the page has of a suite's scores."""

    name: str
    description: str
    metric: str
    unit: str
    chance: float
    bars: list[tuple[str, bool, float]]
    """The highest shallow baselines: name, whether it sees the reply alone, accuracy."""
    total: Row
    marks: list[pd.Series | None]
    """For each model the comparison with its parent where that difference holds."""
    published: list[PublishedValue | None]
    """For each model what the paper has for it, by the same metric."""
    groups: list[Row]
    """The same metric of each group."""
    others: list[Row]
    """The other metrics of the suite as a whole."""


def suite_table(
    suite: str,
    scores: pd.DataFrame,
    models: Sequence[Mapping[str, Any]],
    *,
    scored: Mapping[tuple[str, str, str, str], Cell],
    description: str,
    comparisons: pd.DataFrame,
    baselines: pd.DataFrame,
    paper_suite: str | None,
) -> SuiteTable:
    """A suite's part of the page.

    Args:
        scores: the suite's rows of scores.csv.
        models: rows of the table of models (`Results.models`).
        scored: (run, suite, group, metric) -> cell at the checkpoint that is shown, as `summary.cells` gives them.
        comparisons: the columns of comparisons.csv.
        baselines: the columns of baselines.csv.
        paper_suite: the suite of the paper's table with the same items; None if these scores compare with none.
    """
    metrics = suite_metrics(scores)
    metric = headline(metrics)
    runs = [model["run"] for model in models]

    def row(name: str, group: str, metric: str) -> Row:
        return Row(name, metric, [scored.get((run, suite, group, metric)) for run in runs])

    groups = [group for group in dict.fromkeys(scores["group"]) if group != "all"]
    held = comparisons[comparisons["differs"].astype(bool)]
    held = held[(held["suite"] == suite) & (held["metric"] == metric)]
    return SuiteTable(
        suite,
        description,
        metric,
        unit(metric),
        chance(suite, metric),
        bars(baselines, suite),
        row(suite, "all", metric),
        [_mark(held, model) for model in models],
        published_values(paper_suite, metric, models) if paper_suite else [None] * len(runs),
        # A single group is the whole suite under another name.
        [row(group, group, metric) for group in groups] if len(groups) > 1 else [],
        [row(other, "all", other) for other in metrics if other != metric],
    )


def suite_metrics(scores: pd.DataFrame) -> list[str]:
    """The metrics of a suite as a whole, or of its groups where it has no such, from its rows of scores.csv."""
    totals = scores[scores["group"] == "all"]
    return list(dict.fromkeys(totals["metric"] if len(totals) else scores["metric"]))


def bars(baselines: pd.DataFrame, suite: str) -> list[tuple[str, bool, float]]:
    """The suite's highest shallow baseline that sees both turns, then the highest that sees the reply alone."""
    own = baselines[(baselines["suite"] == suite) & (baselines["metric"] == "accuracy")].dropna(subset="value")
    best = own.sort_values("value", ascending=False, kind="stable").drop_duplicates("reply_only")
    return [(row.baseline, bool(row.reply_only), row.value) for row in best.sort_values("reply_only").itertuples()]


def _mark(held: pd.DataFrame, model: Mapping[str, Any]) -> pd.Series | None:
    own = held[(held["run"] == model["run"]) & (held["against"] == model.get("parent"))]
    # A parent may be the reference too, and then stand there at two checkpoints.
    own = own[own["against_checkpoint"] == model.get("parent_checkpoint")]
    return own.iloc[0] if len(own) else None
