"""The report as one self-contained HTML page: what was run, tables, figures, items. No network is asked.

Its scripts only make it pleasant: without them, and on paper, everything can be read.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..analysis.differences import SAME_WEIGHTS
from ..analysis.rewarded_runs import CORRELATION_COLUMNS, RUN_COLUMNS
from .beside_paper import beside_paper
from .charts import (
    DPO_COLUMNS,
    DPO_PARTS,
    Chart,
    Logs,
    dpo_charts,
    learning_curve,
    peak,
    pretrain_charts,
    reinforcement_charts,
)
from .drawing import inline_svg, vega
from .figures import Figure
from .items import COMPACT, items_section
from .layers import CONFIG, legend, specification
from .published import published_trajectory
from .replies import REPLY_COLUMNS, side_by_side
from .run_record import STAGE_COLUMNS, run_record
from .scores_section import SuiteTable, bars, suite_metrics, suite_table
from .summary import Cell, cells, decimals, headline, pool
from .tables import missing_table, pair_cards_table, sources_table

_SEES = {True: "reply alone", False: "shallow"}


@dataclass(frozen=True)
class Results:
    """What the page shows."""

    models: Sequence[Mapping[str, Any]]
    """Rows of the table of models: run, method, checkpoint (the one that is shown), and where they have one
    parent, text, pairs, reward; paper, the fields of `paper_models.Follows`, of a model of the paper."""
    seeds: Sequence[int]
    source: str
    """Source of the transcripts: toy or local."""
    judge: str | None
    """Row of `published` that gave the LLM score, if any model is rewarded by it."""
    statistics: Mapping[str, Any]
    """Counts as corpus_statistics gives them."""
    scores: pd.DataFrame
    """The columns of scores.csv."""
    comparisons: pd.DataFrame
    """The columns of comparisons.csv."""
    baselines: pd.DataFrame
    """The columns of baselines.csv."""
    trajectories: pd.DataFrame
    """The columns of trajectories.csv."""
    fits: pd.DataFrame
    """The columns of trajectory_fits.csv."""
    logs: Logs
    """(run, seed) -> the training log."""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """Suite -> what it is, in a line."""
    sources: pd.DataFrame = field(default_factory=lambda: sources_table([]))
    """The columns of sources.csv, as text."""
    missing: pd.DataFrame = field(default_factory=lambda: missing_table([]))
    """The columns of missing.csv, as text."""
    pair_cards: pd.DataFrame = field(default_factory=lambda: pair_cards_table([]))
    """The columns of pair_cards.csv."""

    rewarded_runs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=RUN_COLUMNS))
    """The columns of rewarded_runs.csv."""
    correlations: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CORRELATION_COLUMNS))
    """The columns of reward_correlations.csv."""
    items: Mapping[str, Any] = field(default_factory=dict)
    """What the page has of items.parquet, as `items.page_data` gives it."""

    judge_fits: bool = True
    """Whether the scores of that judge mean anything."""
    pair_suites: Mapping[str, tuple[str | None, bool]] = field(default_factory=dict)
    """Suite that is a pair set -> the suite of the paper that it is held against, if any, and whether it has
    the same items. Every other suite is the paper's of its name."""
    quotes: bool = True
    """Whether lines of the transcripts may stand on the page."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Run -> what the settings.yaml of its first seed has."""
    stages: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=STAGE_COLUMNS))
    """What the stages took, as stages_table gives it."""
    replies: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=REPLY_COLUMNS))
    """The columns of replies.csv."""
    sampling: Mapping[str, Any] | None = None
    """How the replies were sampled: the fields of ReplySettings; None: there are none."""

    @property
    def checkpoints(self) -> dict[str, str]:
        """Run -> the checkpoint that is shown."""
        return {model["run"]: model["checkpoint"] for model in self.models}


@dataclass(frozen=True)
class Charts:
    """The charts of the page, in its order."""

    learning_curves: list[Chart]
    pretraining: list[Chart]
    tuning: list[Chart]

    @property
    def figures(self) -> list[Figure]:
        """Their figures."""
        return [chart.figure for chart in (*self.learning_curves, *self.pretraining, *self.tuning)]


def draw(results: Results) -> Charts:
    """The charts of the results."""
    logs = _logs(results)
    tuning = [*dpo_charts(logs["dpo"]), *reinforcement_charts(logs["rewarded"])]
    return Charts(_learning_curves(results), pretrain_charts(logs["pretrain"]), tuning)


def render(results: Results, charts: Charts) -> str:
    """The page. Every text that comes from a file or the configuration is escaped."""
    templates = Environment(
        loader=PackageLoader("babylogue.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        function.__name__: function
        for function in (number, signed, interval, count, breakable, peak, card_value, clock)
    }
    templates.filters |= {
        "svg": lambda figure: Markup(inline_svg(figure)),
        "spec": specification,
        "legend": legend,
    }
    templates.tests["undefined_number"] = lambda value: not math.isfinite(value)
    templates.policies["json.dumps_kwargs"] = COMPACT
    logs = _logs(results)
    real = results.source != "toy"
    scored = cells(results.scores, results.checkpoints)
    suites = [
        suite_table(
            suite,
            own,
            results.models,
            scored=scored,
            description=results.descriptions.get(suite, ""),
            comparisons=results.comparisons,
            baselines=results.baselines,
            paper_suite=_same_items(results, suite) if real else None,
        )
        for suite, own in results.scores.groupby("suite", sort=False)
    ]
    runs = [model["run"] for model in results.models]
    return templates.get_template("page.html").render(
        results=results,
        runs=runs,
        record=run_record(results.settings),
        unmoved=_unmoved(results),
        beside=beside_paper(scored if real else {}, results.models, results.pair_suites),
        words=_words(logs["pretrain"]),
        small_judge=results.judge is not None and not results.judge_fits,
        suites=suites,
        comparisons=_comparisons(results),
        baselines=_baselines(results, scored),
        pair_sets=list(dict.fromkeys(results.pair_cards["pairs"])),
        pair_cards=_pair_cards(results.pair_cards),
        learning_curves=charts.learning_curves,
        fits=_fits(results.fits, suites),
        pretraining=charts.pretraining,
        tuning=charts.tuning,
        figure_config=CONFIG,
        vega=Markup(vega()) if charts.figures else "",
        replies=side_by_side(results.replies, list(results.checkpoints)),
        evaluations=_evaluations(logs["dpo"]),
        items=items_section(results.items, results.models),
        evaluated=[(quantity, part) for quantity in DPO_COLUMNS.values() for part in DPO_PARTS.values()],
    )


def number(value: float, metric: str) -> str:
    """A finite value of a metric as text; a dash where there is none, such as the chance level of a count."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    return f"{value:z.{decimals(metric)}f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float, metric: str) -> str:
    """A difference as text, with its sign unless it is shown as zero."""
    text = number(value, metric)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def interval(cell: Cell, metric: str) -> str:
    """The ends of an interval as text, empty where there is none."""
    if not (math.isfinite(cell.low) and math.isfinite(cell.high)):
        return ""
    return f"[{number(cell.low, metric)}, {number(cell.high, metric)}]"


def count(value: float) -> str:
    """A whole number with its thousands apart."""
    return f"{int(value):,}"


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds, 3725 -> 1:02:05; a dash where they are not known."""
    if not math.isfinite(seconds):
        return "\N{EN DASH}"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def breakable(name: str) -> Markup:
    """A name that may wrap after its underscores, escaped."""
    return Markup("_<wbr>").join(name.split("_"))


def card_value(row: pd.Series, quantity: str) -> str:
    """A number of a card as text, with its interval if it has one."""
    if quantity.endswith("_percent"):
        ends = f" [{row['ci_low']:.1f}, {row['ci_high']:.1f}]" if math.isfinite(row["ci_low"]) else ""
        return f"{row['value']:.1f}{ends}"
    return signed(row["value"], "difference") if quantity.startswith("mean_difference") else count(row["value"])


def _same_items(results: Results, suite: str) -> str | None:
    """The suite of the paper's table that has the items of a suite."""
    paper_suite, same_items = results.pair_suites.get(suite, (suite, True))
    return paper_suite if same_items else None


def _logs(results: Results) -> dict[str, Logs]:
    """The logs of the models, by kind of training."""
    kinds = {"pretrain": ("pretrain",), "dpo": ("dpo",), "rewarded": ("ppo", "grpo", "rloo")}
    return {
        kind: {key: log for key, log in results.logs.items() if _method(results, key[0]) in methods}
        for kind, methods in kinds.items()
    }


def _method(results: Results, run: str) -> str | None:
    return next((model["method"] for model in results.models if model["run"] == run), None)


def _unmoved(results: Results) -> set[str]:
    """The runs that are shown at a checkpoint with the weights of their parent, in every seed.

    Those on rewarded replies are known by their best step too, since not every run is compared.
    """
    kept = results.rewarded_runs.groupby("run")["best_step"].max()
    unmoved = {run for run, step in kept.items() if step == 0 and results.checkpoints.get(run) == "best"}
    same = results.comparisons[results.comparisons["test"] == SAME_WEIGHTS]
    started_from = {
        (model["run"], model.get("parent"), model.get("parent_checkpoint")) for model in results.models
    }
    sides = set(same[["run", "against", "against_checkpoint"]].itertuples(index=False, name=None))
    return unmoved | {run for run, *_ in sides & started_from}


def _words(logs: Logs) -> dict[str, int]:
    """Run -> words seen in training, the most of any seed."""
    words: dict[str, int] = {}
    for (run, _), log in logs.items():
        if len(log):
            words[run] = max(words.get(run, 0), int(log["words"].iloc[-1]))
    return words


def _evaluations(logs: Logs) -> list[tuple[str, int, pd.Series, list[float]]]:
    """Run, seed, row of the log and the numbers of the table for every evaluation during DPO."""
    columns = [f"{part}_{name}" for name in DPO_COLUMNS for part in DPO_PARTS]
    return [
        (*key, row, row[columns].tolist())
        for key, log in logs.items()
        if set(columns) <= set(log)
        for _, row in log.iterrows()
    ]


@dataclass(frozen=True)
class _Comparisons:
    contrasts: list[tuple[str, str, str]]
    """Run, against, and the checkpoint of the latter."""
    rows: list[tuple[str, str, int, list[pd.Series | None]]]
    """Suite, metric, items, and a row of comparisons.csv or None for each contrast."""
    family: int
    """Tests that p is adjusted for."""
    marked: int


def _comparisons(results: Results) -> _Comparisons:
    table, keys = results.comparisons, ["run", "against", "against_checkpoint"]
    runs = [model["run"] for model in results.models]
    contrasts = list(dict.fromkeys(table[keys].itertuples(index=False, name=None)))
    contrasts.sort(key=lambda contrast: runs.index(contrast[0]))
    rows = []
    for (suite, metric), own in table.groupby(["suite", "metric"], sort=False):
        found = {tuple(row[keys]): row for _, row in own.iterrows()}
        rows.append((suite, metric, int(own["n"].max()), [found.get(contrast) for contrast in contrasts]))
    family = table["family"].dropna()
    return _Comparisons(contrasts, rows, int(family.max()) if len(family) else 0, int(table["differs"].sum()))


@dataclass(frozen=True)
class _Baselines:
    """Accuracies on dialogue suites: shallow baselines, and the models beside them."""

    columns: list[tuple[str, str, str, int]]
    """Suite, metric, the pairs that the baselines learnt from, items."""
    rows: list[tuple[str, bool, list[Cell | None]]]
    """Name, whether it sees the reply alone, and a cell for each column."""
    models: list[tuple[str, list[Cell | None]]]


def _baselines(results: Results, scored: Mapping[tuple[str, str, str, str], Cell]) -> _Baselines:
    table = results.baselines
    columns = [
        (*key, int(own["n"].max())) for key, own in table.groupby(["suite", "metric", "trained_on"], sort=False)
    ]
    rows = []
    for (name, reply_only), own in table.groupby(["baseline", "reply_only"], sort=False):
        found = {key: pool(row, key[1]) for key, row in own.groupby(["suite", "metric"])}
        rows.append((name, bool(reply_only), [found.get(column[:2]) for column in columns]))
    models = [
        (model["run"], [scored.get((model["run"], suite, "all", metric)) for suite, metric, *_ in columns])
        for model in results.models
    ]
    return _Baselines(columns, rows, [(run, own) for run, own in models if any(own)])


def _pair_cards(table: pd.DataFrame) -> list[tuple[str, list[tuple[str, list[pd.Series | None]]]]]:
    """Section -> quantity -> its row of pair_cards.csv for each pair set, None where a set has no such number."""
    sets = dict.fromkeys(table["pairs"])
    sections = []
    for section, own in table.groupby("section", sort=False):
        rows = []
        for quantity, numbers in own.groupby("quantity", sort=False):
            found = {row["pairs"]: row for _, row in numbers.iterrows()}
            rows.append((quantity, [found.get(name) for name in sets]))
        sections.append((section, rows))
    return sections


def _fits(table: pd.DataFrame, suites: list[SuiteTable]) -> list[pd.Series]:
    """The fitted curves of the suites' headline metrics."""
    shown = {(suite.name, suite.metric) for suite in suites}
    return [row for _, row in table.iterrows() if not row["note"] and (row["suite"], row["metric"]) in shown]


def _learning_curves(results: Results) -> list[Chart]:
    """A chart for every suite in which some model was scored at more than one point, in its headline metric."""
    charts = []
    for suite, scores in results.scores.groupby("suite", sort=False):
        metric = headline(suite_metrics(scores))
        own = results.trajectories[results.trajectories["suite"] == suite]
        shown = own[own["metric"] == metric]
        if len(shown) and shown.groupby("run")["words"].nunique().max() > 1:
            fits = results.fits[(results.fits["suite"] == suite) & (results.fits["metric"] == metric)]
            references = [
                (f"{name} ({_SEES[alone]})", value) for name, alone, value in bars(results.baselines, suite)
            ]
            charts.append(learning_curve(suite, metric, own, fits, references))
            paper_suite, same_items = results.pair_suites.get(suite, (suite, True))
            theirs = published_trajectory(paper_suite or "")
            # Generated talk compares with nobody's.
            if results.source != "toy" and set(theirs["metric"]) & set(own["metric"]):
                rule = theirs["metric"].iloc[0]
                charts.append(
                    learning_curve(suite, rule, own, fits.head(0), theirs=theirs, other_items=not same_items)
                )
    return charts
