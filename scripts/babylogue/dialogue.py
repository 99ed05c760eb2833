"""The one place that knows how turns are written as text and read back.

A turn is written as its speaker tag and its words, `*CHI: all gone .`; turns are joined by one space, so a
triplet reads `*MOT: where's the kitty ? *CHI: all gone . *MOT: yeah .` (Padovani et al. 2025, section 3).
"""

import re
from collections.abc import Iterable, Sequence

CHILD = "CHI"
TERMINATORS = (".", "?", "!")
TAG = re.compile(r"(?<!\S)\*([A-Za-z0-9]{1,8}):(?!\S)")


def speaker_tag(speaker: str) -> str:
    """The tag of a speaker code: CHI -> `*CHI:`."""
    return f"*{speaker}:"


def write_turn(speaker: str, turn: str) -> str:
    """One turn as text: (CHI, `all gone .`) -> `*CHI: all gone .`."""
    return f"{speaker_tag(speaker)} {turn}"


def write_turns(speakers: Iterable[str], turns: Iterable[str]) -> str:
    """Turns in order as one text, joined by a space."""
    return " ".join(write_turn(speaker, turn) for speaker, turn in zip(speakers, turns, strict=True))


def read_turns(text: str) -> list[tuple[str, str]]:
    """The inverse of `write_turns`: (speaker, turn) pairs in order; text before the first tag is left out."""
    pieces = TAG.split(text)
    return [(speaker, turn.strip()) for speaker, turn in zip(pieces[1::2], pieces[2::2], strict=True)]


def words(turn: str) -> list[str]:
    """The lexical words of a turn, case-folded: everything with a letter or digit, so no punctuation."""
    return [word.casefold() for word in turn.split() if any(character.isalnum() for character in word)]


def count_words(turn: str) -> int:
    """How many lexical words a turn has."""
    return len(words(turn))


def terminator(turn: str) -> str:
    """The turn's last token if it is a terminator (. ? !), else the empty string."""
    last = turn.rsplit(maxsplit=1)[-1] if turn.strip() else ""
    return last if last in TERMINATORS else ""


def share_words(turns: Sequence[str]) -> bool:
    """Whether any two of the turns have a lexical word in common (case-folded, punctuation apart)."""
    seen: set[str] = set()
    for turn in turns:
        own = set(words(turn))
        if own & seen:
            return True
        seen |= own
    return False
