"""Score files to tables.

scores.csv: run, seed, checkpoint, suite, group, metric, value, ci_low, ci_high, n; one row for every metric of
every group of every score; group `all` is the suite's own aggregate.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

COLUMNS = ["run", "seed", "checkpoint", "suite", "group", "metric", "value", "ci_low", "ci_high", "n"]


def scores_table(files: Iterable[str]) -> pd.DataFrame:
    """The rows of all score files, in the order of the files."""
    rows = []
    for file in files:
        score = json.loads(Path(file).read_text())
        head = {name: score[name] for name in ("run", "seed", "checkpoint", "suite")}
        rows.extend({**head, **row} for row in score["rows"])
    return pd.DataFrame(rows, columns=COLUMNS)
