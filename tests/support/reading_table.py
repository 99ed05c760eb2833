"""An invented table of reading times."""

import numpy as np
import pandas as pd

from babylogue.suites import reading


def reading_table(count: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    words = np.array(["dog", "ball", "runs", "juice", "home"])
    data = pd.DataFrame(random.normal(size=(count, 9)), columns=[*reading.COVARIATES, *reading.MEASURES])
    words, previous = random.choice(words, (2, count))
    data = data.assign(item="the little dog", word=words, prev_item="the", prev_word=previous)
    data.loc[0, ["item", "prev_item", "prev_word"]] = None
    data.loc[1, "Subtlex_log10"] = np.nan
    return data
