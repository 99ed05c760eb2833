"""The charts of the page: which lines of which table they show, and the words that describe them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..analysis.fits import curve
from .figures import Line, line_chart, short_count
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
    """A chart with its caption."""

    svg: str
    title: str
    caption: str
    metric: str | None = None
    points: Sequence[tuple[str, int, Cell]] = ()
    """The numbers behind a learning curve: run, words, cell."""


Logs = Mapping[tuple[str, int], pd.DataFrame]


def learning_curve(
    name: str,
    suite: str,
    metric: str,
    own: pd.DataFrame,
    fits: pd.DataFrame,
    references: Sequence[tuple[str, float]] = (),
) -> Chart:
    """A suite over words seen, one line a model, seeds pooled.

    Args:
        own: the trajectories of the suite in that metric.
        fits: the forms of these curves (columns of trajectory_fits.csv).
        references: levels drawn beside chance.
    """
    lines, fitted, parts, points = [], [], [], []
    forms = {row["run"]: row for _, row in fits.iterrows()}
    for style, (run, rows) in enumerate(own.groupby("run", sort=False)):
        # By name: seeds reach `final` a few words apart.
        at = [(round(seeds["words"].mean()), pool(seeds, metric)) for _, seeds in rows.groupby("checkpoint")]
        pooled = dict(sorted(at, key=lambda point: point[0]))
        columns = [[getattr(cell, name) for cell in pooled.values()] for name in ("value", "low", "high")]
        form = forms.get(run)
        ringed = form["peak_words"] if form is not None and form["falls"] else None
        lines.append(Line(run, list(pooled), *columns, style=style, ringed=ringed))
        if form is not None and bends(form) and not form["falls"]:
            x = np.geomspace(min(pooled), max(pooled), 80)
            fitted.append(Line(run, x, curve(form, x), style=style, fitted=True))
        parts.append(_ends(lines[-1], metric, lambda words: f"{short_count(words)} words"))
        points += [(run, words, cell) for words, cell in pooled.items()]
    level = chance(suite, metric)
    known = [("chance", level)] if np.isfinite(level) else []
    y_label = f"{metric}{', ' + unit(metric) if unit(metric) else ''}"
    svg = line_chart(
        name, [*lines, *fitted], x_label="words seen", y_label=y_label, log_x=True,
        references=[*known, *references],
        alt=f"{suite}, {metric} over words seen. {' '.join(parts)}",
    )  # fmt: skip
    caption = [f"{metric} over words seen, the final checkpoint last.", *map(in_words, forms.values())]
    return Chart(svg, suite, " ".join(filter(None, caption)), metric, points)


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
    """A column of the models' logs, one line a seed; None if no log has a number in it.

    `x` and `y` are a column and the text of its axis.
    """
    styles = {run: style for style, run in enumerate(dict.fromkeys(run for run, _ in logs))}
    columns = [x[0], y[0]]
    lines = [
        Line(run, *known.to_numpy(dtype=float).T, style=styles[run])
        for (run, _), log in logs.items()
        if set(columns) <= set(log.columns) and len(known := log[columns].dropna())
    ]
    if not lines:
        return None
    alt = " ".join(_ends(line, y[0], lambda at: f"{x[1]} {short_count(at)}") for line in lines)
    svg = line_chart(name, lines, x_label=x[1], y_label=y[1], alt=f"{title}. {alt}", log_x=log_x)
    return Chart(svg, title, caption)


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
    for number, run in enumerate(dict.fromkeys(run for run, _ in logs)):
        own = {key: log for key, log in logs.items() if key[0] == run}
        charts += [
            _columns_chart(
                f"dpo-parts-{number}",
                f"Training and held-out accuracy of {run}",
                "A sample of the training pairs as large as the held-out set; where only the training pairs gain, "
                "the model memorises.",
                own,
                {f"{part}_accuracy": text for part, text in DPO_PARTS.items()},
                "accuracy, %",
            ),
            _columns_chart(
                f"dpo-rewards-{number}",
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
        Line(label, *known.to_numpy(dtype=float).T, style=style, ringed=next(iter(rings), None))
        for style, (column, label) in enumerate(columns.items())
        for log in logs.values()
        if column in log and len(known := log[["step", column]].dropna())
        for rings in [guard_events(log)[ringed] if ringed else []]
    ]
    if not lines:
        return None
    alt = " ".join(_ends(line, "reward", lambda at: f"step {short_count(at)}") for line in lines)
    svg = line_chart(name, lines, x_label="step", y_label=y_label, alt=f"{title}. {alt}", events=events)
    return Chart(svg, title, caption)


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
    for number, run in enumerate(dict.fromkeys(run for run, _ in logs)):
        own = {key: log for key, log in logs.items() if key[0] == run}
        stops = [step for log in own.values() for step in guard_events(log)["stopped"]]
        charts += [
            _columns_chart(
                f"ppo-{name}-{number}", f"{title} of {run}", " ".join([caption, *_verdicts(own)]), own, columns,
                y_label, events=[("stopped", step) for step in stops], ringed="best",
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
    told = []
    for (_, seed), log in logs.items():
        events = guard_events(log)
        told += [
            f"Seed {seed} was stopped at step {step}: {log['stopped'].iloc[-1]}." for step in events["stopped"]
        ]
        told += [f"The checkpoint best of seed {seed}, ringed, is step {step}." for step in events["best"]]
    return told
