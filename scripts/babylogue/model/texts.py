"""What a model is trained on: triplets as texts, or their turns as isolated sentences."""

from typing import Literal

import pandas as pd

from ..dialogue import count_words, write_turn, write_turns
from ..errors import UserError


def mix_in_adults(triplets: pd.DataFrame, adult: pd.DataFrame, share: float) -> pd.DataFrame:
    """`triplets` with a `share` of their words replaced by triplets of adults: as many words in all.

    Of either table the first are taken; both stand in random order. Raises UserError where the adults have too few
    words.
    """
    budget = int(triplets["words"].sum())
    if (there := int(adult["words"].sum())) < share * budget:
        raise UserError(
            f"adult_dialogue.path: its triplets have {there:,} words, and adult_share {share} of {budget:,} words "
            "asks for more; add transcripts or lower the share"
        )
    return pd.concat([_first_words(triplets, (1 - share) * budget), _first_words(adult, share * budget)])


def _first_words(triplets: pd.DataFrame, words: float) -> pd.DataFrame:
    return triplets[triplets["words"].cumsum() - triplets["words"] < words]


def training_texts(triplets: pd.DataFrame, form: Literal["triplets", "sentences"]) -> tuple[list[str], list[int]]:
    """Texts with speaker tags, and the lexical words of each.

    `sentences` has the same words as `triplets`, each turn on its own: the dialogue structure ablation.
    """
    pairs = zip(triplets["speakers"], triplets["turns"], strict=True)
    if form == "triplets":
        return [write_turns(speakers, turns) for speakers, turns in pairs], triplets["words"].tolist()
    singles = [(speaker, turn) for speakers, turns in pairs for speaker, turn in zip(speakers, turns, strict=True)]
    return [write_turn(speaker, turn) for speaker, turn in singles], [count_words(turn) for _, turn in singles]
