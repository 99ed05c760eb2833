"""Figures of lines: what they hold. `layers` says how they look, `drawing` makes files of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

COLUMNS = ["model", "seed", "quantity", "kind", "x", "y", "low", "high"]


@dataclass(frozen=True)
class Line:
    """A line of a figure; `low` and `high`, if given, are the edges of a band. All of length [points]."""

    label: str
    """The legend's entry."""
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    style: int = 0
    """Lines of one style share colour, dash and marker; so do all of one label."""
    kind: Literal["measured", "mean", "fitted", "published"] = "measured"
    """`mean`, over lines of seeds, which are thin beside it; `fitted`, a form fitted to another line, and
    `published`, another study's: thin, without markers."""
    ringed: float | None = None
    """The x of a point with a ring around it."""
    model: str = ""
    quantity: str = ""
    seed: int | None = None
    """What the line is, for the file of the data; no seed where several are pooled."""

    @property
    def points(self) -> np.ndarray:
        """The known points, [points, 4]: x, y, low, high."""
        edges = ([np.nan] * len(self.x) if edge is None else edge for edge in (self.low, self.high))
        points = np.column_stack([np.asarray(column, dtype=float) for column in (self.x, self.y, *edges)])
        return points[np.isfinite(points[:, :2]).all(axis=1)]


@dataclass(frozen=True)
class Figure:
    """Lines with their axes.

    `name` is safe in file names and as an id, `alt` says in words what is shown, `x` and `y` are the axes' texts,
    `references` horizontal lines with a text and `events` vertical ones.
    """

    name: str
    title: str
    alt: str
    lines: Sequence[Line]
    x: str
    y: str
    log_x: bool = False
    references: Sequence[tuple[str, float]] = ()
    events: Sequence[tuple[str, float]] = ()

    @property
    def model(self) -> str | None:
        """The one model whose lines they all are; None where there are several."""
        models = {line.model for line in self.lines}
        return models.pop() if len(models) == 1 else None

    def data(self) -> pd.DataFrame:
        """All that the figure rests on, as a tidy table: COLUMNS; kinds are those of lines, reference, event."""
        none = (np.nan,) * 4
        rows = [
            (line.model, line.seed, line.quantity, line.kind, *point)
            for line in self.lines
            for point in line.points
        ]
        rows += [("", None, label, "reference", *none[:1], level, *none[2:]) for label, level in self.references]
        rows += [("", None, label, "event", x, *none[1:]) for label, x in self.events]
        return pd.DataFrame(rows, columns=COLUMNS).astype({"seed": "Int64"})


def short_count(value: float) -> str:
    """50000 -> 50K, 1500000 -> 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "K")):
        if value >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"
