"""How often a model prefers the chosen reply, which tuning is watched by."""

import numpy as np
import pandas as pd

from ..scoring.scorer import Scorer


def pair_accuracy(model, tokenizer, pairs: pd.DataFrame) -> float:
    """Percent of pairs (prompt, chosen, rejected) whose chosen reply has the higher log-probability."""
    scored = Scorer(model, tokenizer).log_probabilities(
        [[prompt, prompt] for prompt in pairs["prompt"]],
        [[f" {good}", f" {bad}"] for good, bad in zip(pairs["chosen"], pairs["rejected"], strict=True)],
    )
    return 100 * float(np.mean([own.log_probability[0] > own.log_probability[1] for own in scored]))
