"""What is typed, as turns in CHAT form."""

import re

from ..dialogue import TAG, read_turns, terminator, words, write_turn
from ..teacher.prompts import chat_form

_SENTENCE = re.compile(r"[^.?!]+[.?!]*")


def spoken(line: str, speaker: str) -> list[tuple[str, str]]:
    """The turns (speaker code, words) of a typed line, none where it has no words.

    It is `speaker`'s up to a tag, `*FAT: come here .`, which begins another's turn.
    """
    line = " ".join(line.split())
    turns = read_turns(line if TAG.match(line) else write_turn(speaker, line))
    return [(code, utterance) for code, turn in turns for utterance in _utterances(turn)]


def _utterances(turn: str) -> list[str]:
    """A turn that ends in a terminator of its own (`all gone .`) as it stands, else each sentence in CHAT form."""
    if terminator(turn):
        return [turn] if words(turn) else []
    return [form for sentence in _SENTENCE.findall(turn) if (form := chat_form(sentence))]
