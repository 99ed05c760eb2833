"""The BabyLM supplement to BLiMP: whole dialogues and sentences, five sets, their unweighted mean."""

from pathlib import Path

import pandas as pd

from .base import Suite, items_frame
from .records import read_jsonl
from .sources import BABYLM_HOME, Source

FIELDS = {"sentence_good": str, "sentence_bad": str}


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items of the five files; the group is the file's stem."""
    return items_frame(
        (f"{path.stem}_{number}", path.stem, ["", ""], [record["sentence_good"], record["sentence_bad"]])
        for path, number, record in read_jsonl(inputs["mirror"], FIELDS)
    )


def _suite(name: str, folder: str, description: str, sha256: str) -> Suite:
    source = Source(
        f"evaluation_data/{folder}/*.jsonl", BABYLM_HOME, count=5, release="babylm_2025", sha256=sha256
    )
    return Suite(name, description, read, (source,))


SUITES = {
    suite.name: suite
    for suite in (
        _suite(
            "blimp_supplement",
            "full_eval/supplement_filtered",
            "BLiMP supplement: dialogue and questions",
            "23ee6e7e1efd4c6d6a83bac6ac64da5f88bdeee17e33f785e3e687a7f5a12a4f",
        ),
        _suite(
            "blimp_supplement_fast",
            "fast_eval/supplement_fast",
            "BLiMP supplement, 50 pairs of each set",
            "f2822eb38e0190b372b4ada071fbd4c74efd880a6960659b6db2977c5f68bcc9",
        ),
    )
}
