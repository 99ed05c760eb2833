"""Exchanges: a caregiver's turn and the target child's reply to it, out of triplets."""

import numpy as np
import pandas as pd

from ..dialogue import CHILD, count_words, terminator
from ..transcripts.exchanges import CHILD_ROLES


def find_exchanges(triplets: pd.DataFrame) -> pd.DataFrame:
    """Every adjacent caregiver turn and child reply: transcript, corpus, child, age_months, speaker, turn, reply.

    An exchange that stands in two sliding triplets counts once, in the order of its first.
    """
    tables = []
    for first in (0, 1):
        speaker = triplets["speakers"].str[first]
        follows = (
            (triplets["speakers"].str[first + 1] == CHILD)
            & (speaker != CHILD)
            & ~triplets["roles"].str[first].isin(CHILD_ROLES)
        )
        tables.append(
            triplets.loc[follows, ["transcript", "corpus", "child", "age_months"]].assign(
                speaker=speaker[follows],
                turn=triplets["turns"].str[first][follows],
                reply=triplets["turns"].str[first + 1][follows],
            )
        )
    exchanges = pd.concat(tables).sort_index(kind="stable")
    return exchanges.drop_duplicates(["transcript", "turn", "reply"]).reset_index(drop=True)


def describe_replies(exchanges: pd.DataFrame, age_band_months: int) -> pd.DataFrame:
    """Add what replies are matched by: reply_words, reply_terminator, age_band (-1 where the age is unknown)."""
    band = np.floor(exchanges["age_months"].astype(float) / age_band_months)
    return exchanges.assign(
        reply_words=exchanges["reply"].map(count_words),
        reply_terminator=exchanges["reply"].map(terminator),
        age_band=band.fillna(-1).astype(int),
    )
