"""What becomes of the candidates of a pair set: how many each filter removes, in order.

pairs/{pairs}.filters.json: what (the candidates, in words), candidates (how many), removed (filter -> how many).
Candidates less all that is removed are the pairs of the set.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass
class Filters:
    """The candidates of a set and what each filter removed from them."""

    what: str
    """What the candidates are, in words."""
    candidates: int
    removed: dict[str, int] = field(default_factory=dict)

    def keep(self, table: pd.DataFrame, kept: np.ndarray | pd.Series, name: str) -> pd.DataFrame:
        """The rows of the table that the filter of that name keeps (bool, one a row), the rest counted."""
        left = table[np.asarray(kept, dtype=bool)]
        self.removed[name] = self.removed.get(name, 0) + len(table) - len(left)
        return left

    def write(self, path: str) -> None:
        """Write the counts as JSON."""
        Path(path).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
