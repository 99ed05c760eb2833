"""The published word and non-word pairs (Padovani et al. 2025), from their dataset on the Hugging Face Hub."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ..errors import UserError
from ..integrity import sha256_of
from ..network.datasets import load_table
from .release_files import LEAVE_OUT, publish
from .releases import RELEASES

DATASET = "bbunzeck/lexical-decision"
FILE = "lexical_decision/pairs.csv"


def bring_lexical_decision(folder: Path) -> dict:
    """Write the dataset as one CSV file below `folder`, whole or not at all.

    Returns:
        What it is: url, date, bytes, sha256 of the file.

    Raises:
        UserError: the Hub does not answer or has no such dataset.
    """
    try:
        table = load_table(DATASET, "pairs of words and non-words", DATASET, split="train")
    except UserError as error:
        raise UserError(f"{error}; {LEAVE_OUT}") from None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        staging = Path(scratch, "files")
        file = staging / FILE
        file.parent.mkdir(parents=True)
        table.to_csv(file, index=False)
        known = {
            "url": RELEASES["lexical_decision"].url,
            "date": datetime.now(UTC).date().isoformat(),
            "bytes": file.stat().st_size,
            "sha256": sha256_of(file),
        }
        publish(staging, folder)
    return known
