"""Hand-made scores, logs and tables of invented models, and the page that is drawn of them."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd

from babylogue.analysis.comparisons import Contrast, comparisons_table
from babylogue.analysis.fits import trajectory_fits
from babylogue.analysis.rewarded_runs import CORRELATION_COLUMNS, RUN_COLUMNS
from babylogue.analysis.trajectories import trajectories
from babylogue.report.page import Results, draw, render
from babylogue.report.tables import CARD_COLUMNS, COLUMNS

VOID = {"meta", "link", "wbr", "br"}

MODELS = [
    {"run": "base", "method": "pretrain", "checkpoint": "final", "text": "triplets",
     "paper": {"model": "base", "mended": False}},
    {"run": "dpo_natural", "method": "dpo", "checkpoint": "final", "parent": "base", "parent_checkpoint": "final",
     "pairs": "natural"},
    {"run": "ppo_bleu", "method": "ppo", "checkpoint": "final", "parent": "base", "parent_checkpoint": "final",
     "reward": "bleu"},
]  # fmt: skip

REWARDED_RUNS = pd.DataFrame(
    [
        ("ppo_bleu", 0, "ppo", "bleu", 960, 40, 60, "KL <above> 2", 0.16, 0.05, 0.27, 0.11, 0.25, 0.27, 51.0, 52.3,
         49.0, 0.0, 1.75, 2.5, 3.1, 2.9, 2.8, 0.61, 0.57, 0.4),
    ],
    columns=RUN_COLUMNS,
)  # fmt: skip

CORRELATIONS = pd.DataFrame(
    [("ppo_bleu", "bleu", 1, 30, 0.41, 0.1, 0.62), ("ppo_bleu", "bleu", 0, 0, *[np.nan] * 3)],
    columns=CORRELATION_COLUMNS,
)

LOGS = {
    "base": pd.DataFrame(
        {
            "words": [50_040, 80_000, 100_010],
            "validation_loss": [3.4, 3.6, 3.5],
            "checkpoint": ["chck_50K best", None, "final"],
        }
    ),
    "dpo_natural": pd.DataFrame(
        {
            "step": [0, 10],
            "epoch": [0.0, 0.5],
            "train_accuracy": [61.0, 83.0],
            "heldout_accuracy": [60.0, 64.0],
            "train_loss": [0.6931, 0.41],
            "heldout_loss": [0.6931, 0.6],
            "train_reward_accuracy": [0.0, 91.0],
            "heldout_reward_accuracy": [0.0, 70.0],
            "train_reward_margin": [0.0, 0.9],
            "heldout_reward_margin": [0.0, 0.25],
            "train_reward_chosen": [0.0, 0.4],
            "heldout_reward_chosen": [0.0, 0.05],
            "train_reward_rejected": [0.0, -0.5],
            "heldout_reward_rejected": [0.0, -0.2],
        }
    ),
    "ppo_bleu": pd.DataFrame(
        {"step": [0, 1], "reward_mean": [0.1, 0.2], "kl_full": [0.0, 0.4], "held_out_accuracy": [60.0, np.nan]}
    ),
}

PART = {"transcripts": 3, "children": 2, "triplets": 1234, "words": 9876, "types": 55, "left_out_as_seen": 7}

SAID = {"utterances": 40, "words": 200, "types": 30}

STATISTICS = {
    "files": {"files": 4, "read": 3, "rejected": 1},
    "corpora": {"Invented": {"transcripts": 3, "children": 2, **SAID}},
    "roles": {"Target_Child": SAID, "Mother": SAID},
    "ages": {"2": SAID, "unknown": SAID},
    "parts": {"pretrain": PART, "test": PART},
}


def row(run, suite, value, *, checkpoint="final", group="all", metric="accuracy", seed=0, half=2.0, n=200):
    return (run, seed, checkpoint, suite, group, metric, value, value and value - half, value and value + half, n)


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=COLUMNS)


SCORES = table(
    row("base", "dialogue_words", 51.3, checkpoint="chck_50K"),
    row("base", "dialogue_words", 57.1),
    row("dpo_natural", "dialogue_words", 61.9),
    row("ppo_bleu", "dialogue_words", 55.4),
    *(
        row("base", "toy_grammar", value, group=group)
        for group, value in (("all", 71.7), ("x", 80.2), ("y", 63.3))
    ),
    row("base", "wug_adj", -0.26, metric="spearman", half=0.1),
    row("dpo_natural", "wug_adj", None, metric="spearman"),
)

BASELINES = pd.DataFrame(
    [
        ("dialogue_words", "bigram", True, "accuracy", 50.6, 200),
        ("dialogue_words", "bigram", True, "accuracy_no_shared_token", 77.7, 90),
        ("dialogue_words", "word_crosses", False, "accuracy", 63.8, 200),
        ("dialogue_words", "word_crosses", False, "accuracy_no_shared_token", 58.1, 90),
    ],
    columns=["suite", "baseline", "reply_only", "metric", "value", "n"],
).assign(ci_low=48.0, ci_high=66.0, trained_on="natural")


def difference(run, suite, value, p, *, half=2.0, metric="accuracy", against="base", against_checkpoint="final"):
    contrast = Contrast(run, "final", against, against_checkpoint)._asdict()
    numbers = {"difference": value, "ci_low": value - half, "ci_high": value + half, "p": p}
    sides = frozenset(((run, "final"), (against, against_checkpoint)))
    others = {"suite": suite, "metric": metric, "test": "mcnemar_exact", "n": 200, "seeds": 1, "sides": sides}
    return contrast | numbers | others


COMPARISONS = comparisons_table(
    [
        difference("dpo_natural", "dialogue_words", 4.8, 1e-6),
        difference("ppo_bleu", "dialogue_words", -1.7, 0.4),
        difference("ppo_bleu", "dialogue_words", -6.5, 0.001, against="dpo_natural", against_checkpoint="best"),
        difference("dpo_natural", "wug_adj", 0.12, 0.04, half=0.1, metric="spearman"),
        difference("ppo_bleu", "wug_adj", np.nan, np.nan, metric="spearman"),
    ]
)

CARDS = pd.DataFrame(
    [
        ("natural", "sizes", "pairs", 4321.0, np.nan, np.nan),
        ("natural", "filters", "short_prompt", 77.0, np.nan, np.nan),
        ("natural", "length", "mean_difference_tokens", 0.25, np.nan, np.nan),
        ("natural", "reply_only", "accuracy_percent", 49.96, 48.5, 51.5),
        ("mixed", "sizes", "pairs", 1500.0, np.nan, np.nan),
    ],
    columns=CARD_COLUMNS,
)


def results_of(scores=SCORES, models=MODELS, logs=LOGS, seeds=(0,), **changes) -> Results:
    runs = [model["run"] for model in models]
    curves = trajectories(scores, {("base", seed): 100_010 for seed in seeds})
    own_logs = {(run, seed): logs[run] for run in runs if run in logs for seed in seeds}
    given = {
        "models": models,
        "seeds": list(seeds),
        "source": "toy",
        "judge": "smollm2",
        "judge_fits": False,
        "statistics": STATISTICS,
        "scores": scores,
        "comparisons": COMPARISONS,
        "baselines": BASELINES,
        "pair_cards": CARDS,
        "trajectories": curves,
        "fits": trajectory_fits(curves),
        "logs": own_logs,
        "descriptions": {"toy_grammar": "Invented grammar"},
    }
    return Results(**given | changes)


def page_of(*given, **changes) -> str:
    results = results_of(*given, **changes)
    return render(results, draw(results))


class Page(HTMLParser):
    """Checks that elements nest, and collects attributes, ids, and every table as rows of texts."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.attributes, self.tables, self.text = [], [], {}, []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.rows, self.caption = [], ""
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "small":
            self.rows[-1][-1] += " "

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"
        if tag == "table":
            self.tables[self.caption.strip()] = [[" ".join(cell.split()) for cell in cells] for cells in self.rows]

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text.append(data)
        if "caption" in self.open:
            self.caption += data
        elif {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def table(self, start: str) -> dict[str, list[str]]:
        (found,) = (rows for caption, rows in self.tables.items() if caption.startswith(start))
        return {cells[0]: cells[1:] for cells in found}

    def scores(self) -> dict[tuple[str, str], str]:
        """(suite, heading of the column) -> the text of the main table's cell."""
        head, *rows = next(rows for caption, rows in self.tables.items() if caption.startswith("Scores;"))
        names = [heading.split()[0] for heading in head]
        return {
            (cells[0].split()[0], name): cell for cells in rows for name, cell in zip(names, cells, strict=True)
        }
