"""Scores as the workflow writes them."""

import json

import numpy as np
import pandas as pd


def write_scores(results, run, checkpoint, seed, correct, suite="toy_grammar"):
    """A score of the items' decisions, [items]."""
    folder = results / "scores" / run / f"seed{seed}" / checkpoint
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"item_{number}" for number in range(len(correct))]
    table = pd.DataFrame({"item": names, "group": "one", "scores": [[0.0, -1.0]] * len(names), "correct": correct})
    table.to_parquet(folder / f"{suite}.parquet")
    row = {"group": "all", "metric": "accuracy", "value": 100 * np.mean(correct)}
    (folder / f"{suite}.json").write_text(json.dumps({"rows": [row]}))
