"""BLiMP (Warstadt et al. 2020) as filtered for BabyLM: whole sentences, 67 paradigms, their unweighted mean."""

from pathlib import Path

import pandas as pd

from .base import Suite, items_frame
from .records import read_jsonl
from .sources import BABYLM_HOME, Source

FIELDS = {"sentence_good": str, "sentence_bad": str, "UID": str}


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


def _suite(name: str, folder: str, description: str, sha256: str) -> Suite:
    source = Source(
        f"evaluation_data/{folder}/*.jsonl",
        BABYLM_HOME,
        "CC BY 4.0",
        count=67,
        release="babylm_2025",
        sha256=sha256,
    )
    return Suite(name, description, read, (source,))


SUITES = {
    suite.name: suite
    for suite in (
        _suite(
            "blimp",
            "full_eval/blimp_filtered",
            "BLiMP, filtered for BabyLM: grammatical minimal pairs",
            "ce2f587b4006ab3d30adea48cd1449cc7fba13510dd2ad58a4bae062c9e77f98",
        ),
        _suite(
            "blimp_fast",
            "fast_eval/blimp_fast",
            "BLiMP, 200 pairs of each paradigm",
            "206c34c355505d91fee9296e6db77017503865e84c9f66975e3ce2310e066443",
        ),
    )
}
