"""CHAT transcripts to clean utterances, on top of pylangacq.

Conventions are those of the CHAT manual (MacWhinney 2000, https://talkbank.org/0info/manuals/CHAT.html);
the cleaning is that of Padovani et al. 2025, section 3. pylangacq drops retracings, unintelligible words,
fillers, fragments and events, and puts intended words in; what is left to do here are pauses, compounds,
lengthening, CA marks and terminators.
"""

import re
import warnings
from dataclasses import dataclass

import pylangacq

from ..dialogue import CHILD, count_words

TARGET_CHILD = "Target_Child"
# A private word that stands for an annotated pause, since the parser drops pauses.
_PAUSE_WORD = "pausemarkq"
_PAUSE = re.compile(r"\((?:\.{1,3}|(?:\d+:)?\d+(?:\.\d*)?|(?:\d+:)?\d*\.\d+)\)")
_BULLET = re.compile("\x15[^\x15\n]*\x15?")
_UNINTELLIGIBLE = re.compile(r"^(?:x{2,3}|y{2,3}|w{3})(?:\W.*)?$")
_NOT_IN_WORDS = re.compile(r"[^\w'-]")


class Unreadable(Exception):
    """Why a file is rejected."""


@dataclass(frozen=True)
class Utterance:
    """One clean utterance: speaker code (the target child is CHI), CHAT role, and text with its terminator."""

    speaker: str
    role: str
    text: str


@dataclass(frozen=True)
class Transcript:
    """A transcript's utterances and what its headers say of the target child."""

    child_name: str
    age_months: float | None
    utterances: list[Utterance]
    empty: int
    """Utterances without any intelligible word, which are left out."""


def clean_word(token: str) -> list[str]:
    """One token of the parser as words: lengthening and CA marks off, compounds joined by `-`, `_` parted."""
    if token == ",":
        return [token]
    if _UNINTELLIGIBLE.match(token):
        return []
    words = (_NOT_IN_WORDS.sub("", part).strip("-") for part in token.replace("+", "-").split("_"))
    return [word for word in words if any(character.isalnum() for character in word)]


def clean_terminator(token: str) -> str:
    """Reduce a terminator to . ? ! (`+...` -> `.`, `+..?` -> `?`)."""
    return "?" if "?" in token else "!" if "!" in token else "."


def _split_at_pauses(tokens: list[str]) -> list[str]:
    """The texts of one utterance's pieces; a piece that ends at a pause is closed by a full stop."""
    *body, last = tokens
    if any(character.isalnum() for character in last):
        body, last = tokens, "."
    pieces: list[list[str]] = [[]]
    for token in body:
        if token == _PAUSE_WORD:
            pieces.append([])
        else:
            pieces[-1].extend(clean_word(token))
    texts = []
    ends = ["."] * (len(pieces) - 1) + [clean_terminator(last)]
    for words, end in zip(pieces, ends, strict=True):
        text = " ".join(words).strip(", ")
        if count_words(text):
            texts.append(f"{text} {end}")
    if texts:
        # A trailing pause must not cost a question its mark.
        texts[-1] = f"{texts[-1][:-2]} {clean_terminator(last)}"
    return texts


def read_chat(data: bytes) -> Transcript:
    """Parse one CHAT file.

    Raises:
        Unreadable: not UTF-8, no `@Begin`, refused by the parser, or without a single utterance.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8 text") from error
    if "@Begin" not in text:
        raise Unreadable("no @Begin line")
    text = _PAUSE.sub(f" {_PAUSE_WORD} ", _BULLET.sub("", text))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chat = pylangacq.CHAT.from_strs([text], parallel=False, strict=False, mor_tier=None, gra_tier=None)
            (headers,) = chat.headers()
            parsed = chat.utterances()
    except (OSError, ValueError) as error:
        raise Unreadable(f"the parser refuses it: {' '.join(str(error).split())[:200]}") from error
    roles = {participant.code: participant.role or "Unidentified" for participant in headers.participants}
    children = [participant for participant in headers.participants if participant.role == TARGET_CHILD]
    utterances, empty = [], 0
    for utterance in parsed:
        tokens = [token.word for token in utterance.tokens or []]
        texts = _split_at_pauses(tokens) if tokens else []
        empty += not texts
        role = roles.get(utterance.participant, "Unidentified")
        speaker = CHILD if role == TARGET_CHILD else utterance.participant
        utterances.extend(Utterance(speaker, role, clean) for clean in texts)
    if not utterances and not empty:
        raise Unreadable("no utterances")
    child = children[0] if children else None
    return Transcript(
        child_name=(child.name or "") if child else "",
        age_months=round(child.age.in_months(), 2) if child and child.age else None,
        utterances=utterances,
        empty=empty,
    )
