"""Line charts as inline SVG whose colours are the page's, so that they follow its light and dark scheme.

matplotlib draws with placeholder colours; the finished text gets CSS variables in their place (--ink, --muted,
--series-1 ...), and what only a stand-alone file needs is taken out.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import cycle, islice

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

SERIES = 6  # colours that the style sheet defines
_PLACEHOLDERS = {"#0b0b01": "var(--ink)", "#0b0b02": "var(--muted)", "#0b0b03": "var(--rule)"} | {
    f"#0b0c{number:02x}": f"var(--series-{number})" for number in range(1, SERIES + 1)
}
_COLOUR = {variable: placeholder for placeholder, variable in _PLACEHOLDERS.items()}
_INK, _MUTED, _RULE = (_COLOUR[f"var(--{name})"] for name in ("ink", "muted", "rule"))
# Lines differ in dash and marker too, for print and for readers who do not see the colours apart.
_DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Texts of levels that lie close together must not meet.
_REFERENCE_PLACES = ((1, "right"), (0.015, "left"), (0.5, "center"))
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "savefig.transparent": True,
}


@dataclass(frozen=True)
class Line:
    """A line of a chart; `low` and `high`, if given, are the edges of a band. All of length [points]."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    style: int = 0
    """Lines of one style share colour, dash and marker; of one label, the legend's entry."""
    fitted: bool = False
    """Whether it is a curve that was fitted to another line: thin, without markers."""
    ringed: float | None = None
    """The x of a point with a ring around it."""


def line_chart(
    name: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    alt: str,
    log_x: bool = False,
    references: Sequence[tuple[str, float]] = (),
    events: Sequence[tuple[str, float]] = (),
) -> str:
    """An <svg> element for use inside HTML.

    Args:
        name: prefix of the element's ids; a letter first, different for every chart on a page.
        alt: what the chart shows, in words.
        log_x: x is positive and on a logarithmic axis.
        references: horizontal lines with a text.
        events: vertical ones.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(4.8, 3.2), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        if log_x:
            axes.set_xscale("log")
        for (label, value), (place, side) in zip(references, cycle(_REFERENCE_PLACES)):
            axes.axhline(value, color=_MUTED, linewidth=1, linestyle=(0, (1, 2)))
            axes.annotate(
                label, (place, value), (0, 2), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
                ha=side, va="bottom", fontsize=7.5, color=_INK,
            )  # fmt: skip
        for label, value in events:
            axes.axvline(value, color=_MUTED, linewidth=1, linestyle=(0, (1, 2)))
            axes.annotate(
                label, (value, 1), (-2, 0), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
                ha="right", va="top", rotation=90, fontsize=7.5, color=_INK,
            )  # fmt: skip
        drawn: dict[str, object] = {}
        for line in lines:
            drawn.setdefault(line.label, _draw(axes, line))
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        _ticks(axes, log_x)
        axes.margins(y=0.12)
        figure.legend(drawn.values(), drawn.keys(), loc="outside upper left", ncols=3, fontsize=8.5)
        text = io.StringIO()
        figure.savefig(text, format="svg")
    return _inline(text.getvalue(), name, alt)


def _draw(axes, line: Line):
    colour = _COLOUR[f"var(--series-{line.style % SERIES + 1})"]
    x, y = np.asarray(line.x, dtype=float), np.asarray(line.y, dtype=float)
    if line.fitted:
        (drawn,) = axes.plot(x, y, color=colour, linewidth=0.9, alpha=0.7)
        return drawn
    known = np.isfinite(y)
    if line.low is not None and line.high is not None and known.any():
        low, high = np.asarray(line.low, dtype=float), np.asarray(line.high, dtype=float)
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
    marker = next(islice(cycle(_MARKERS), line.style, None)) if known.sum() <= 40 else None
    (drawn,) = axes.plot(
        x[known], y[known], color=colour, linewidth=1.6, linestyle=_DASHES[line.style % len(_DASHES)],
        marker=marker, markersize=3.6,
    )  # fmt: skip
    ring = x == line.ringed
    axes.plot(x[ring], y[ring], color=colour, marker="o", markersize=10, markerfacecolor="none", linestyle="none")
    return drawn


def _ticks(axes, log_x: bool) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(6))
    if not log_x:
        axes.xaxis.set_major_locator(MaxNLocator(6))
        return
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))


def short_count(value: float) -> str:
    """50000 -> 50K, 1500000 -> 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "K")):
        if value >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def _inline(svg: str, name: str, alt: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;]*; ", "", svg)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for placeholder, variable in _PLACEHOLDERS.items():
        svg = svg.replace(placeholder, variable)
    view = re.search(r'viewBox="[^"]*"', svg)[0]
    body = re.sub(r"\n\s*", "\n", svg[svg.index(">") + 1 :]).strip()
    return f'<svg {view} role="img" aria-label="{escape(alt)}">{body}'
