"""COMPS (Misra et al. 2023): a property after the concept that has it and after one that has not.

The release was not at hand when this was written: no digest of its files is pinned.
"""

from pathlib import Path

import pandas as pd

from .base import Suite, items_frame
from .records import read_jsonl
from .sources import BABYLM_HOME, Source

FIELDS = {"prefix_acceptable": str, "prefix_unacceptable": str, "property_phrase": str}


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items: the property phrase is scored after either prefix; the group is the subset (base, wugs, ...)."""
    return items_frame(
        (
            f"{path.stem}_{number}",
            path.stem.removeprefix("comps_").replace("-", "_"),
            [record["prefix_acceptable"] + " ", record["prefix_unacceptable"] + " "],
            [record["property_phrase"]] * 2,
        )
        for path, number, record in read_jsonl(inputs["mirror"], FIELDS)
    )


SUITES = {
    "comps": Suite(
        "comps",
        "COMPS: property knowledge and its inheritance",
        read,
        (
            Source(
                "evaluation_data/full_eval/comps/*.jsonl",
                BABYLM_HOME,
                "Apache-2.0",
                count=4,
                release="babylm_2025",
            ),
        ),
    )
}
