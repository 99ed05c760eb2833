"""Zorro (Huebner et al. 2021): 23 paradigms in child-directed vocabulary, lower-cased.

`accuracy_word_corrected_minicons` is the score of Padovani et al. (2025), strict and with the beginning-of-word
correction of minicons.
"""

from functools import partial
from itertools import islice
from pathlib import Path

import pandas as pd

from ..errors import UserError
from ..user_files import read_text, split_lines
from .base import Suite, items_frame, score_items
from .sources import Source

FAST_PAIRS = 200


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """(good, bad) sentences of a paradigm file, whose odd lines are bad and even lines good, lower-cased."""
    lines = split_lines(read_text(path), str(path))
    if len(lines) % 2:
        raise UserError(f"{path}: {len(lines)} lines; bad and good sentences must alternate, an even number")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise UserError(f"{path}, line {number}: the sentence is empty")
    lines = [line.strip().lower() for line in lines]
    return list(zip(lines[1::2], lines[0::2], strict=True))


def read(inputs: dict[str, list[Path]], pairs: int | None = None) -> pd.DataFrame:
    """Items of the paradigm files, the first `pairs` of each (None: all); the group is the file's stem.

    An item's number is the pair's: pair n is lines 2n - 1 and 2n.
    """
    return items_frame(
        (f"{path.stem}_{number}", path.stem, ["", ""], [good, bad])
        for path in inputs["mirror"]
        for number, (good, bad) in enumerate(islice(read_pairs(path), pairs), start=1)
    )


SOURCE = Source(
    "zorro/*.txt",
    "https://github.com/phueb/Zorro",
    "MIT",
    count=23,
    release="zorro",
    sha256="3e9c07a82451270dccb75bfa569a835e6998decc648677b1ef7c4f0003fae9c9",
)
evaluate = partial(score_items, rules=("word_corrected_minicons",))
SUITES = {
    "zorro": Suite(
        "zorro", "Zorro: grammatical minimal pairs in a child's vocabulary", read, (SOURCE,), evaluator=evaluate
    ),
    "zorro_fast": Suite(
        "zorro_fast",
        f"Zorro, the first {FAST_PAIRS} pairs of each paradigm",
        partial(read, pairs=FAST_PAIRS),
        (SOURCE,),
        evaluator=evaluate,
    ),
}
