"""A score as files: metric rows as JSON, item scores as parquet."""

import hashlib
import json
from pathlib import Path

import pandas as pd

from ..integrity import CHECKSUMS
from ..logs import logger
from ..provenance import versions


def head_of(wildcards) -> dict:
    """What a score is of, from the wildcards of its rule."""
    return {**{name: wildcards[name] for name in ("run", "checkpoint", "suite")}, "seed": int(wildcards["seed"])}


def weights_digest(folder: str | Path) -> str | None:
    """One digest of all weights of a model folder, by its checksums; None for a folder that has none.

    Two folders with the same digest hold the same weights, bit for bit.
    """
    file = Path(folder) / CHECKSUMS
    if not file.exists():
        return None
    sums = json.dumps(json.loads(file.read_text()), sort_keys=True)
    return hashlib.sha256(sums.encode()).hexdigest()


def write_score(output, head: dict, item_scores: pd.DataFrame, rows: list[dict]) -> None:
    """Write items to `output.item_scores`, `rows` under `head` (see head_of) with versions to `output.rows`.

    `item_scores.attrs`, with the digest of the model's weights as `weights`, go into the parquet file too.
    """
    item_scores.to_parquet(output.item_scores)
    Path(output.rows).write_text(
        json.dumps({**head, "rows": rows, "packages": versions()}, indent=1) + "\n", encoding="utf-8"
    )
    for row in rows:
        if row["group"] == "all" and row["value"] is not None:
            logger.info("%s %.2f (n = %d)", row["metric"], row["value"], row["n"])
