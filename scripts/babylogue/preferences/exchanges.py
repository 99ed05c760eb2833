"""Exchanges: a caregiver's turn and the target child's reply to it, out of triplets."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..dialogue import CHILD, count_words, terminator
from ..transcripts.exchanges import NO_CAREGIVER_ROLES

COLUMNS = ["transcript", "corpus", "child", "age_months", "speakers", "roles", "turns"]
"""The columns of triplets that exchanges are found in."""
PROMPT_MIN_TOKENS = 4
"""Fewest tokens of a turn that models reply to, terminator included (Padovani et al. 2025, section 3)."""


def find_exchanges(triplets: pa.Table) -> pd.DataFrame:
    """Every adjacent caregiver turn and child reply: transcript, corpus, child, age_months, speaker, turn, reply.

    An exchange that stands in two sliding triplets counts once, in the order of its first.

    Args:
        triplets: the table of transcripts/triplets.py, its COLUMNS at least.
    """
    found = []
    for first in (0, 1):
        speaker, replier = (pc.list_element(triplets["speakers"], place) for place in (first, first + 1))
        role = pc.list_element(triplets["roles"], first)
        caregiver = pc.invert(pc.or_(pc.equal(speaker, CHILD), pc.is_in(role, pa.array(NO_CAREGIVER_ROLES))))
        rows = np.flatnonzero(pc.and_(pc.equal(replier, CHILD), caregiver))
        own = triplets.take(rows)
        exchanges = own.select(COLUMNS[:4]).append_column("speaker", speaker.take(rows)).to_pandas()
        for name, place in (("turn", first), ("reply", first + 1)):
            exchanges[name] = pc.list_element(own["turns"], place).to_pandas()
        found.append(exchanges.set_index(rows))
    exchanges = pd.concat(found).sort_index(kind="stable")
    return exchanges.drop_duplicates(["transcript", "turn", "reply"]).reset_index(drop=True)


def describe_replies(exchanges: pd.DataFrame, age_band_months: int) -> pd.DataFrame:
    """Add what replies are matched by: reply_words, reply_terminator, age_band (-1 where the age is unknown)."""
    band = np.floor(exchanges["age_months"].astype(float) / age_band_months)
    return exchanges.assign(
        reply_words=exchanges["reply"].map(count_words),
        reply_terminator=exchanges["reply"].map(terminator),
        age_band=band.fillna(-1).astype(int),
    )
