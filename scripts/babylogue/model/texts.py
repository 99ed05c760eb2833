"""What a model is trained on: triplets as texts, or their turns as isolated sentences."""

from typing import Literal

import pandas as pd

from ..dialogue import count_words, write_turn, write_turns


def training_texts(triplets: pd.DataFrame, form: Literal["triplets", "sentences"]) -> tuple[list[str], list[int]]:
    """Texts with speaker tags, and the lexical words of each.

    `sentences` has the same words as `triplets`, each turn on its own: the dialogue structure ablation.
    """
    pairs = zip(triplets["speakers"], triplets["turns"], strict=True)
    if form == "triplets":
        return [write_turns(speakers, turns) for speakers, turns in pairs], triplets["words"].tolist()
    singles = [(speaker, turn) for speakers, turns in pairs for speaker, turn in zip(speakers, turns, strict=True)]
    return [write_turn(speaker, turn) for speaker, turn in singles], [count_words(turn) for _, turn in singles]
