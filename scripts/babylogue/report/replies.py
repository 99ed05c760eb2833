"""Replies of several models to the same prompts, put beside each other.

replies.csv: REPLY_COLUMNS, one row for each reply; `child` is what the child of the transcript said, `ended`
whether the model's turn ended before it was cut. A prompt that no model replied to has no row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

REPLY_COLUMNS = [
    "prompt", "child", "corpus", "transcript", "age_months", "run", "seed", "checkpoint",
    "sample", "reply", "ended",
]  # fmt: skip


def replies_table(
    prompts: pd.DataFrame, samples: Iterable[tuple[tuple[str, int, str], pd.DataFrame]]
) -> pd.DataFrame:
    """The rows of replies.csv, prompt by prompt.

    Args:
        prompts: the table of analysis/reply_prompts.py.
        samples: (run, seed, checkpoint) of each model, and its table of analysis/reply_samples.py.
    """
    own = [table.assign(run=run, seed=seed, checkpoint=checkpoint) for (run, seed, checkpoint), table in samples]
    if not own:
        return pd.DataFrame(columns=REPLY_COLUMNS)
    return prompts.merge(pd.concat(own), on="prompt")[REPLY_COLUMNS]


@dataclass(frozen=True)
class PromptRow:
    """A prompt, and what was replied to it."""

    prompt: str
    child: str
    corpus: str
    replies: list[list[tuple[str, bool]]]
    """For each model its replies and whether they ended, none where it has none."""


def side_by_side(table: pd.DataFrame, runs: Sequence[str]) -> list[PromptRow]:
    """The rows of replies.csv by prompt, in their order, with the replies of each of `runs`."""
    rows = []
    for prompt, own in table.groupby("prompt", sort=False):
        said = {
            run: list(zip(replies["reply"], replies["ended"].astype(bool), strict=True))
            for run, replies in own.groupby("run")
        }
        first = own.iloc[0]
        rows.append(PromptRow(prompt, first["child"], first["corpus"], [said.get(run, []) for run in runs]))
    return rows
