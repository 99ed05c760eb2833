"""The dialogue minimal pairs that Padovani et al. (2025) published; one-sided in their overlap filter."""

from pathlib import Path

import pandas as pd

from .base import Source, Suite, items_frame
from .dialogue_pairs import COLUMNS, evaluate, rows, with_pairs
from .records import read_json_list


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items of a JSON list of objects with prompt, chosen and rejected; prompt and reply are scored."""
    (path,) = inputs["mirror"]
    records = read_json_list(path, dict.fromkeys(COLUMNS, str))
    items = items_frame(
        (
            f"pair_{number}",
            "pairs",
            ["", ""],
            [f"{record['prompt']} {record['chosen']}", f"{record['prompt']} {record['rejected']}"],
        )
        for number, record in enumerate(records, start=1)
    )
    return with_pairs(items, pd.DataFrame(records, columns=COLUMNS))


SUITES = {
    f"dialogue_{unit}_published": Suite(
        f"dialogue_{unit}_published",
        f"Published dialogue minimal pairs matched in {unit}",
        read,
        (Source(f"dialogue_minimal_pairs/{unit}.json", "the data of arXiv 2510.20358"),),
        evaluator=evaluate,
        aggregator=rows,
    )
    for unit in ("words", "tokens")
}
