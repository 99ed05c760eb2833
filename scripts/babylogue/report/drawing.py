"""Figures as SVG: in the page, whose colours they take, and as files that stand alone, their data beside them."""

import re
from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path

import vl_convert
from altair import SCHEMA_VERSION

from .figures import Figure
from .layers import CONFIG, specification, static

_VERSION = ".".join(SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def inline_svg(figure: Figure) -> str:
    """An <svg> element for use inside HTML, its colours variables of the page's style.

    It has no legend: the page's is HTML, of which buttons can be made.
    """
    svg = vl_convert.vegalite_to_svg(static(specification(figure)) | {"config": CONFIG}, vl_version=_VERSION)
    view = re.search(r'viewBox="[^"]*"', svg)[0]
    # To who cannot see it the figure is one image with its words, not a hundred unnamed marks.
    body = re.sub(r' (role|aria-roledescription)="[^"]*"', "", svg[svg.index(">") + 1 :])
    return f'<svg {view} role="img" aria-label="{escape(figure.alt)}">{body}'


def write_files(figures: Iterable[Figure], folder: str | Path) -> None:
    """{name}.svg and {name}.csv of every figure: see `stand_alone_svg` and `Figure.data`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for figure in figures:
        (folder / f"{figure.name}.svg").write_text(stand_alone_svg(figure), encoding="utf-8")
        figure.data().to_csv(folder / f"{figure.name}.csv", index=False)


def stand_alone_svg(figure: Figure) -> str:
    """The figure as a file: title, legend, the page's light colours on white."""
    size = {"autosize": "pad", "padding": 12}
    spec = (
        static(specification(figure, with_legend=True))
        | size
        | {"title": figure.title, "config": CONFIG | {"background": "white"}}
    )
    svg = vl_convert.vegalite_to_svg(spec, vl_version=_VERSION)
    svg = re.sub(r'"var\(--([\w-]+)\)"', lambda name: f'"{_light_colours()[name[1]]}"', svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(figure.alt)}" ', 1)


@cache
def _light_colours() -> dict[str, str]:
    """Name -> colour of the style sheet's light scheme, which comes first in it."""
    style = files(__package__).joinpath("templates/style.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+): (#\w+);", style[: style.index("}")])) | {"paper": "#ffffff"}


@cache
def vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script, for use inside a script element."""
    bundle = vl_convert.javascript_bundle(vl_version=_VERSION)
    return f"(() => {{{bundle}}})();".replace("</script", r"<\/script").replace("<!--", r"<\!--")
