"""EWoK core 1.0 (Ivanova et al. 2024): which of two targets follows the context, eleven domains.

Its terms forbid plain-text copies: `ewok` comes from the gated home with the user's own token (ewok_release.py);
`ewok_fast` lies in the BabyLM data as a zip whose password the pipeline's README tells, and is read from there.
Nothing of the items is quoted in messages. No release was at hand when this was written: no digest is pinned.
"""

import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from ..errors import UserError
from ..file_names import is_hidden
from ..network.archive import BadArchive, safe_members
from .base import Suite, items_frame
from .records import read_jsonl
from .sources import BABYLM_HOME, Source

FIELDS = {field: str for field in ("Domain", "Context1", "Context2", "Target1", "Target2")}
HOME = "https://huggingface.co/datasets/ewok-core/ewok-core-1.0"
LICENCE = "EWoK terms, no plain-text redistribution"
ZIP_PASSWORD = b"BabyLM2025"


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Items: Context1 with Target1 (right) and Target2, the target scored; the files hold the swapped item too."""
    files = inputs["mirror"]
    if files[0].suffix != ".zip":
        return _items(files)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(files[0]) as zipped:
                zipped.extractall(folder, safe_members(zipped), pwd=ZIP_PASSWORD)
        except (BadArchive, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise UserError(f"{files[0]}: not a zip that opens with BabyLM's password ({error})") from None
        files = sorted(Path(folder).rglob("*.jsonl"))
        return _items([file for file in files if not is_hidden(file.relative_to(folder))])


def _items(files: list[Path]) -> pd.DataFrame:
    return items_frame(
        (
            f"{path.stem}_{number}",
            record["Domain"],
            [record["Context1"]] * 2,
            [" " + record["Target1"], " " + record["Target2"]],
        )
        for path, number, record in read_jsonl(files, FIELDS)
    )


SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "ewok",
            "EWoK: elements of world knowledge",
            read,
            (
                Source(
                    "evaluation_data/full_eval/ewok_filtered/*.jsonl",
                    HOME,
                    LICENCE,
                    count=11,
                    release="ewok",
                    access="token",
                ),
            ),
            plain_text=False,
        ),
        Suite(
            "ewok_fast",
            "EWoK, 100 items of each domain",
            read,
            (
                Source(
                    "evaluation_data/fast_eval/ewok_fast/*.jsonl",
                    BABYLM_HOME,
                    LICENCE,
                    count=11,
                    release="babylm_2025",
                    instead="evaluation_data/fast_eval/ewok_fast.zip",
                ),
            ),
            plain_text=False,
        ),
    )
}
