"""Natural preference pairs: real caregiver turn, real child reply, another child reply.

The default is two-sided: chosen and rejected pass the same filters (no lexical word shared with the
prompt), have the same length, terminator, corpus and age band, and each reply is rejected as often as it is
chosen.
The paper's own construction filters the chosen reply alone, so that "reject what shares a token with the
prompt" beats its best model; it is kept as `published`.

pairs parquet: prompt, chosen, rejected (str, with tags), part (train | heldout), corpus, child, family (the first
of the children that belong together, as in the split), transcript (str), age_months (float).
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa

from ..dialogue import CHILD, words, write_turn
from .exchanges import describe_replies, find_exchanges
from .filters import Filters
from .matching import draw_rejected
from .settings import NaturalPairs
from .tuning import reserved_for_rollouts, validation_families
from .tuning_settings import TuningSettings


def natural_pairs(
    triplets: pa.Table,
    families: pd.Series,
    settings: NaturalPairs,
    tuning: TuningSettings,
    count_tokens: Callable[[list[str]], list[int]] | None = None,
) -> tuple[pd.DataFrame, Filters]:
    """Build the set, and count what its filters remove.

    Args:
        triplets: of one part of the corpus.
        families: transcript -> family of its child; whole families are held out.
        tuning: how the tune part is divided; without effect on a set of the test part, which is all held out.
        count_tokens: replies -> subword tokens of each, for `match: tokens`.
    """
    two_sided = settings.construction == "two_sided"
    found = find_exchanges(triplets)
    filters = Filters("exchanges of a caregiver's turn and the child's reply", len(found))
    exchanges = found
    if settings.part == "tune":
        exchanges = filters.keep(found, ~reserved_for_rollouts(found["turn"], tuning), "reserved_for_rollouts")
    exchanges = _candidates(exchanges, settings, filters)
    true_replies: dict[str, set[str]] = {}
    for turn, reply in zip(exchanges["turn"].str.casefold(), exchanges["reply"].str.casefold(), strict=True):
        true_replies.setdefault(turn, set()).add(reply)
    # Some are lost in matching; there is no use in matching millions.
    exchanges = filters.keep(exchanges, np.arange(len(exchanges)) < 3 * settings.max_pairs, "not_needed")
    exchanges["family"] = families.loc[exchanges["transcript"]].to_numpy()
    part = np.full(len(exchanges), "heldout")
    if settings.part == "tune":
        validation = validation_families(found, families, tuning)
        part = np.where(exchanges["family"].isin(validation), "heldout", "train")
    replies = exchanges["reply"].tolist()
    length = exchanges["reply_words"] if settings.match == "words" else count_tokens(replies)
    groups = list(zip(length, strict=True))
    if two_sided:
        # Rejected replies come from the same part, so that tuning never meets a held-out one.
        alike = (exchanges[name] for name in ("corpus", "reply_terminator", "age_band"))
        groups = list(zip(part, length, *alike, strict=True))
    folded = [reply.casefold() for reply in replies]
    true = [true_replies[turn.casefold()] for turn in exchanges["turn"]]
    turn_words, reply_words = exchanges["turn_set"].tolist(), exchanges["reply_set"].tolist()

    def allowed(index: int, other: int) -> bool:
        """Whether the reply of another exchange may be the rejected one of this."""
        if not two_sided:
            return replies[other] != replies[index]
        return folded[other] not in true[index] and turn_words[index].isdisjoint(reply_words[other])

    generator = np.random.default_rng(settings.seed)
    rejected = draw_rejected(np.arange(len(groups)), groups, allowed, generator)
    pairs = exchanges.assign(part=part, number=np.arange(len(groups)))
    pairs = filters.keep(pairs, rejected >= 0, "no_reply_to_reject")
    pairs = filters.keep(pairs, np.arange(len(pairs)) < settings.max_pairs, "beyond_max_pairs")
    # Drawn anew among those that are kept, which makes them closed: each is rejected as often as it is chosen.
    rejected = draw_rejected(pairs["number"].to_numpy(), groups, allowed, generator)
    pairs = filters.keep(pairs, rejected >= 0, "no_reply_to_reject")
    return _table(pairs, [replies[index] for index in rejected[rejected >= 0]]), filters


def _candidates(exchanges: pd.DataFrame, settings: NaturalPairs, filters: Filters) -> pd.DataFrame:
    """The exchanges that may become pairs in random order, the words of both turns as turn_set and reply_set."""
    turn_words = exchanges["turn"].map(words)
    exchanges = filters.keep(exchanges, turn_words.str.len() >= settings.min_prompt_words, "short_prompt")
    exchanges = describe_replies(exchanges, settings.age_band_months)
    exchanges = filters.keep(exchanges, exchanges["reply_words"] >= settings.min_reply_words, "short_reply")
    # The paper's overlap is of any token, the final mark included.
    pieces = words if settings.construction == "two_sided" else str.split
    turns, replies = ([frozenset(pieces(turn)) for turn in exchanges[name]] for name in ("turn", "reply"))
    apart = [turn.isdisjoint(reply) for turn, reply in zip(turns, replies, strict=True)]
    exchanges = filters.keep(exchanges.assign(turn_set=turns, reply_set=replies), apart, "overlap_with_prompt")
    return exchanges.sample(frac=1, random_state=settings.seed).reset_index(drop=True)


def _table(exchanges: pd.DataFrame, rejected: list[str]) -> pd.DataFrame:
    """The table of pairs from exchanges and the rejected reply of each."""
    pairs = pd.DataFrame(
        {
            "prompt": [write_turn(*pair) for pair in zip(exchanges["speaker"], exchanges["turn"], strict=True)],
            "chosen": [write_turn(CHILD, reply) for reply in exchanges["reply"]],
            "rejected": [write_turn(CHILD, reply) for reply in rejected],
        }
    )
    for name in ("corpus", "child", "family", "transcript", "age_months", "part"):
        pairs[name] = exchanges[name].to_numpy()
    return pairs
