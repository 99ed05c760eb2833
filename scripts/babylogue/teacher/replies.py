"""Replies to prompts, from the cache as far as they are there and else from the teacher."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..logs import logger, progress
from .cache import ReplyCache
from .prompts import FEW_SHOT
from .settings import RepliesSettings

Key = tuple[str, int]
"""A prompt, a caregiver turn such as `*MOT: what is that ?`, and the number of a reply to it."""


@dataclass(frozen=True)
class Writer:
    """What writes replies."""

    name: str
    """Row of `published`."""
    depends_on: Mapping
    """What its replies depend on besides the asking, as JSON can hold it: its content, the code that asks it."""
    write: Callable[[Sequence[Key], RepliesSettings], Iterator[pd.DataFrame]]
    """Replies to keys in any order, as tables with `cache.COLUMNS` of at most `batch_size` rows."""


def replies(writer: Writer, prompts: Sequence[str], settings: RepliesSettings, cache: str | Path) -> pd.DataFrame:
    """`settings.samples` replies to each prompt, a caregiver turn such as `*MOT: what is that ?`.

    Only what is not in the folder `cache` is asked of the writer; every batch is added there as it comes. Rows
    come in the order of the prompts, repeated prompts once; columns: `cache.COLUMNS`.

    A reply depends on its own prompt, its sample number and the asking alone. Its log-probability does so up to
    rounding: a matrix product of other shape adds in another order, so two batches that a reply may be in differ
    by some 1e-5 nats. What is read from the cache is equal to the bit to what was written.
    """
    kept = ReplyCache(cache, writer.name, {**writer.depends_on, **_asking(settings)})
    keys = [(prompt, sample) for prompt in dict.fromkeys(prompts) for sample in range(settings.samples)]
    tables = [kept.read()]
    known = set(zip(tables[0]["prompt"], tables[0]["sample"], strict=True))
    wanted = [key for key in keys if key not in known]
    logger.info("%d of %d replies are in %s", len(keys) - len(wanted), len(keys), kept.folder)
    if wanted:
        with progress(total=len(wanted), description="teacher replies", unit="reply") as bar:
            for batch in writer.write(wanted, settings):
                kept.add(batch)
                tables.append(batch)
                bar.update(len(batch))
    filled = [table for table in tables if len(table)] or tables
    table = pd.concat(filled, ignore_index=True).set_index(["prompt", "sample"])
    return table.loc[pd.MultiIndex.from_frame(pd.DataFrame(keys, columns=table.index.names))].reset_index()


def _asking(settings: RepliesSettings) -> dict:
    """What is asked, besides the prompts and how many replies."""
    return {"few_shot": FEW_SHOT, **settings.model_dump(exclude={"samples", "batch_size"})}
