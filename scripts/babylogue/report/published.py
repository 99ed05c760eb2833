"""The published trajectory of the base model, to be drawn beside ours."""

from importlib.resources import files

import pandas as pd

LABEL = "published base"


def published_trajectory(suite: str) -> pd.DataFrame:
    """Padovani et al. (2025): percent correct of their base model over words seen; columns metric, words, value.

    From the authors' repositories: 1M to 100M words of CHILDES, one seed, no intervals. `metric` is that of ours
    that goes by the same rule. Empty for a suite of which there is no published trajectory.
    """
    table = pd.read_csv(files(__package__).joinpath("published_trajectory.csv"))
    known = table["suite"].isin((suite, suite.removesuffix("_published")))
    return table[known].drop(columns="suite").reset_index(drop=True)
