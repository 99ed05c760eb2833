"""Caregiver turns of held-out transcripts whose replies are looked at, each with what the child said.

prompts parquet: prompt (with its tag), child (the reply), corpus, transcript (str), age_months (float).
"""

import pandas as pd
import pyarrow as pa

from ..dialogue import write_turn
from ..logs import logger
from ..preferences.exchanges import PROMPT_MIN_TOKENS, find_exchanges

MAX_TOKENS = 20  # words and marks; longer ones are no reading for a table


def reply_prompts(triplets: pa.Table, *, count: int, seed: int) -> pd.DataFrame:
    """`count` different prompts in random order; with a warning fewer, or none, if there are fewer.

    Args:
        triplets: of the test part, the columns that `find_exchanges` reads.
    """
    exchanges = find_exchanges(triplets)
    length = exchanges["turn"].str.split().str.len()
    shuffled = exchanges[length.between(PROMPT_MIN_TOKENS, MAX_TOKENS)].sample(frac=1, random_state=seed)
    prompts = [write_turn(*pair) for pair in zip(shuffled["speaker"], shuffled["turn"], strict=True)]
    found = shuffled.assign(prompt=pd.Series(prompts, index=shuffled.index, dtype=str))
    different = found[~found["prompt"].str.casefold().duplicated()]
    if len(different) < count:
        logger.warning("%d prompts asked for, %d there", count, len(different))
    columns = ["prompt", "reply", "corpus", "transcript", "age_months"]
    return different[columns].rename(columns={"reply": "child"}).head(count).reset_index(drop=True)
