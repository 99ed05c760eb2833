"""Synthetic preference pairs: the chosen reply written by a teacher, the rejected one a child's.

The default brings the teacher's reply to CHAT form and matches the child's to it in words and terminator,
so that DPO cannot win on format (Padovani et al. 2025 compare "ball." with "ball .": their `raw`).
"""

import numpy as np
import pandas as pd

from ..dialogue import CHILD, count_words, read_turns, share_words, terminator, write_turn
from ..logs import logger
from ..teacher.prompts import chat_form, clean_reply
from .settings import SyntheticPairs


def synthetic_pairs(natural: pd.DataFrame, replies: pd.DataFrame, settings: SyntheticPairs) -> pd.DataFrame:
    """Build the set.

    Args:
        natural: the base set.
        replies: the teacher's, of which the first sample of a prompt is taken: prompt, sample, reply.
    """
    first = replies[replies["sample"] == 0].set_index("prompt")["reply"]
    pairs = natural[natural["prompt"].isin(first.index)].reset_index(drop=True)
    written = pairs["prompt"].map(first)
    turns = [read_turns(prompt)[0][1] for prompt in pairs["prompt"]]
    if settings.form == "raw":
        chosen = [clean_reply(reply) for reply in written]
        rejected: list[str | None] = [read_turns(reply)[0][1] for reply in pairs["rejected"]]
    else:
        chosen = [chat_form(reply) for reply in written]
        rejected = [None] * len(pairs)
        generator = np.random.default_rng(settings.seed)
        # Each part draws from its own replies, so that tuning never meets a held-out one.
        for part, own in pairs.groupby("part").groups.items():
            pool = [read_turns(reply)[0][1] for reply in natural.loc[natural["part"] == part, "rejected"]]
            for index, reply in zip(
                own, _match([turns[i] for i in own], [chosen[i] for i in own], pool, generator), strict=True
            ):
                rejected[index] = reply
    copies = sum(reply == turn for reply, turn in zip(chosen, turns, strict=True))
    kept = [
        bool(count_words(good)) and bad is not None and good != turn
        for good, bad, turn in zip(chosen, rejected, turns, strict=True)
    ]
    logger.info(
        "%d of %d teacher replies kept (%d empty, %d copies of the prompt)",
        sum(kept),
        len(kept),
        sum(not count_words(reply) for reply in chosen),
        copies,
    )
    pairs["chosen"] = [write_turn(CHILD, reply) for reply in chosen]
    pairs["rejected"] = [write_turn(CHILD, reply or "") for reply in rejected]
    return pairs[kept].reset_index(drop=True)


def _match(
    turns: list[str], chosen: list[str], pool: list[str], generator: np.random.Generator
) -> list[str | None]:
    """For each teacher reply a child's of as many words and the same terminator, each of the pool once.

    Where the teacher's shares a word with the turn the child's does too, and else not.
    """
    by_form: dict[tuple[int, str], list[str]] = {}
    for reply in (pool[index] for index in generator.permutation(len(pool))):
        by_form.setdefault((count_words(reply), terminator(reply)), []).append(reply)
    drawn: list[str | None] = []
    for turn, good in zip(turns, chosen, strict=True):
        candidates = by_form.get((count_words(good), terminator(good)), [])
        overlap = share_words((turn, good))
        fitting = (
            index
            for index, reply in enumerate(candidates)
            if reply != good and share_words((turn, reply)) == overlap
        )
        index = next(fitting, None)
        drawn.append(None if index is None else candidates.pop(index))
    return drawn
