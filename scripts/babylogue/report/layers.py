"""How a figure of lines looks: one definition in Altair, whose colours are the page's CSS variables.

The specification is drawn as SVG (`drawing`) and made interactive in the page (templates/figures.js). Parameters
change there alone: `hidden`, labels of the legend whose lines are not shown; `lit`, a label whose lines stand out;
`here`, the id of the point that the keyboard is at; `near`, the one nearest to the pointer. Ids count all points.

A row of `lines` is a line: its number, series (the legend's label), kind (those of `figures.Line`; `seed`, a line
beside its mean; `ring`), of (a seed, or nothing), marker (of its points, if any) and the columns x, y, low, high.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import numpy as np

from .figures import Figure, Line

COLOURS = tuple(f"var(--series-{number})" for number in range(1, 7))
INK, MUTED, RULE, PAPER = "var(--ink)", "var(--muted)", "var(--rule)", "var(--paper)"
# Lines differ in dash and marker too, for print and for readers who do not see the colours apart.
DASHES = ((1, 0), (6, 3), (8, 3, 2, 3), (2, 2), (9, 2, 2, 2, 2, 2))
# Paths between -1 and 1.
MARKERS = (
    "M-.8,0A.8,.8,0,1,0,.8,0A.8,.8,0,1,0,-.8,0Z",
    "M-.7,-.7H.7V.7H-.7Z",
    "M0,-.9L.95,.75H-.95Z",
    "M0,-1L1,0L0,1L-1,0Z",
    "M0,.9L.95,-.75H-.95Z",
    "M-.3,-.9H.3V-.3H.9V.3H.3V.9H-.3V.3H-.9V-.3H-.3Z",
    "M-1,-.6L-.6,-1L0,-.4L.6,-1L1,-.6L.4,0L1,.6L.6,1L0,.4L-.6,1L-1,.6L-.4,0Z",
)
MARKED = 40  # points of a line that are marked at most; more of them hide it
DRAWN = 200  # points of a line that are drawn at most; of more, means over neighbours
WIDTH, HEIGHT = 400, 260  # pixels, the texts of the axes included
_DRAWN = 2  # number of the layer that holds the lines
# Where the text of a level may stand, so that those of close levels do not meet: how it is aligned, and its x.
_PLACES = (("right", alt.value("width")), ("left", alt.value(4)), ("center", alt.value(WIDTH / 2 - 20)))
_LEGEND = {
    "title": None, "symbolType": "stroke", "symbolSize": 400, "symbolStrokeWidth": 2, "symbolOpacity": 1,
    "symbolFillColor": "transparent",
}  # fmt: skip
CONFIG = {
    "aria": False,
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domainColor": MUTED, "tickColor": MUTED, "gridColor": RULE, "gridWidth": 0.7, "labelColor": INK,
        "titleColor": INK, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal",
        "titlePadding": 6,
    },
    "axisX": {"grid": False},
    "legend": {
        "orient": "top", "columns": 3, "columnPadding": 30, "labelColor": INK, "labelFontSize": 11,
        "labelLimit": 400,
    },
    "title": {"color": INK, "fontSize": 13, "anchor": "start", "offset": 10},
}  # fmt: skip
"""What all figures share."""


@dataclass(frozen=True)
class Entry:
    """An entry of a legend: `dash` and `marker` as Vega takes them, no marker where a line has none."""

    label: str
    colour: str
    dash: tuple[int, ...]
    marker: str | None


def legend(figure: Figure) -> list[Entry]:
    """One entry a label, in the order of the lines."""
    entries: dict[str, Entry] = {}
    for line in sorted(figure.lines, key=lambda line: line.kind == "published"):
        muted = line.kind == "published"
        colour = MUTED if muted else COLOURS[line.style % len(COLOURS)]
        dash = DASHES[0] if muted else DASHES[line.style % len(DASHES)]
        entries.setdefault(line.label, Entry(line.label, colour, dash, _marker(line)))
    return list(entries.values())


def specification(figure: Figure, *, with_legend: bool = False) -> dict[str, Any]:
    """The figure in Vega-Lite, its data inside, without its configuration."""
    shown = _LEGEND if with_legend else None
    lines, entries = _drawn(figure), legend(figure)
    labels = [entry.label for entry in entries]
    x = [value for line in lines for value in line["x"]] + [at for _, at in figure.events]
    y = [value for line in lines for name in ("y", "low", "high") for value in line[name] if value is not None]
    y_domain = _y_domain(y + [level for _, level in figure.references])
    own = {
        "x": {"title": figure.x, "scale": _x_scale(x, figure.log_x), "axis": _x_axis(x, figure.log_x)},
        "y": {"title": figure.y, "scale": {"domain": y_domain, "nice": False}, "axis": {"tickCount": 6}},
        "color": {"scale": {"domain": labels, "range": [entry.colour for entry in entries]}, "legend": shown},
        "strokeDash": {
            "scale": {"domain": labels, "range": [list(entry.dash) for entry in entries]},
            "legend": shown,
        },
    }
    spec = json.loads(_layers())
    spec["layer"] = [_with_scales(layer, own) for layer in spec["layer"]]
    data = {"lines": lines, "references": _placed(figure.references, y_domain)}
    return spec | {"datasets": data | {"events": [{"label": label, "x": at} for label, at in figure.events]}}


def _marker(line: Line) -> str | None:
    marked = line.kind in ("measured", "mean") and len(line.points) <= MARKED
    return MARKERS[line.style % len(MARKERS)] if marked else None


def _drawn(figure: Figure) -> list[dict[str, Any]]:
    """The rows of the data: lines and rings."""
    averaged = {line.label for line in figure.lines if line.kind == "mean"}
    drawn: list[dict[str, Any]] = []
    for number, line in enumerate(figure.lines):
        points = line.points
        points = points[(points[:, 0] > 0) | (not figure.log_x)]
        rings = points[points[:, 0] == line.ringed]
        if len(points) > DRAWN:
            points = np.array([part.mean(axis=0) for part in np.array_split(points, DRAWN)])
        kind = "seed" if line.kind == "measured" and line.label in averaged else line.kind
        of = "mean of the seeds" if kind == "mean" else "" if line.seed is None else f"seed {line.seed}"
        row = {"number": number, "series": line.label, "kind": kind, "of": of, "marker": _marker(line)}
        drawn.append(row | _columns(points))
        if len(rings):
            drawn.append(row | {"kind": "ring"} | _columns(rings))
    return drawn


def _columns(points: np.ndarray) -> dict[str, list[float | None]]:
    """Columns of points, to as many digits as can be told apart; low and high are empty where there is no band."""
    columns = {
        name: [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in column]
        for name, digits, column in zip(("x", "y", "low", "high"), (10, 6, 6, 6), points.T, strict=True)
    }
    return columns if np.isfinite(points[:, 2:]).any() else columns | {"low": [], "high": []}


def static(spec: dict[str, Any]) -> dict[str, Any]:
    """Without what only a pointer or the keyboard shows."""
    layers = list(spec["layer"])
    layers[_DRAWN] = layers[_DRAWN] | {"layer": layers[_DRAWN]["layer"][:-1]}
    return spec | {"layer": layers, "params": [param for param in spec["params"] if param["name"] != "near"]}


@cache
def _layers() -> str:
    """What all figures have in common, as JSON: the layers from the back to the front."""
    points = alt.Chart().encode(x="x:Q", y="y:Q", color="series:N", detail="number:N")
    held = "here === datum.id || (near.id && indexof(near.id, datum.id) >= 0)"
    near = alt.selection_point(name="near", on="pointerover", clear="pointerout", nearest=True, fields=["id"])

    def of(*kinds: str) -> alt.Chart:
        return points.transform_filter(" || ".join(f"datum.kind === '{kind}'" for kind in kinds))

    def lit(opacity: float) -> dict[str, Any]:
        """An opacity that falls where another series stands out."""
        dim = {"test": "lit !== null && lit !== datum.series", "value": opacity * 0.15}
        return alt.Opacity(condition=dim, value=opacity)

    dash = alt.StrokeDash("series:N")
    lines = [
        of("measured", "mean").transform_filter("isValid(datum.low)").mark_area().encode(
            y="low:Q", y2="high:Q", opacity=lit(0.16)
        ),
        of("fitted").mark_line(strokeWidth=1).encode(opacity=lit(0.8)),
        of("published").mark_line(strokeWidth=1.2).encode(opacity=lit(1)),
        of("seed").mark_line(strokeWidth=1).encode(strokeDash=dash, opacity=lit(0.45)),
        of("measured", "mean").mark_line(strokeWidth=2).encode(strokeDash=dash, opacity=lit(1)),
        of("measured", "mean").transform_filter("datum.marker").mark_point(filled=True, size=44).encode(
            shape=alt.Shape("marker:N", scale=None, legend=None), opacity=lit(1)
        ),
        of("ring").mark_point(size=150, strokeWidth=1.5, shape="circle").encode(opacity=lit(1)),
        of("measured", "mean", "seed", "published").mark_point(size=110, strokeWidth=2, shape="circle").encode(
            opacity=alt.Opacity(condition={"test": held, "value": 1}, value=0),
        ).add_params(near).properties(name="points"),
    ]  # fmt: skip
    drawn = (
        alt.layer(*lines, data=alt.NamedData("lines"))
        .transform_flatten(["x", "y", "low", "high"])
        .transform_window(id="row_number()")
        .transform_filter("indexof(hidden, datum.series) < 0")
    )
    values = {"hidden": [], "lit": None, "here": None}
    chart = alt.layer(*_rules(), drawn, *_texts(), width=WIDTH, height=HEIGHT).add_params(
        *(alt.param(name=name, value=value) for name, value in values.items())
    )
    spec = chart.to_dict() | {"autosize": {"type": "fit", "contains": "padding"}}
    return json.dumps({name: part for name, part in spec.items() if name not in ("$schema", "config")})


def _with_scales(layer: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The layer, and those in it, with the scales and texts of the channels that it has fields in."""
    if "layer" in layer:
        return layer | {"layer": [_with_scales(inner, own) for inner in layer["layer"]]}
    channels = {
        name: channel | own[name] if name in own and "field" in channel else channel
        for name, channel in layer["encoding"].items()
    }
    return layer | {"encoding": channels}


def _rules() -> list[alt.Chart]:
    """Dotted levels, and verticals where something happened; _DRAWN of them."""
    levels, events = (alt.Chart(alt.NamedData(name)) for name in ("references", "events"))
    dotted = {"color": MUTED, "strokeDash": [1, 3], "strokeWidth": 1.2}
    return [levels.mark_rule(**dotted).encode(y="y:Q"), events.mark_rule(**dotted).encode(x="x:Q")]


def _texts() -> list[alt.Chart]:
    """Their texts, each over a copy of itself in the colour of the paper."""
    levels, events = (alt.Chart(alt.NamedData(name)) for name in ("references", "events"))
    text = {"baseline": "bottom", "dy": -2, "fontSize": 10}
    halo = {"color": PAPER, "stroke": PAPER, "strokeWidth": 3, "opacity": 0.75}
    layers = []
    for place, (align, x) in enumerate(_PLACES):
        own = levels.transform_filter(f"datum.place === {place}").encode(x=x, y="y:Q", text="label:N")
        layers += [own.mark_text(align=align, **text, **look) for look in (halo, {"color": INK})]
    own = events.encode(x="x:Q", y=alt.value(2), text="label:N")
    return layers + [own.mark_text(align="right", angle=270, **text, **look) for look in (halo, {"color": INK})]


def _placed(references: Sequence[tuple[str, float]], domain: list[float]) -> list[dict[str, Any]]:
    """Levels with the number of a place for the text that none close by has."""
    rows: list[dict[str, Any]] = []
    for label, level in sorted(references, key=lambda reference: reference[1]):
        close = {row["place"] for row in rows if level - row["y"] < 0.08 * (domain[1] - domain[0])}
        place = next((number for number in range(len(_PLACES)) if number not in close), 0)
        rows.append({"label": label, "y": level, "place": place})
    return rows


def _x_scale(values: list[float], log_x: bool) -> dict[str, Any]:
    """From end to end with a little room, on a logarithmic axis by ratio."""
    low, high = _ends(values)
    if log_x:
        room = (high / low) ** 0.03 if high > low else 1.2
        return {"type": "log", "domain": [low / room, high * room], "nice": False}
    room = 0.03 * (high - low) or 0.5
    return {"domain": [low - room, high + room], "nice": False, "zero": False}


def _x_axis(values: list[float], log_x: bool) -> dict[str, Any]:
    """Counts as 50K and 1.5M; on a logarithmic axis ticks at 1, 2 and 5, or at powers of ten if there are many."""
    text = {"labelExpr": "replace(format(datum.value, '~s'), 'k', 'K')"}
    if not log_x:
        return {"tickCount": 6, **text}
    low, high = _ends(values)
    steps = (1, 2, 5) if high < 200 * low else (1,)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    return {"values": [float(step * 10.0**power) for power in powers for step in steps], **text}


def _y_domain(values: list[float]) -> list[float]:
    low, high = _ends(values)
    room = 0.09 * (high - low) or abs(high) * 0.1 or 1.0
    return [low - room, high + room]


def _ends(values: list[float]) -> tuple[float, float]:
    return (min(values), max(values)) if values else (1.0, 10.0)
