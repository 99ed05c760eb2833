"""The card of a pair set: its sizes, what its filters removed, and what its replies give away by themselves.

pairs/{pairs}.card.json:
    pairs (name), settings
    filters: what, candidates, removed (preferences/filters.py)
    sizes: pairs, train, heldout, prompts, chosen_replies, rejected_replies (different ones), children, corpora
    length: equal_words_percent, equal_tokens_percent, equal_terminator_percent of the pairs; chosen less rejected
        reply on average, mean_difference_words, mean_difference_tokens
    overlap: chosen_percent, rejected_percent, of replies that share a lexical word with the prompt;
        heldout_prompts_in_train_percent, of held-out pairs
    balance: balanced_uses_percent, of uses of a reply as the chosen one that are matched by a use of it as the
        rejected one in the same part; most_chosen, uses of the most frequent chosen reply
    reply_only: accuracy_percent, ci_low, ci_high of a classifier that sees the replies alone; folds, by
    children: train_and_heldout, children (with those who belong to them) on both sides; and for each part of the
        corpus how many of the set's children are in it, none but in the set's own where the split is by child
Null is what the set does not tell, such as the children of pairs that were made elsewhere.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from ..dialogue import TAG, count_words, share_words, terminator
from ..errors import UserError
from ..logs import logger, progress
from ..scoring.intervals import wilson
from .baselines import examples, logistic, reply_words

FOLDS = 5
SIDES = ("chosen", "rejected")


def pair_card(
    name: str,
    pairs: pd.DataFrame,
    filters: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    count_tokens: Callable[[Sequence[str]], list[int]],
    families: pd.Series,
    parts: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """The card of a set, with a warning in the log where the set does not keep what it promises.

    Args:
        filters: what the builder counted.
        settings: the row of the set.
        count_tokens: replies -> subword tokens of each.
        families: transcript -> the first of the children that belong together.
        parts: part of the corpus -> transcripts of its triplets.

    Raises:
        UserError: the set is empty.
    """
    if pairs.empty:
        raise UserError(f"pairs.{name}: no pair is left; add transcripts or loosen its filters")
    bare = {side: pairs[side].str.replace(TAG, "", regex=True).str.strip() for side in ("prompt", *SIDES)}
    card = {
        "pairs": name,
        "settings": dict(settings),
        "filters": dict(filters),
        "sizes": _sizes(pairs),
        "length": _length(bare, count_tokens),
        "overlap": _overlap(pairs, bare),
        "balance": _balance(pairs),
        "reply_only": reply_only(pairs),
        "children": _children(pairs, families, parts),
    }
    _warn(card)
    return card


def _sizes(pairs: pd.DataFrame) -> dict[str, int | None]:
    sizes = {"pairs": len(pairs)} | {part: int((pairs["part"] == part).sum()) for part in ("train", "heldout")}
    different = {"prompts": "prompt", "chosen_replies": "chosen", "rejected_replies": "rejected"}
    sizes |= {name: pairs[column].nunique() for name, column in different.items()}
    known = {"children": "child", "corpora": "corpus"}
    return sizes | {name: pairs[column].nunique() if column in pairs else None for name, column in known.items()}


def _length(bare: Mapping[str, pd.Series], count_tokens) -> dict[str, float]:
    ends = [bare[side].map(terminator).to_numpy() for side in SIDES]
    found = {"equal_terminator_percent": _percent(ends[0] == ends[1])}
    for unit, count in (("words", lambda texts: [count_words(text) for text in texts]), ("tokens", count_tokens)):
        difference = np.subtract(*(np.array(count(bare[side].tolist())) for side in SIDES))
        found[f"equal_{unit}_percent"] = _percent(difference == 0)
        found[f"mean_difference_{unit}"] = float(difference.mean())
    return found


def _overlap(pairs: pd.DataFrame, bare: Mapping[str, pd.Series]) -> dict[str, float | None]:
    found = {
        f"{side}_percent": _percent([share_words(turns) for turns in zip(bare["prompt"], bare[side], strict=True)])
        for side in SIDES
    }
    prompts = {part: own.str.casefold() for part, own in pairs.groupby("part")["prompt"]}
    both = prompts["heldout"].isin(prompts["train"]) if len(prompts) == 2 else None
    return found | {"heldout_prompts_in_train_percent": None if both is None else _percent(both)}


def _balance(pairs: pd.DataFrame) -> dict[str, float | int]:
    uses = pd.concat({side: pairs.groupby("part")[side].value_counts() for side in SIDES}, axis=1).fillna(0)
    return {
        "balanced_uses_percent": 100 * float(uses.min(axis=1).sum() / len(pairs)),
        "most_chosen": int(pairs["chosen"].value_counts().max()),
    }


def reply_only(pairs: pd.DataFrame) -> dict[str, Any] | None:
    """Accuracy (percent, Wilson's interval) of a logistic regression on the words of the replies, cross-validated.

    The folds are whole corpora where there are several, else whole children, else whole prompts. In a balanced set
    every reply that a fold takes out as chosen remains as rejected, so folds of children or prompts teach the
    opposite of what they test, and the accuracy falls far below 50 %. A two-sided set is balanced within each
    corpus; from balanced replies a linear classifier learns nothing, so that all pairs are ties. Of the published
    construction, which draws across corpora, only a value above 50 % says anything. None without two folds.
    """
    for by in ("corpus", "child", "prompt"):
        if by in pairs and (owners := pairs[by].nunique()) > 1:
            break
    else:
        return None
    seen = np.array([*examples(pairs, "own"), None], dtype=object)[:-1]  # an array of tuples, not of their items
    decisions = np.empty(len(pairs))
    folds = GroupKFold(min(FOLDS, owners))
    both = folds.split(pairs, groups=pairs[by])
    for train, test in progress(both, total=folds.n_splits, description="classifier of replies", unit="fold"):
        decisions[test] = logistic(reply_words, seen[train], seen[test], seed=0)
    value, low, high, _ = wilson((np.sign(decisions) + 1) / 2)
    return {
        "accuracy_percent": 100 * value,
        "ci_low": 100 * low,
        "ci_high": 100 * high,
        "folds": folds.n_splits,
        "by": by,
    }


def _children(
    pairs: pd.DataFrame, families: pd.Series, parts: Mapping[str, Sequence[str]]
) -> dict[str, int] | None:
    if "transcript" not in pairs:
        return None
    own = {part: set(families.loc[group]) for part, group in pairs.groupby("part")["transcript"]}
    shared = len(own["train"] & own["heldout"]) if len(own) == 2 else 0
    everyone = set().union(*own.values())
    found = {part: len(everyone & set(families.loc[list(names)])) for part, names in parts.items()}
    return {"train_and_heldout": shared} | found


def _warn(card: Mapping[str, Any]) -> None:
    name, alone, children = card["pairs"], card["reply_only"], card["children"]
    if card["settings"].get("construction") == "two_sided" and alone and alone["ci_low"] > 50:
        logger.warning(
            "pairs.%s: the reply alone tells the chosen one in %.1f %% of the pairs (95 %% interval %.1f to %.1f)",
            name,
            *(alone[key] for key in ("accuracy_percent", "ci_low", "ci_high")),
        )
    if children and (children["train_and_heldout"] or sum(map(bool, children.values())) > 1):
        logger.warning("pairs.%s: children are shared between parts: %s", name, children)


def _percent(holds: Sequence[bool] | np.ndarray) -> float:
    return 100 * float(np.mean(holds))
