"""Score files to tables.

scores.csv: run, seed, checkpoint, suite, group, metric, value, ci_low, ci_high, n; one row for every metric of
every group of every score; group `all` is the suite's own aggregate.
models.csv: MODEL_COLUMNS, one row for each model; `parent` is a model or a published one, which has no
`parent_checkpoint`, `checkpoint` the one that the model is judged by.
sources.csv: SOURCE_COLUMNS, one row for each set of files of a suite; `from` is the folder or the release,
`files` and `expected` how many there are and how many their home has, `sha256` their digest, `pinned` that of the
release that the suite was made with, `as_pinned` whether the two are the same, empty where none is pinned.
missing.csv: MISSING_COLUMNS, one row for each suite that was asked for and could not be had.
pair_cards.csv: CARD_COLUMNS, one row for each number of the card of a pair set (analysis/pair_cards.py);
of filters the quantities are `candidates` and the names of the filters, with how many each removed.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

MODEL_COLUMNS = ["run", "method", "parent", "parent_checkpoint", "checkpoint"]
SOURCE_COLUMNS = [
    "suite", "path", "files", "expected", "from", "url", "revision", "licence", "home",
    "sha256", "pinned", "as_pinned",
]  # fmt: skip
MISSING_COLUMNS = ["suite", "reason", "home"]
CARD_COLUMNS = ["pairs", "section", "quantity", "value", "ci_low", "ci_high"]
# Names are texts, whatever they look like: a group may be called "null".
_NAMES = {
    "run", "checkpoint", "against", "against_checkpoint", "suite", "group", "metric", "baseline", "trained_on",
    "test", "note", "best", "not_worse", "pairs", "section", "quantity", "method", "reward", "stopped",
    "reason", "path", "from", "url", "revision", "licence", "home", "sha256", "pinned",
    "prompt", "child", "corpus", "transcript", "reply",
    "parent", "parent_checkpoint",
}  # fmt: skip
COLUMNS = ["run", "seed", "checkpoint", "suite", "group", "metric", "value", "ci_low", "ci_high", "n"]


def scores_table(files: Iterable[str]) -> pd.DataFrame:
    """The rows of all score files, in the order of the files."""
    rows = []
    for file in files:
        score = json.loads(Path(file).read_text(encoding="utf-8"))
        head = {name: score[name] for name in ("run", "seed", "checkpoint", "suite")}
        rows.extend({**head, **row} for row in score["rows"])
    return pd.DataFrame(rows, columns=COLUMNS)


def models_table(models: Iterable[dict]) -> pd.DataFrame:
    """The rows of models.csv."""
    return pd.DataFrame(models, columns=MODEL_COLUMNS)


def sources_table(origins: Iterable[dict]) -> pd.DataFrame:
    """The rows of sources.csv from what the rule `suite` writes of each suite."""
    rows = []
    for origin in origins:
        place = {
            "suite": origin["suite"],
            "from": origin["release"] or origin["folder"],
            "url": origin["url"],
            "revision": origin["revision"],
        }
        for source in origin["sources"]:
            as_pinned = source["sha256"] == source["pinned"] if source["pinned"] else None
            rows.append(place | source | {"as_pinned": as_pinned})
    return pd.DataFrame(rows, columns=SOURCE_COLUMNS)


def missing_table(missing: Iterable[dict]) -> pd.DataFrame:
    """The rows of missing.csv."""
    return pd.DataFrame(missing, columns=MISSING_COLUMNS)


def pair_cards_table(cards: Iterable[dict]) -> pd.DataFrame:
    """The rows of pair_cards.csv, those that a set does not tell left out."""
    rows = []
    for card in cards:
        sections = {name: card[name] for name in ("sizes", "filters", "length", "overlap", "balance", "children")}
        sections["filters"] = {"candidates": card["filters"]["candidates"], **card["filters"]["removed"]}
        rows += [
            {"pairs": card["pairs"], "section": section, "quantity": quantity, "value": value}
            for section, own in sections.items()
            for quantity, value in (own or {}).items()
            if value is not None
        ]
        if alone := card["reply_only"]:
            interval = {name: alone[name] for name in ("ci_low", "ci_high")}
            head = {"pairs": card["pairs"], "section": "reply_only", "quantity": "accuracy_percent"}
            rows.append(head | {"value": alone["accuracy_percent"]} | interval)
    return pd.DataFrame(rows, columns=CARD_COLUMNS)


def read_table(path: str) -> pd.DataFrame:
    """A table of the report as it was written: names are texts, an empty number is NaN.

    In a table of no rows everything else is a float.
    """
    columns = pd.read_csv(path, nrows=0).columns
    missing = {name: [""] for name in columns if name not in _NAMES}
    table = pd.read_csv(path, dtype=dict.fromkeys(_NAMES, str), keep_default_na=False, na_values=missing)
    return table if len(table) else table.astype(dict.fromkeys(missing, float))
