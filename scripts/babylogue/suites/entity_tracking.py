"""Entity tracking (Kim & Schuster 2023) as five-way choice: what is in the box after a number of operations."""

from collections import Counter
from functools import partial
from pathlib import Path

import pandas as pd

from ..errors import UserError
from .base import Suite, accuracy_rows, items_frame
from .records import read_jsonl
from .sources import BABYLM_HOME, Source

FIELDS = {"input_prefix": str, "options": list, "numops": int}


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items: the options after the prefix, options[0] right; the group is {split}_{numops}_ops."""
    rows = []
    for path, number, record in read_jsonl(inputs["mirror"], FIELDS):
        options = record["options"]
        if len(options) < 2 or not all(isinstance(option, str) and option.strip() for option in options):
            raise UserError(f"{path}, line {number}: field 'options' must be two or more strings, none empty")
        group = f"{path.stem}_{record['numops']}_ops"
        rows.append((f"{path.stem}_{number}", group, [record["input_prefix"]] * len(options), options))
    return items_frame(rows)


def split_weights(groups: list[str]) -> list[float]:
    """Weights for the mean over splits of the mean over numbers of operations."""
    splits = [group.rsplit("_", 2)[0] for group in groups]
    cells = Counter(splits)
    return [1 / (len(cells) * cells[split]) for split in splits]


def _suite(name: str, folder: str, count: int, description: str, sha256: str) -> Suite:
    source = Source(
        f"evaluation_data/{folder}/*.jsonl", BABYLM_HOME, count=count, release="babylm_2025", sha256=sha256
    )
    aggregator = partial(accuracy_rows, weigh=split_weights)
    return Suite(name, description, read, (source,), aggregator=aggregator, choices=5)


SUITES = {
    suite.name: suite
    for suite in (
        _suite(
            "entity_tracking",
            "full_eval/entity_tracking",
            3,
            "Entity tracking: the content of boxes",
            "38b462cf8fbb9ddedd1905e0cec6861b03ffc62ab2c7c20dda23343c96c0464a",
        ),
        _suite(
            "entity_tracking_fast",
            "fast_eval/entity_tracking_fast",
            1,
            "Entity tracking, regular split only",
            "054ef35e74c3410c86087538280e7be1a5701a9bd025a3832601e4bc33110b15",
        ),
    )
}
