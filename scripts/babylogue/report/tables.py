"""Score files to tables.

scores.csv: run, seed, checkpoint, suite, group, metric, value, ci_low, ci_high, n; one row for every metric of
every group of every score; group `all` is the suite's own aggregate.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

# Names are texts, whatever they look like: a group may be called "null".
_NAMES = {
    "run", "checkpoint", "against", "against_checkpoint", "suite", "group", "metric", "baseline", "trained_on",
    "test", "note", "best", "not_worse",
}  # fmt: skip
COLUMNS = ["run", "seed", "checkpoint", "suite", "group", "metric", "value", "ci_low", "ci_high", "n"]


def scores_table(files: Iterable[str]) -> pd.DataFrame:
    """The rows of all score files, in the order of the files."""
    rows = []
    for file in files:
        score = json.loads(Path(file).read_text())
        head = {name: score[name] for name in ("run", "seed", "checkpoint", "suite")}
        rows.extend({**head, **row} for row in score["rows"])
    return pd.DataFrame(rows, columns=COLUMNS)


def read_table(path: str) -> pd.DataFrame:
    """A table of the report as it was written: names are texts, an empty number is NaN."""
    columns = pd.read_csv(path, nrows=0).columns
    missing = {name: [""] for name in columns if name not in _NAMES}
    return pd.read_csv(path, dtype=dict.fromkeys(_NAMES, str), keep_default_na=False, na_values=missing)
