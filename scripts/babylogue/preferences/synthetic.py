"""Synthetic preference pairs: the chosen reply written by a teacher, the rejected one a child's.

The default brings the teacher's reply to CHAT form, filters it, and matches the child's to it in words and
terminator, so that DPO cannot win on format (Padovani et al. 2025 compare "ball." with "ball .": their `raw`, in
which 7 % of the chosen replies copy the prompt and no filter but an empty reply was applied). Replies of a teacher
and of children can be told apart by themselves; how well, the card of the set says.
"""

import numpy as np
import pandas as pd

from ..dialogue import CHILD, count_words, read_turns, share_words, terminator, words, write_turn
from ..teacher.prompts import chat_form, clean_reply
from .filters import Filters
from .settings import SyntheticPairs


def synthetic_pairs(
    natural: pd.DataFrame, replies: pd.DataFrame, settings: SyntheticPairs
) -> tuple[pd.DataFrame, Filters]:
    """Build the set, and count what its filters remove.

    Args:
        natural: the base set.
        replies: the teacher's, of which the first sample of a prompt is taken: prompt, sample, reply.
    """
    first = replies[replies["sample"] == 0].set_index("prompt")["reply"]
    filters = Filters(f"pairs of {settings.base}", len(natural))
    pairs = filters.keep(natural, natural["prompt"].isin(first.index), "prompt_not_answered")
    # A prompt has one reply of the teacher's, which must not be trained on and held out: held-out pairs go first.
    heldout_first = pairs.sort_values("part", kind="stable")  # heldout, train
    again = heldout_first["prompt"].str.casefold().duplicated().sort_index()
    pairs = filters.keep(pairs, ~again, "repeated_prompt")
    form = clean_reply if settings.form == "raw" else chat_form
    pairs = pairs.assign(
        turn=pairs["prompt"].map(_only_turn).astype(str), good=pairs["prompt"].map(first).map(form).astype(str)
    )
    pairs = filters.keep(pairs, pairs["good"] != "", "empty_reply")
    if settings.form == "chat":
        pairs = _sound(pairs, settings, filters)
        pairs["rejected"] = _rejected(pairs, natural, settings.seed)
        pairs = filters.keep(pairs, pairs["rejected"].notna(), "no_reply_to_reject")
    pairs["chosen"] = [write_turn(CHILD, reply) for reply in pairs["good"]]
    if settings.form == "raw":
        pairs = filters.keep(pairs, pairs["chosen"] != pairs["rejected"], "equal_replies")
    return pairs.drop(columns=["turn", "good"]).reset_index(drop=True), filters


def _only_turn(text: str) -> str:
    """A written turn without its tag."""
    return read_turns(text)[0][1]


def _sound(pairs: pd.DataFrame, settings: SyntheticPairs, filters: Filters) -> pd.DataFrame:
    """The pairs whose teacher's reply is none that any filter removes."""
    copies = [words(good) == words(turn) for good, turn in zip(pairs["good"], pairs["turn"], strict=True)]
    pairs = filters.keep(pairs, ~np.array(copies, dtype=bool), "copy_of_the_prompt")
    pairs = filters.keep(pairs, pairs["good"].map(count_words) <= settings.max_words, "too_many_words")
    most = max(1, int(settings.max_reply_share * len(pairs)))
    uses_before = pairs.groupby(pairs["good"].str.casefold()).cumcount()
    return filters.keep(pairs, uses_before < most, "repeated_reply")


def _rejected(pairs: pd.DataFrame, natural: pd.DataFrame, seed: int) -> pd.Series:
    """For each teacher's reply a child's of as many words and the same terminator, or None; each child's once.

    Each part draws from its own replies, so that tuning never meets a held-out one, and none is a true reply to
    the same prompt in the base set.
    """
    generator = np.random.default_rng(seed)
    true = natural.groupby(natural["prompt"].str.casefold())["chosen"].agg(lambda own: set(own.str.casefold()))
    rejected = pd.Series(None, index=pairs.index, dtype=object)
    for part, own in pairs.groupby("part"):
        pool = natural.loc[natural["part"] == part, "rejected"].to_numpy()
        by_form: dict[tuple[int, str], list[str]] = {}
        for reply in pool[generator.permutation(len(pool))]:
            by_form.setdefault(_length(_only_turn(reply)), []).append(reply)
        for index, prompt, turn, good in own[["prompt", "turn", "good"]].itertuples(name=None):
            unfit = true[prompt.casefold()] | {write_turn(CHILD, good).casefold()}
            rejected[index] = _take(by_form.get(_length(good), []), turn, good, unfit)
    return rejected


def _length(reply: str) -> tuple[int, str]:
    """What the two replies of a pair have in common."""
    return count_words(reply), terminator(reply)


def _take(candidates: list[str], turn: str, good: str, unfit: set[str]) -> str | None:
    """Take the first candidate that is fit and shares a word with the turn if, and only if, the good does."""
    overlap = share_words((turn, good))
    for index, reply in enumerate(candidates):
        if reply.casefold() not in unfit and share_words((turn, _only_turn(reply))) == overlap:
            return candidates.pop(index)
    return None
