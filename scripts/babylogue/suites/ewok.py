"""EWoK core 1.0 (Ivanova et al. 2024): which of two targets follows the context, eleven domains.

Its terms forbid plain-text copies: the files come from the gated home with the user's own token, and nothing of
them is quoted in messages.
"""

from pathlib import Path

import pandas as pd

from .base import Source, Suite, items_frame
from .records import read_jsonl

FIELDS = {field: str for field in ("Domain", "Context1", "Context2", "Target1", "Target2")}
HOME = "https://huggingface.co/datasets/ewok-core/ewok-core-1.0"


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items: Context1 with Target1 (right) and Target2, the target scored; the files hold the swapped item too."""
    return items_frame(
        (
            f"{path.stem}_{number}",
            record["Domain"],
            [record["Context1"]] * 2,
            [" " + record["Target1"], " " + record["Target2"]],
        )
        for path, number, record in read_jsonl(inputs["mirror"], FIELDS)
    )


def _suite(name: str, folder: str, description: str) -> Suite:
    source = Source(
        f"evaluation_data/{folder}/*.jsonl", HOME, "EWoK terms, no plain-text redistribution", count=11, gated=True
    )
    return Suite(name, description, read, (source,))


SUITES = {
    suite.name: suite
    for suite in (
        _suite("ewok", "full_eval/ewok_filtered", "EWoK: elements of world knowledge"),
        _suite("ewok_fast", "fast_eval/ewok_fast", "EWoK, 100 items of each domain"),
    )
}
