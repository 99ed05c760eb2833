"""Predictions as the BabyLM 2025 pipeline writes them, for its collation (collate_preds.py) and leaderboard.

Below a folder of the model's name: main/ with the full suites of the final model, and a folder of the name of each
other checkpoint with the fast ones. A file maps UID to {"predictions": [{"id": "{UID}_0", "pred": ...}, ...]},
counted within the UID in the order of the benchmark's file. Where upstream is at fault these are its own
predictions, not the corrected ones: they are what is compared.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

_ZERO_SHOT = "zero_shot/causal"
_BOTH = {
    "wug_adj": f"{_ZERO_SHOT}/wug_adj/wug_adj_nominalization",
    "wug_past": f"{_ZERO_SHOT}/wug_past/wug_past_tense",
    "reading": f"{_ZERO_SHOT}/reading",
}
FULL = _BOTH | {
    "blimp": f"{_ZERO_SHOT}/blimp/blimp_filtered",
    "blimp_supplement": f"{_ZERO_SHOT}/blimp/supplement_filtered",
    "ewok": f"{_ZERO_SHOT}/ewok/ewok_filtered",
    "entity_tracking": f"{_ZERO_SHOT}/entity_tracking/entity_tracking",
    "comps": f"{_ZERO_SHOT}/comps/comps",
    **{f"glue_{task}": f"finetune/{task}" for task in ("boolq", "mnli", "mrpc", "multirc", "qqp", "rte", "wsc")},
}
"""Suite -> folder of its predictions, for the final model."""
FAST = _BOTH | {
    "blimp_fast": f"{_ZERO_SHOT}/blimp/blimp_fast",
    "blimp_supplement_fast": f"{_ZERO_SHOT}/blimp/supplement_fast",
    "ewok_fast": f"{_ZERO_SHOT}/ewok/ewok_fast",
    "entity_tracking_fast": f"{_ZERO_SHOT}/entity_tracking/entity_tracking_fast",
}
"""The same for every other checkpoint."""
SURPRISAL = "aoa_surprisal"
"""The suite whose scores at every checkpoint make one file of the final model's."""
SURPRISAL_FILE = f"{_ZERO_SHOT}/AoA_word/surprisal.json"
STRICT_SMALL = tuple(f"chck_{words}M" for words in (*range(1, 10), *range(10, 101, 10)))
"""The checkpoints that the collation of the track strict-small asks for."""


def predictions(suite: str, items: pd.DataFrame, item_scores: pd.DataFrame) -> dict[str, dict[str, list[dict]]]:
    """The content of a suite's predictions.json, from its table of items and its item scores."""
    if suite == "reading":
        rows = zip(item_scores["pred"].tolist(), item_scores["prev_pred"].tolist(), strict=True)
        own = [{"id": number, "pred": pred, "prev_pred": previous} for number, (pred, previous) in enumerate(rows)]
        return {"reading": {"predictions": own}}
    if suite.startswith("glue_"):
        task = suite.removeprefix("glue_")
        return _by_uid([task] * len(item_scores), [{"pred": int(label)} for label in item_scores["predicted"]])
    texts = _chosen(items, item_scores, whole=suite == "comps")
    if suite.startswith("wug_"):
        rows = zip(texts, item_scores["probability"].tolist(), strict=True)
        return _by_uid([suite] * len(items), [{"pred": text, "prob": prob} for text, prob in rows])
    return _by_uid(items["group"], [{"pred": text} for text in texts])


def surprisals(
    model: str, items: pd.DataFrame, item_scores: Mapping[str, pd.DataFrame], words: Mapping[str, int]
) -> dict:
    """The content of surprisal.json, from the items of `aoa_surprisal` and its item scores at each checkpoint.

    `words`: checkpoint -> words seen.
    """
    contexts = items.groupby("group", sort=False).cumcount().tolist()
    results = [
        {
            "step": checkpoint,
            "word_count": words[checkpoint],
            "target_word": word,
            "context_id": context,
            "context": texts[0],
            "surprisal": surprisal,
        }
        for checkpoint, scores in item_scores.items()
        for word, context, texts, surprisal in zip(
            items["group"], contexts, items["contexts"], scores["surprisal"].tolist(), strict=True
        )
    ]
    metadata = {
        "model_name": model,
        "use_bos_only": False,
        "total_steps": len(item_scores),
        "completed_steps": len(item_scores),
    }
    return {"metadata": metadata, "results": results}


def write_zip(file: Path, contents: Iterable[tuple[str, dict]]) -> int:
    """Write (path, content) pairs as JSON files of a zip; returns how many. Numbers that are none become NaN."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path, content in contents:
            # Of one date, so that the same predictions make the same file.
            member = zipfile.ZipInfo(path)
            member.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(member, json.dumps(content))
        return len(zipped.namelist())


def _chosen(items: pd.DataFrame, item_scores: pd.DataFrame, *, whole: bool) -> list[str]:
    """The candidate with the highest score, the first on a tie; `whole`: with its context in front."""
    return [
        (contexts[best] if whole else "") + candidates[best]
        for contexts, candidates, best in zip(
            items["contexts"], items["candidates"], map(np.argmax, item_scores["scores"]), strict=True
        )
    ]


def _by_uid(uids: Iterable[str], rows: Iterable[dict]) -> dict[str, dict[str, list[dict]]]:
    found, numbers = {}, {}
    for uid, row in zip(uids, rows, strict=True):
        number = next(numbers.setdefault(uid, count()))
        found.setdefault(uid, {"predictions": []})["predictions"].append({"id": f"{uid}_{number}", **row})
    return found
