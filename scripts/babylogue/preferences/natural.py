"""Natural preference pairs: real caregiver turn, real child reply, another child reply.

The default is two-sided: chosen and rejected pass the same filters (no lexical word shared with the
prompt), have the same length, terminator, corpus and age band, and each reply is rejected as often as it is
chosen.
The paper's own construction filters the chosen reply alone, so that "reject what shares a token with the
prompt" beats its best model; it is kept as `published`.

pairs parquet: prompt, chosen, rejected (str, with tags), part (train | heldout), corpus, child, transcript
(str), age_months (float).
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..dialogue import CHILD, count_words, share_words, write_turn
from .exchanges import describe_replies, find_exchanges
from .heldout import heldout_part
from .matching import draw_rejected
from .settings import NaturalPairs


def _token_overlap(first: str, second: str) -> bool:
    """The paper's overlap: any token in common, the final punctuation mark included."""
    return bool(set(first.split()) & set(second.split()))


def candidate_exchanges(triplets: pd.DataFrame, settings: NaturalPairs) -> pd.DataFrame:
    """The exchanges that may become pairs, in random order."""
    overlap = share_overlap(settings)
    exchanges = describe_replies(find_exchanges(triplets), settings.age_band_months)
    exchanges = exchanges[
        (exchanges["turn"].map(count_words) >= settings.min_prompt_words)
        & (exchanges["reply_words"] >= settings.min_reply_words)
    ]
    sound = [not overlap(turn, reply) for turn, reply in zip(exchanges["turn"], exchanges["reply"], strict=True)]
    return exchanges[sound].sample(frac=1, random_state=settings.seed).reset_index(drop=True)


def share_overlap(settings: NaturalPairs) -> Callable[[str, str], bool]:
    """The overlap of prompt and reply that the construction filters by."""
    if settings.construction == "published":
        return _token_overlap
    return lambda turn, reply: share_words((turn, reply))


def natural_pairs(
    triplets: pd.DataFrame, settings: NaturalPairs, count_tokens: Callable[[list[str]], list[int]]
) -> pd.DataFrame:
    """Build the set.

    Args:
        triplets: of one part of the corpus.
        count_tokens: replies -> subword tokens of each, for `match: tokens`.
    """
    exchanges = candidate_exchanges(triplets, settings)
    # Some are lost in matching; there is no use in matching millions.
    exchanges = exchanges.head(3 * settings.max_pairs)
    turns, replies = exchanges["turn"].tolist(), exchanges["reply"].tolist()
    length = exchanges["reply_words"] if settings.match == "words" else count_tokens(replies)
    part = heldout_part(exchanges["child"], settings)
    if settings.construction == "published":
        groups = [(size,) for size in length]
    else:
        # Rejected replies come from the same part, so that tuning never meets a held-out reply.
        alike = (exchanges[name] for name in ("corpus", "reply_terminator", "age_band"))
        groups = list(zip(part, length, *alike, strict=True))
    overlap = share_overlap(settings)
    true_replies: dict[str, set[str]] = {}
    for turn, reply in zip(turns, replies, strict=True):
        true_replies.setdefault(turn.casefold(), set()).add(reply.casefold())

    def allowed(index: int, reply: str) -> bool:
        if settings.construction == "published":
            return reply != replies[index]
        return reply.casefold() not in true_replies[turns[index].casefold()] and not overlap(turns[index], reply)

    generator = np.random.default_rng(settings.seed)
    everyone = np.arange(len(groups))
    matched = everyone[draw_rejected(everyone, groups, replies, allowed, generator) >= 0][: settings.max_pairs]
    # Drawn anew among those that are kept, which makes them closed: each is rejected as often as it is chosen.
    rejected = draw_rejected(matched, groups, replies, allowed, generator)
    kept = matched[rejected >= 0]
    return _pairs(exchanges.iloc[kept], [replies[index] for index in rejected[rejected >= 0]], part[kept])


def _pairs(exchanges: pd.DataFrame, rejected: list[str], part: np.ndarray) -> pd.DataFrame:
    """The table of pairs from exchanges, the rejected reply of each and the part that it is of."""
    pairs = pd.DataFrame(
        {
            "prompt": [write_turn(*pair) for pair in zip(exchanges["speaker"], exchanges["turn"], strict=True)],
            "chosen": [write_turn(CHILD, reply) for reply in exchanges["reply"]],
            "rejected": [write_turn(CHILD, reply) for reply in rejected],
        }
    )
    for name in ("corpus", "child", "transcript", "age_months"):
        pairs[name] = exchanges[name].to_numpy()
    return pairs.assign(part=part)
