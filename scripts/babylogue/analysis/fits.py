"""trajectory_fits.csv: the form of every learning curve, and where it peaks.

A curve is a run's values of one suite and metric over words seen, all seeds. Three forms are fitted by least
squares, x in millions of words: `constant` a, `power` a - b x^-c, `exponential` a - b exp(-c x). They are compared
by the root mean squared error on checkpoints left out of the fit, one after the other, each with all its seeds.

Columns: run, suite, metric, checkpoints, seeds, note (why nothing was fitted; else empty), parameters and
`cv_error` of each form, and
    best: the form with the lowest error
    not_worse: the others that cannot be told from it, whose squared error is above its own by no more than one
        standard error of the difference over checkpoints
    peak_words, peak_value: the best checkpoint (for surprisal, the lowest)
    peak_from_words, peak_to_words: the first and the last of the checkpoints that cannot be told from the peak
    falls: whether the last checkpoint is none of them
The set of those checkpoints holds the curve's true peak in at least 95 % of cases (Gupta 1965, with Bonferroni's
quantile). It takes checkpoints as independent; they share their items, which makes it rather too wide.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import curve_fit
from scipy.special import ndtri

from ..logs import progress
from ..scoring.intervals import CONFIDENCE
from .seeds import pooled

MIN_CHECKPOINTS = 5
COUNTS = ("ties", "words")  # metrics that only count
LOWER_IS_BETTER = ("surprisal",)
WORDS = 1e6  # unit of x
SAME_WORDS = 0.01  # `final` and the last checkpoint by words are one where they lie this close
STARTS = 30


def constant(x: np.ndarray, a: float) -> np.ndarray:
    """a."""
    return np.full_like(x, a)


def power(x: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    """a - b x^-c."""
    return a - b * x**-c


def exponential(x: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    """a - b exp(-c x)."""
    return a - b * np.exp(-c * x)


@dataclass(frozen=True)
class Form:
    """A form of curve: its function of x and its parameters, of which `c` bends and the others are linear."""

    function: Callable[..., np.ndarray]
    parameters: str
    rates: Callable[[np.ndarray], tuple[float, float]] = lambda x: (0.0, 0.0)
    """x -> the bounds of c."""


FORMS = {
    "constant": Form(constant, "a"),
    "power": Form(power, "abc", lambda x: (0.01, 5.0)),
    # Slower, it is a line over the whole curve; faster, it is over before the second checkpoint.
    "exponential": Form(exponential, "abc", lambda x: (0.1 / x.max(), 5 / x.min())),
}
COLUMNS = [
    "run", "suite", "metric", "checkpoints", "seeds", "note",
    *(f"{name}_{part}" for name, form in FORMS.items() for part in (*form.parameters, "cv_error")),
    "best", "not_worse", "peak_words", "peak_value", "peak_from_words", "peak_to_words", "falls",
]  # fmt: skip


def fit(name: str, x: np.ndarray, y: np.ndarray) -> tuple[float, ...]:
    """Least-squares parameters of a form; x > 0, [points] both."""
    form = FORMS[name]
    if name == "constant":
        return (float(y.mean()),)
    low, high = form.rates(x)
    bounds = ([-np.inf, -np.inf, low], [np.inf, np.inf, high])
    start = _start(form.function, x, y, np.geomspace(low, high, STARTS))
    found, _ = curve_fit(form.function, x, y, p0=start, bounds=bounds, x_scale="jac", maxfev=2000)
    return tuple(map(float, found))


def _start(function: Callable, x: np.ndarray, y: np.ndarray, rates: np.ndarray) -> tuple[float, float, float]:
    """The best of fits with c held at each of the rates, where a and b follow by linear regression."""
    bend = function(x, 0.0, 1.0, rates[:, None])  # [rates, points]
    deviation = bend - bend.mean(axis=1, keepdims=True)
    b = deviation @ y / (deviation**2).sum(axis=1)
    best = ((y - y.mean() - b[:, None] * deviation) ** 2).sum(axis=1).argmin()
    return y.mean() - b[best] * bend[best].mean(), b[best], rates[best]


def curve(row: pd.Series, words: np.ndarray) -> np.ndarray | None:
    """The values of a row's best form at some words; None where nothing was fitted."""
    if row["note"]:
        return None
    form = FORMS[row["best"]]
    parameters = (row[f"{row['best']}_{letter}"] for letter in form.parameters)
    return form.function(np.asarray(words, dtype=float) / WORDS, *parameters)


def trajectory_fits(trajectories: pd.DataFrame) -> pd.DataFrame:
    """One row for every curve of a table of trajectories, columns COLUMNS; metrics that only count have none."""
    kept = trajectories[~trajectories["metric"].str.startswith(COUNTS)]
    curves = kept.groupby(["run", "suite", "metric"], sort=False)
    rows = [
        dict(zip(("run", "suite", "metric"), key, strict=True)) | _row(own, key[-1])
        for key, own in progress(curves, total=curves.ngroups, description="curves", unit="curve")
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(own: pd.DataFrame, metric: str) -> dict:
    own = _checkpoints(own.dropna(subset="value"))
    points = own.groupby("words")
    row = {"checkpoints": points.ngroups, "seeds": own["seed"].nunique(), "note": ""}
    row |= {"best": "", "not_worse": "", "falls": False}
    if points.ngroups < MIN_CHECKPOINTS:
        return row | {"note": f"fewer than {MIN_CHECKPOINTS} checkpoints"}
    x, y = own["words"].to_numpy() / WORDS, own["value"].to_numpy(dtype=float)
    errors = {}
    for name, form in FORMS.items():
        row |= {f"{name}_{letter}": value for letter, value in zip(form.parameters, fit(name, x, y), strict=True)}
        errors[name] = left_out_errors(name, x, y)
        row[f"{name}_cv_error"] = float(np.sqrt(errors[name].mean()))
    best = min(errors, key=lambda name: errors[name].mean())
    more = {name: own - errors[best] for name, own in errors.items() if name != best}
    not_worse = [name for name, own in more.items() if own.mean() <= own.std(ddof=1) / np.sqrt(len(own))]
    return row | {"best": best, "not_worse": " ".join(not_worse)} | _peak(points, metric in LOWER_IS_BETTER)


def _checkpoints(own: pd.DataFrame) -> pd.DataFrame:
    """Rows with `words` the same for all seeds of a checkpoint, each checkpoint once."""
    # Seeds reach `final` a few words apart.
    own = own.assign(words=own.groupby("checkpoint")["words"].transform("mean"))
    at = np.sort(own.loc[own["checkpoint"] != "final", "words"].unique())
    final = own["checkpoint"] == "final"
    return own[~(final & own["words"].map(lambda words: bool((abs(at - words) < SAME_WORDS * words).any())))]


def left_out_errors(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean squared error at each x (all seeds) of the form fitted to the others, [different x]."""
    found = []
    for left_out in np.unique(x):
        kept = x != left_out
        predicted = FORMS[name].function(x[~kept], *fit(name, x[kept], y[kept]))
        found.append(float(((predicted - y[~kept]) ** 2).mean()))
    return np.array(found)


def _peak(points, lower_is_better: bool) -> dict:
    cells = {words: pooled(*own[["value", "ci_low", "ci_high"]].to_numpy().T) for words, own in points}
    words = np.array(list(cells))
    values, lows, highs = np.array(list(cells.values())).T
    errors = (highs - lows) / 2 / ndtri(0.5 + CONFIDENCE / 2)
    height = -values if lower_is_better else values
    top = int(height.argmax())
    peak = {"peak_words": round(words[top]), "peak_value": float(values[top])}
    if not np.isfinite(errors).all():
        return peak
    quantile = ndtri(1 - (1 - CONFIDENCE) / (len(words) - 1))
    same = words[height[top] - height <= quantile * np.hypot(errors, errors[top])]
    ends = {"peak_from_words": round(same.min()), "peak_to_words": round(same.max())}
    return peak | ends | {"falls": bool(words.max() > same.max())}
