"""BLiMP (Warstadt et al. 2020) as filtered for BabyLM: whole sentences, 67 paradigms, their unweighted mean."""

from pathlib import Path

import pandas as pd

from .base import Source, Suite, items_frame
from .records import read_jsonl

FIELDS = {"sentence_good": str, "sentence_bad": str, "UID": str}
HOME = "https://osf.io/ryjfm/"


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items of the paradigm files; the group is the field UID."""
    return items_frame(
        (
            f"{path.stem}_{number}",
            record["UID"],
            ["", ""],
            [record["sentence_good"], record["sentence_bad"]],
        )
        for path, number, record in read_jsonl(inputs["mirror"], FIELDS)
    )


def _suite(name: str, folder: str, description: str) -> Suite:
    return Suite(
        name, description, read, (Source(f"evaluation_data/{folder}/*.jsonl", HOME, "CC BY 4.0", count=67),)
    )


SUITES = {
    suite.name: suite
    for suite in (
        _suite("blimp", "full_eval/blimp_filtered", "BLiMP, filtered for BabyLM: grammatical minimal pairs"),
        _suite("blimp_fast", "fast_eval/blimp_fast", "BLiMP, 200 pairs of each paradigm"),
    )
}
