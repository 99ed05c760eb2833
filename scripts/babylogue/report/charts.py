"""The charts of the page: which lines of which table they show, and the words that describe them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..analysis.fits import curve
from .figures import Figure, Line, short_count
from .published import LABEL as PUBLISHED
from .summary import Cell, chance, decimals, pool, unit

_STEP = ("step", "step")
DPO_PARTS = {"train": "training pairs", "heldout": "held-out pairs"}
DPO_COLUMNS = {
    "accuracy": "accuracy, %",
    "reward_accuracy": "reward accuracy, %",
    "reward_margin": "margin, nats",
    "reward_chosen": "chosen, nats",
    "reward_rejected": "rejected, nats",
    "loss": "loss, nats",
}
"""What a DPO log has of each part, and how it is called."""
REPLY_COLUMNS = {
    "empty_share": "empty",
    "repeated_share": "repeating themselves",
    "identical_share": "the most frequent",
    "unfinished_share": "unfinished",
}
"""Shares of replies that a PPO log has, and how they are called."""


@dataclass(frozen=True)
class Chart:
    """A figure with its caption."""

    figure: Figure
    caption: str
    metric: str | None = None
    points: Sequence[tuple[str, int, Cell]] = ()
    """The numbers behind a learning curve: run, words, cell."""


Logs = Mapping[tuple[str, int], pd.DataFrame]


def learning_curve(
    suite: str,
    metric: str,
    trajectories: pd.DataFrame,
    fits: pd.DataFrame,
    references: Sequence[tuple[str, float]] = (),
    *,
    theirs: pd.DataFrame | None = None,
    other_items: bool = False,
) -> Chart:
    """A suite over words seen, one line a model, seeds pooled.

    Args:
        trajectories: those of the suite, all metrics.
        fits: the forms of the curves (columns of trajectory_fits.csv) of that metric.
        references: levels drawn beside chance.
        theirs: the published trajectory in that metric, to be drawn beside ours.
        other_items: whether it is of other items than ours.
    """
    lines, fitted, parts, points = [], [], [], []
    forms = {row["run"]: row for _, row in fits.iterrows()}
    for style, (run, pooled) in enumerate(_pooled(trajectories, metric).items()):
        columns = [[getattr(cell, name) for cell in pooled.values()] for name in ("value", "low", "high")]
        form = forms.get(run)
        ringed = form["peak_words"] if form is not None and form["falls"] else None
        what = {"style": style, "model": run, "quantity": metric}
        lines.append(Line(run, list(pooled), *columns, ringed=ringed, **what))
        if form is not None and bends(form) and not form["falls"]:
            x = np.geomspace(min(pooled), max(pooled), 80)
            fitted.append(Line(run, x, curve(form, x), kind="fitted", **what))
        parts.append(_ends(lines[-1], metric, lambda words: f"{short_count(words)} words"))
        points += [(run, words, cell) for words, cell in pooled.items()]
    caption = [f"{metric} over words seen, the final checkpoint last.", *map(in_words, forms.values())]
    if theirs is not None:
        beside = _beside(lines, theirs)
        fitted += beside
        caption.append(_published_in_words(theirs, drawn=bool(beside), other_items=other_items))
    level = chance(suite, metric)
    known = [("chance", level)] if np.isfinite(level) else []
    name, title = (f"curve-{safe(suite)}", suite) if theirs is None else (
        f"curve-{safe(suite)}-published", f"{suite} by the paper's rule"
    )  # fmt: skip
    figure = Figure(
        name, title, f"{suite}, {metric} over words seen. {' '.join(parts)}", [*lines, *fitted],
        "words seen", f"{metric}{', ' + unit(metric) if unit(metric) else ''}",
        log_x=True, references=[*known, *references],
    )  # fmt: skip
    return Chart(figure, " ".join(filter(None, caption)), metric, points)


def _pooled(trajectories: pd.DataFrame, metric: str) -> dict[str, dict[int, Cell]]:
    """Run -> words -> the cell of its checkpoint there, ascending."""
    found = {}
    for run, rows in trajectories[trajectories["metric"] == metric].groupby("run", sort=False):
        # By name: seeds reach `final` a few words apart.
        at = [(round(seeds["words"].mean()), pool(seeds, metric)) for _, seeds in rows.groupby("checkpoint")]
        found[run] = dict(sorted(at, key=lambda point: point[0]))
    return found


def _beside(lines: Sequence[Line], theirs: pd.DataFrame) -> list[Line]:
    """The published trajectory as far as it leaves our lines half of a log axis or more; a line or none."""
    words = [x for line in lines for x in line.x]
    room = (max(words) / min(words)) ** 0.5
    near = theirs[theirs["words"].between(min(words) / room, max(words) * room)]
    named = {"model": PUBLISHED, "quantity": theirs["metric"].iloc[0]}
    return [Line(PUBLISHED, near["words"], near["value"], kind="published", **named)] if len(near) > 1 else []


def _published_in_words(theirs: pd.DataFrame, *, drawn: bool, other_items: bool) -> str:
    """What the published trajectory is, and what of it is not drawn."""
    last = theirs.iloc[-1]
    items = ", of other pairs than ours" if other_items else ""
    beyond = "" if drawn else "; its checkpoints lie beyond ours"
    return (
        f"{PUBLISHED.capitalize()}: Padovani et al. (2025), one seed, no interval{items}, {last['value']:.1f} at "
        f"{short_count(last['words'])} words{beyond}."
    )


def safe(name: str) -> str:
    """A name as it may stand in file names and ids."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)


def bends(form: pd.Series) -> bool:
    """Whether a curve is told from a constant."""
    return form["best"] not in ("", "constant") and "constant" not in form["not_worse"].split()


def in_words(form: pd.Series) -> str:
    """What a curve's fit shows and no more than that; empty where it was not fitted."""
    if form["note"]:
        return ""
    forms = " or ".join([form["best"], *form["not_worse"].split()])
    if form["falls"]:
        return f"{form['run']}: peaks at {peak(form)} words and falls after it, as none of the forms does."
    return f"{form['run']}: {forms if bends(form) else 'not told from a constant'}."


def peak(form: pd.Series) -> str:
    """The words at which a curve peaks, with the checkpoints that cannot be told from it."""
    ends = [short_count(form[name]) for name in ("peak_from_words", "peak_to_words") if np.isfinite(form[name])]
    span = f" ({' to '.join(ends)})" if len(set(ends)) > 1 else ""
    return f"{short_count(form['peak_words'])}{span}"


def log_chart(
    name: str, title: str, caption: str, logs: Logs, x: tuple[str, str], y: tuple[str, str], *, log_x: bool = False
) -> Chart | None:
    """A column of the models' logs, one line a seed and their mean; None if no log has a number in it.

    `x` and `y` are a column and the text of its axis.
    """
    styles = {run: style for style, run in enumerate(dict.fromkeys(run for run, _ in logs))}
    columns = [x[0], y[0]]
    lines = [
        Line(run, *known.to_numpy(dtype=float).T, style=styles[run], model=run, quantity=y[1], seed=seed)
        for (run, seed), log in logs.items()
        if set(columns) <= set(log.columns) and len(known := log[columns].dropna())
    ]
    if not lines:
        return None
    alt = " ".join(_ends(line, y[0], lambda at: f"{x[1]} {short_count(at)}") for line in lines)
    figure = Figure(name, title, f"{title}. {alt}", _with_means(lines), x[1], y[1], log_x=log_x)
    return Chart(figure, caption)


def _with_means(lines: Sequence[Line]) -> list[Line]:
    """Beside the lines a mean of those of each label, which are seeds, as far as all of them go."""
    means = []
    for label in dict.fromkeys(line.label for line in lines):
        own = [line for line in lines if line.label == label]
        length = min(len(line.x) for line in own)
        x, y = (np.array([getattr(line, axis)[:length] for line in own], dtype=float) for axis in ("x", "y"))
        # Seeds evaluate a few words apart, and one that is stopped evaluates where the others do not.
        apart = np.ptp(x, axis=0) > 0.01 * x.mean(axis=0)
        together = int(np.argmax(apart)) if apart.any() else length
        if len(own) > 1 and together > 1:
            mean = replace(own[0], x=x[:, :together].mean(axis=0), y=y[:, :together].mean(axis=0))
            means.append(replace(mean, kind="mean", seed=None, ringed=None))
    return [*lines, *means]


def _ends(line: Line, metric: str, place: Callable[[float], str]) -> str:
    """A line in words: where it starts and ends."""
    known = [(x, y) for x, y in zip(line.x, line.y, strict=True) if np.isfinite(y)]
    if not known:
        return f"{line.label}: no value."
    digits = max(decimals(metric), 1)
    ends = [f"{y:.{digits}f} at {place(x)}" for x, y in (known[0], known[-1])]
    return f"{line.label}: {', '.join(dict.fromkeys(ends))}."


def pretrain_charts(logs: Logs) -> list[Chart]:
    """Validation loss of the models trained from scratch."""
    chart = log_chart(
        "validation-loss",
        "Validation loss",
        "On the validation part, each model on its own kind of text: losses of models trained on different texts "
        "do not compare.",
        logs,
        ("words", "words seen"),
        ("validation_loss", "validation loss, nats a token"),
        log_x=True,
    )
    return [replace(chart, metric="validation_loss", points=_checkpoint_losses(logs))] if chart else []


def _checkpoint_losses(logs: Logs) -> list[tuple[str, int, Cell]]:
    """Validation loss at every checkpoint, seeds pooled."""
    kept = pd.concat(
        [
            log.assign(run=run, checkpoint=log["checkpoint"].fillna("").str.split()).explode("checkpoint")
            for (run, _), log in logs.items()
        ]
    )
    kept = kept.rename(columns={"validation_loss": "value"}).assign(ci_low=np.nan, ci_high=np.nan)
    return [
        (f"{run}, {checkpoint}", round(own["words"].mean()), pool(own, "validation_loss"))
        for (run, checkpoint), own in kept.groupby(["run", "checkpoint"], sort=False)
    ]


def dpo_charts(logs: Logs) -> list[Chart]:
    """Accuracy on held-out pairs of all models together; of each, training against held-out pairs, and rewards."""
    together = log_chart(
        "dpo-accuracy",
        "Held-out accuracy during DPO",
        "Share of held-out pairs of the model's own pair set on which the chosen reply is more probable; the "
        "highest point is the checkpoint best.",
        logs,
        _STEP,
        ("heldout_accuracy", "accuracy, %"),
    )
    charts = [together]
    for run in dict.fromkeys(run for run, _ in logs):
        own = {key: log for key, log in logs.items() if key[0] == run}
        charts += [
            _columns_chart(
                f"dpo-parts-{safe(run)}",
                f"Training and held-out accuracy of {run}",
                "A sample of the training pairs as large as the held-out set; where only the training pairs gain, "
                "the model memorises.",
                own,
                {f"{part}_accuracy": text for part, text in DPO_PARTS.items()},
                "accuracy, %",
            ),
            _columns_chart(
                f"dpo-rewards-{safe(run)}",
                f"Rewards of {run}",
                "Mean of beta times the gain in a reply's log-probability over the parent's.",
                own,
                {
                    f"{part}_reward_{reply}": f"{reply}, {text}"
                    for reply in ("chosen", "rejected")
                    for part, text in DPO_PARTS.items()
                },
                "reward, nats",
            ),
        ]
    return [chart for chart in charts if chart]


def _columns_chart(
    name: str,
    title: str,
    caption: str,
    logs: Logs,
    columns: Mapping[str, str],
    y_label: str,
    *,
    events: Sequence[tuple[str, float]] = (),
    ringed: str | None = None,
) -> Chart | None:
    """Columns of one model's logs over steps, one line a column and seed; None if no log has a number in one.

    `events` are steps with a text, `ringed` is the one of `guard_events` that gets a ring.
    """
    lines = [
        Line(
            label, *known.to_numpy(dtype=float).T, style=style, ringed=next(iter(rings), None), model=run,
            quantity=label, seed=seed,
        )
        for style, (column, label) in enumerate(columns.items())
        for (run, seed), log in logs.items()
        if column in log and len(known := log[["step", column]].dropna())
        for rings in [guard_events(log)[ringed] if ringed else []]
    ]  # fmt: skip
    if not lines:
        return None
    alt = " ".join(_ends(line, "reward", lambda at: f"step {short_count(at)}") for line in lines)
    return Chart(
        Figure(name, title, f"{title}. {alt}", _with_means(lines), "step", y_label, events=events), caption
    )


def reinforcement_charts(logs: Logs) -> list[Chart]:
    """Held-out accuracy of all models together; of each its reward, KL and replies, and what the guard did."""
    charts = [
        log_chart(
            "reinforcement-accuracy",
            "Held-out accuracy while replies are rewarded",
            "Dialogue accuracy on held-out pairs.",
            logs,
            _STEP,
            ("held_out_accuracy", "accuracy, %"),
        )
    ]
    for run in dict.fromkeys(run for run, _ in logs):
        own = {key: log for key, log in logs.items() if key[0] == run}
        stops = [
            ("stopped" if len(own) == 1 else f"seed {seed} stopped", step)
            for (_, seed), log in own.items()
            for step in guard_events(log)["stopped"]
        ]
        charts += [
            _columns_chart(
                f"reinforcement-{name}-{safe(run)}", f"{title} of {run}",
                " ".join([caption, *_verdicts(own)]), own, columns, y_label, events=stops, ringed="best",
            )
            for name, title, caption, columns, y_label in (
                (
                    "reward", "Reward", "Mean of a step's replies, each reward on a scale of its own.",
                    {"reward_mean": "reward", "held_out_reward": "reward on held-out prompts"}, "mean reward",
                ),
                (
                    "kl", "KL from the parent", "Over the whole vocabulary at the sampled positions.",
                    {"kl_full": "KL"}, "KL, nats a reply",
                ),
                (
                    "length", "Length of the replies", "Mean of a step's replies, their end not counted.",
                    {"reply_tokens": "length"}, "tokens",
                ),
                ("replies", "Replies", "What is wrong with a step's replies.", REPLY_COLUMNS, "share of replies"),
            )
        ]  # fmt: skip
    return [chart for chart in charts if chart]


def guard_events(log: pd.DataFrame) -> dict[str, list[int]]:
    """Steps at which a PPO run was stopped by the guard (one or none), and the step of `best`, likewise."""
    known = log.reindex(columns=["step", "checkpoint", "stopped"])
    return {
        "stopped": known.loc[known["stopped"].notna(), "step"].tolist(),
        "best": known.loc[known["checkpoint"] == "best", "step"].tolist()[-1:],
    }


def _verdicts(logs: Logs) -> list[str]:
    """What the guard did with the runs of one model, and which step was kept, in words."""
    told, best = [], []
    for (_, seed), log in logs.items():
        events = guard_events(log)
        told += [
            f"Seed {seed} was stopped at step {step}: {log['stopped'].iloc[-1]}." for step in events["stopped"]
        ]
        best += [(seed, step) for step in events["best"]]
    if len(best) == 1:
        told.append("The checkpoint best of seed {}, ringed, is step {}.".format(*best[0]))
    elif best:
        steps = ", ".join(f"{step} (seed {seed})" for seed, step in best)
        told.append(f"The checkpoints best, ringed, are steps {steps}.")
    return told
