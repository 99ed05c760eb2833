"""The BabyLM supplement to BLiMP: whole dialogues and sentences, five sets, their unweighted mean."""

from pathlib import Path

import pandas as pd

from .base import Source, Suite, items_frame
from .records import read_jsonl

FIELDS = {"sentence_good": str, "sentence_bad": str}
HOME = "https://osf.io/ryjfm/"


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items of the five files; the group is the file's stem."""
    return items_frame(
        (f"{path.stem}_{number}", path.stem, ["", ""], [record["sentence_good"], record["sentence_bad"]])
        for path, number, record in read_jsonl(inputs["mirror"], FIELDS)
    )


def _suite(name: str, folder: str, description: str) -> Suite:
    return Suite(name, description, read, (Source(f"evaluation_data/{folder}/*.jsonl", HOME, count=5),))


SUITES = {
    suite.name: suite
    for suite in (
        _suite("blimp_supplement", "full_eval/supplement_filtered", "BLiMP supplement: dialogue and questions"),
        _suite("blimp_supplement_fast", "fast_eval/supplement_fast", "BLiMP supplement, 50 pairs of each set"),
    )
}
