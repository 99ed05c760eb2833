"""Reading times (de Varda et al. 2023): what a model's surprisal adds to frequency, length and position.

1,726 words in context with eye-tracking measures and self-paced reading times; the rules are those of the BabyLM
2025 pipeline (reading). Upstream tokenises a word without the space before it and looks up its further tokens one
by one, each as if it began a text; `partial_r2` keeps that. `partial_r2_whole_word` has the surprisal of the word
with its space, where it stands in the text.

Item table: item, group, context, word, prev_context, prev_word (the last two None where there is no earlier
word), and the columns COVARIATES and MEASURES. Item scores: item, group, pred and prev_pred (surprisal in nats of
word and earlier word, NaN where there is none), pred_whole_word and prev_pred_whole_word, COVARIATES and MEASURES.
"""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from ..scoring.intervals import Estimate, percentiles
from ..user_files import read_table
from .base import Suite, metric_row
from .sources import BABYLM_HOME, Source

EYE_TRACKING = ("RTfirstfix", "RTfirstpass", "RTgopast", "RTrightbound")
SELF_PACED = "self_paced_reading_time"
MEASURES = (*EYE_TRACKING, SELF_PACED)
BASELINE = ("Subtlex_log10", "length", "context_length")
COVARIATES = (*BASELINE, "prev_length")
TEXTS = ("item", "word", "prev_item", "prev_word")
BOOTSTRAP_SEED = 0
BOOTSTRAP_SAMPLES = 1000


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """The table of `reading_data.csv`; a missing context is the string "None", as upstream reads it."""
    (path,) = inputs["mirror"]
    data = read_table(path, dtype=dict.fromkeys(TEXTS, object))
    for column in (*TEXTS, *COVARIATES, *MEASURES):
        if column not in data:
            raise UserError(f"{path}: no column {column!r}")
    for column in (*COVARIATES, *MEASURES):
        if not pd.api.types.is_numeric_dtype(data[column]):
            raise UserError(f"{path}: column {column!r} holds something that is no number")
    if (absent := data["word"].fillna("").str.strip() == "").any():
        raise UserError(f"{path}, line {int(absent.idxmax()) + 2}: field 'word' is empty")
    has_previous = data["prev_item"].notna() & data["prev_word"].notna()
    texts = pd.DataFrame(
        {
            "item": [f"word_{number}" for number in range(1, len(data) + 1)],
            "group": "reading",
            "context": data["item"].fillna("None"),
            "word": data["word"],
            "prev_context": data["prev_item"].where(has_previous, None),
            "prev_word": data["prev_word"].where(has_previous, None),
        }
    )
    return pd.concat([texts, data[[*COVARIATES, *MEASURES]].astype(float)], axis=1)


def queries(tokenizer, context: str, word: str) -> list[tuple[str, int]]:
    """(text, next token) pairs whose probabilities multiply to p(word | context), as upstream looks them up.

    After the word's first token, each further one is looked up on its own: its predecessor, decoded, is appended
    to the text, which is tokenised anew, and its own text is tokenised anew for its first token.
    """
    ids = tokenizer(word, add_special_tokens=False)["input_ids"]
    pieces = [tokenizer.decode([token]) for token in ids]
    found = [(context, ids[0])]
    for before, piece, token in zip(pieces, pieces[1:], ids[1:], strict=False):
        context += before
        again = tokenizer(piece, add_special_tokens=False)["input_ids"]
        found.append((context, again[0] if again else token))
    return found


def surprisals(scorer, contexts: list[str], words: list[str], names: list[str]) -> np.ndarray:
    """Surprisal in nats of each word after its context by upstream's rule, float64 [words]."""
    asked = [queries(scorer.tokenizer, context, word) for context, word in zip(contexts, words, strict=True)]
    # Most texts are asked for more than once; the name is that of the last item that does.
    unique = {query: name for own, name in zip(asked, names, strict=True) for query in own}
    texts, tokens = zip(*unique, strict=True)
    values = scorer.next_token_log_probabilities(texts, tokens, list(unique.values()))
    value = dict(zip(unique, values, strict=True))
    return np.array([-sum(value[query] for query in own) for own in asked])


def evaluate(model, tokenizer, items: pd.DataFrame, batch_tokens: int) -> pd.DataFrame:
    """Surprisals of every word and of the word before it, beside the covariates and measures."""
    from ..scoring.scorer import Scorer  # slow to load; the workflow asks a suite for its files without

    scorer = Scorer(model, tokenizer, batch_tokens=batch_tokens)
    previous = items["prev_context"].notna().to_numpy()
    contexts = items["context"].tolist() + items.loc[previous, "prev_context"].tolist()
    words = items["word"].tolist() + items.loc[previous, "prev_word"].tolist()
    names = items["item"].tolist() + items.loc[previous, "item"].tolist()
    whole = scorer.log_probabilities([[context] for context in contexts], [[" " + word] for word in words], names)
    scores = items[["item", "group"]]
    for suffix, values in (
        ("", surprisals(scorer, contexts, words, names)),
        ("_whole_word", np.array([-own.log_probability[0] for own in whole])),
    ):
        earlier = np.full(len(items), np.nan)
        earlier[previous] = values[len(items) :]
        scores = scores.assign(**{f"pred{suffix}": values[: len(items)], f"prev_pred{suffix}": earlier})
    return pd.concat([scores, items[[*COVARIATES, *MEASURES]]], axis=1)


def partial_r2(frame: dict[str, np.ndarray], measures: tuple[str, ...], baseline: tuple[str, ...]) -> np.ndarray:
    """100 (R2_model - R2_base) / (1 - R2_base) for each measure, [measures].

    Base: least squares on `baseline` and its pairwise interactions; model: the same and `pred`. Rows with a
    missing value are left out.
    """
    columns = np.column_stack([frame[name] for name in (*baseline, "pred", *measures)])
    columns = columns[np.isfinite(columns).all(axis=1)]
    predictors = columns[:, : len(baseline)]
    # Centred and scaled: no fit changes, since all lower-order terms are in, and the system is well conditioned.
    spread = predictors.std(axis=0)
    predictors = (predictors - predictors.mean(axis=0)) / np.where(spread > 0, spread, 1)
    products = [predictors[:, i] * predictors[:, j] for i, j in combinations(range(len(baseline)), 2)]
    base = np.column_stack([np.ones(len(columns)), predictors, *products])
    outcomes = columns[:, len(baseline) + 1 :]
    left = _squared_residuals(base, outcomes)
    left_with = _squared_residuals(np.column_stack([base, columns[:, len(baseline)]]), outcomes)
    # (R2_model - R2_base) / (1 - R2_base) is the share of what the base leaves that the model explains.
    return 100 * (left - left_with) / left


def _squared_residuals(design: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    solution = np.linalg.lstsq(design, outcomes, rcond=None)[0]
    return ((outcomes - design @ solution) ** 2).sum(axis=0)


def reading_scores(frame: dict[str, np.ndarray]) -> np.ndarray:
    """Scores of the five measures, then of eye tracking, self-paced reading and the mean of these two."""
    eye = partial_r2(frame, EYE_TRACKING, BASELINE)
    paced = partial_r2(frame, (SELF_PACED,), (*COVARIATES, "prev_pred"))
    return np.array([*eye, *paced, eye.mean(), *paced, (eye.mean() + paced[0]) / 2])


def rows(item_scores: pd.DataFrame) -> list[dict]:
    """Percent of each measure, eye_tracking (mean of four), self_paced and all (mean of the two), by both rules.

    Metrics: `partial_r2` and `partial_r2_whole_word`. Intervals: bootstrap over words, BOOTSTRAP_SAMPLES samples
    with seed BOOTSTRAP_SEED.
    """
    groups = (*MEASURES, "eye_tracking", "self_paced", "all")
    count = len(item_scores)
    found = []
    for suffix in ("", "_whole_word"):
        frame = {name: item_scores[name].to_numpy(dtype=float) for name in (*COVARIATES, *MEASURES)}
        frame |= {name: item_scores[name + suffix].to_numpy(dtype=float) for name in ("pred", "prev_pred")}
        random = np.random.default_rng(BOOTSTRAP_SEED)
        samples = []
        for _ in range(BOOTSTRAP_SAMPLES):
            drawn = random.integers(count, size=count)
            samples.append(reading_scores({name: column[drawn] for name, column in frame.items()}))
        found += [
            metric_row(group, f"partial_r2{suffix}", Estimate(value, *percentiles(own), count))
            for group, value, own in zip(groups, reading_scores(frame), np.transpose(samples), strict=True)
        ]
    return found


SUITES = {
    "reading": Suite(
        "reading",
        "Reading times: what surprisal adds to a baseline, eye tracking and self-paced",
        read,
        (
            Source(
                "evaluation_data/full_eval/reading/reading_data.csv",
                BABYLM_HOME,
                release="babylm_2025",
                sha256="6a72e38f94aaa52f4be700634a2a0a2014d4e67b6cc7d2c01469da261953532b",
            ),
        ),
        evaluator=evaluate,
        aggregator=rows,
        has_answers=False,
    )
}
