"""CHAT transcripts to clean utterances, on top of pylangacq.

Conventions are those of the CHAT manual (MacWhinney 2000, https://talkbank.org/0info/manuals/CHAT.html);
the cleaning is that of Padovani et al. 2025, section 3. pylangacq drops retracings, fillers, fragments, events
and omitted words, and puts intended words in. What is done here: headers are read, main tiers told from other
lines and counted, pauses kept as places to split at, codes that do not change the words taken out before the
parser sees them, and its words made plain (compounds, lengthening, CA marks, terminators).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import pylangacq

from ..dialogue import CHILD

TARGET_CHILD = "Target_Child"
_OTHER_CHILD = "KID"
_DAYS_A_MONTH = 30  # as pylangacq counts

# Files. The text starts with a newline where these are used.
_HTML = re.compile(r"\s*<(?:!doctype|html|head)\b", re.IGNORECASE)
_BEGIN = re.compile(r"\n@Begin[ \t]*(?=\n)")
_END = re.compile(r"\n@End[ \t]*(?=\n|\Z)")
_SPEAKER_CODE = re.compile(r"\w[\w-]{0,15}")
_AGE = re.compile(r"(\d{1,3});(\d{0,2})\.?(\d{0,2})")

# Main tiers. What is longer, or nested deeper, is damage; the parser would follow any nesting to the stack's end.
_LONGEST_TIER = 5_000  # characters; the longest in 5,426 transcripts of CHILDES has fewer than 1,500
_DEEPEST_GROUP = 20
_BULLET = re.compile("\x15[^\x15\n]*\x15")
_TIMES = re.compile(r"[0-9](?<![0-9][0-9])[0-9]*_[0-9]+")  # of a bullet that lost its marks
_OVERLAP_POINT = re.compile(r"[⌈⌉⌊⌋]\d?")
_CODE = re.compile(r"\[(?![:/])[^\[\]\n]*\]")  # all but replacements [: ] and retracings [/ ]
_BRACKET = re.compile(r"[][<>]")
_PAUSE = re.compile(r"\((?:\.{1,3}|(?:\d+:)?\d+(?:\.\d*)?|(?:\d+:)?\d*\.\d+)\)")
# The parser drops pauses, so a private character stands for each, which is a word to it: a retracing takes its
# pauses along. But right before the mark of a retracing it would be retraced in the word's place.
_PAUSE_WORD = "\ue000"
_PAUSE_BEFORE_MARK = re.compile(rf"{_PAUSE_WORD}(?=[ \t{_PAUSE_WORD}]*\[[:/])")
# Three tiers of four are words, commas, pauses and a terminator: the parser would split them at spaces, too.
_PLAIN_TIER = re.compile(rf"(?:(?:[A-Za-z'{_PAUSE_WORD}-]+|,) +)+[.?!] *")
# And most of these are clean as they are: no pause, no unintelligible word, commas between words alone.
_CLEAN_TIER = re.compile(
    r"{word} (?:(?:, )?{word} )*[.?!] *".format(word=r"(?!(?i:xx|yy|www))[A-Za-z]+(?:['-][A-Za-z]+)*")
)
# The parser takes the mark of `oh!` for a letter and that of `&=nods.` for the event's.
_JOINED_TERMINATOR = re.compile(r'[+.?!](?<=[^\s+.?!"/].)["/.?!]*[ \t]*$', re.MULTILINE)

# Words.
_AFTER_WORD = re.compile(r"[@$&].*", re.DOTALL)
_SEGMENT_REPETITION = re.compile("↫[^↫]*↫")
_BETWEEN_WORDS = re.compile(r"[\s+_/;…–—]|--+")  # noqa: RUF001
_UNINTELLIGIBLE = re.compile(r"xx|yy|www", re.IGNORECASE)
# Letters that are marks in CHAT: stress, length, CA's yawn and laughter.
_PLAINER = str.maketrans("’‘ʼ‐‑", "'''--", "ˈˌːˑΫἩἡ")  # noqa: RUF001


class Unreadable(Exception):
    """Why a file is rejected."""


class Utterance(NamedTuple):
    """One clean utterance: speaker code (the target child is CHI), CHAT role, and text with its terminator."""

    speaker: str
    role: str
    text: str


@dataclass(frozen=True)
class Transcript:
    """A transcript's utterances, what its headers say of the target child, and what became of its lines.

    lines = kept + empty + lost, and since pauses split, len(utterances) >= kept.
    """

    child_name: str
    """The target child's name in @Participants, may be empty."""
    child_names: tuple[str, ...]
    """The names that are known of all target children: siblings or peers may be recorded together."""
    age_months: float | None
    """The target child's age from @ID in months, the middle where @ID gives a range."""
    utterances: list[Utterance]
    lines: int
    """Main tiers, and lines that belong to no tier."""
    kept: int
    """Main tiers that gave at least one utterance."""
    empty: int
    """Main tiers without any intelligible word, which are left out."""
    lost: int
    """Main tiers that cannot be read (no speaker code, brackets that do not match), lines of no tier."""


class _Participant(NamedTuple):
    name: str
    role: str
    age_months: float | None


_NOBODY = _Participant("", "Unidentified", None)


def read_chat(data: bytes) -> Transcript:
    """Read one CHAT file.

    The target child is found by its role and gets the code CHI. Of several it is the one that is coded so
    anyway, else the one with most main tiers; the others keep their codes, since two children under one code
    would seem to talk to themselves. Without any it is whoever is coded CHI, which the manual reserves for it.

    Raises:
        Unreadable: not UTF-8, an HTML page, no @Begin, no @End (both are obligatory; without @End a file is cut
            short), talk outside of them, no main tier that can be read. A file whose @Media says that it is
            not transcribed is read, without utterances.
    """
    headers, tiers, stray = _split_lines(_framed_text(_decode(data)))
    participants = _participants(headers)
    counts = Counter(code for code, _ in tiers)
    child, *others = _target_children(participants, counts)
    speakers = {
        code: (speaker_code(code, child), participants.get(code, _NOBODY).role)
        for code in counts
        if _SPEAKER_CODE.fullmatch(code)
    }
    clean = _clean_tiers([tier for code, tier in tiers if code in speakers])
    utterances: list[Utterance] = []
    kept, empty, lost = 0, 0, stray
    for code, tier in tiers:
        texts = clean.get(tier) if code in speakers else None
        if texts:
            kept += 1
            speaker, role = speakers[code]
            utterances.extend([Utterance(speaker, role, text) for text in texts])
        elif texts is None:
            lost += 1
        else:
            empty += 1
    lines = len(tiers) + stray
    if not kept + empty and not _is_untranscribed(headers):
        raise Unreadable(f"none of its {lines} lines of talk can be read" if lines else "no utterances")
    known = participants.get(child, _NOBODY)
    names = (participants.get(code, _NOBODY).name for code in (child, *others))
    return Transcript(
        child_name=known.name,
        child_names=tuple(name for name in names if name),
        age_months=known.age_months,
        utterances=utterances,
        lines=lines,
        kept=kept,
        empty=empty,
        lost=lost,
    )


def speaker_code(code: str, child: str) -> str:
    """The code to write for a transcript's `code`: letters and digits, eight at most.

    CHI is the target child's alone: it stands for the code `child`, and another speaker who has it becomes KID.
    """
    if code == child:
        return CHILD
    plain = re.sub(r"[^A-Za-z0-9]", "", code)[:8] or "UNK"
    return _OTHER_CHILD if plain == CHILD else plain


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8 text") from error
    if "\0" in text:
        raise Unreadable("not UTF-8 text: it holds NUL characters")
    if _HTML.match(text):
        raise Unreadable("an HTML page (of a login?), no transcript")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _framed_text(text: str) -> str:
    """The text up to @End (CHAT manual, "Obligatory Headers")."""
    text = f"\n{text}"
    begins = [match.start() for match in _BEGIN.finditer(text)]
    if not begins:
        raise Unreadable("no @Begin line")
    end = _END.search(text)
    if end is None:
        raise Unreadable("no @End line: cut short? If it is complete, add the line")
    if len(begins) > 1 or "\n*" in text[: begins[0]] or "\n*" in text[end.end() :]:
        raise Unreadable("talk outside of @Begin and @End: two transcripts in one file?")
    return text[: end.start()]


def _split_lines(text: str) -> tuple[list[str], list[tuple[str, str]], int]:
    """Headers, main tiers as (speaker code, rest), how many lines are of no tier.

    The code is empty where a main tier has none. Continuation lines are joined to theirs; the parser would take
    lines of no tier for such, and say nothing of main tiers without a code.
    """
    head, *talk = text.replace("\n\t", " ").replace("\n ", " ").split("\n*")
    others = head.split("\n")
    tiers: list[tuple[str, str]] = []
    for piece in talk:
        line, _, below = piece.partition("\n")
        code, colon, tier = line.partition(":")
        tiers.append((code if colon else "", tier.strip()))
        # Most often only dependent tiers follow, which are not needed.
        if below and below.count("\n%") + (below[0] == "%") <= below.count("\n"):
            others += below.split("\n")
    headers = [line for line in others if line.startswith("@")]
    stray = sum(not line.startswith(("@", "%")) and bool(line.strip()) for line in others)
    return headers, tiers, stray


def _participants(headers: Iterable[str]) -> dict[str, _Participant]:
    """Code -> participant, from @Participants and @ID; where the two disagree on a role, the first is right.

    pylangacq takes the second of three names for a part of the role and knows no range of ages.
    """
    named: dict[str, list[str]] = {}
    identified: dict[str, list[str]] = {}
    for header in headers:
        tag, _, value = header.partition(":")
        if tag == "@Participants":
            entries = [entry.split() for entry in value.split(",")]
            named |= {entry[0]: entry[1:] for entry in entries if entry}
        elif tag == "@ID" and len(fields := [field.strip() for field in value.split("|")]) > 7:
            identified[fields[2]] = fields
    participants = {}
    for code in named | identified:
        *names, role = named.get(code) or [""]
        fields = identified.get(code, [""] * 8)
        participants[code] = _Participant(
            " ".join(names), role or fields[7] or _NOBODY.role, _age_months(fields[3])
        )
    return participants


def _age_months(field: str) -> float | None:
    """`1;08.15`, `1;8.`, `1;08` or `2;` in months; of `2;03.14 - 2;04.01` the middle."""
    ages = [tuple(int(number or 0) for number in age) for age in _AGE.findall(field)]
    if not ages or any(months > 11 or days > 31 for _, months, days in ages):
        return None
    return round(sum(12 * years + months + days / _DAYS_A_MONTH for years, months, days in ages) / len(ages), 2)


def _target_children(participants: dict[str, _Participant], tiers: Counter) -> list[str]:
    """Codes of the target children, the one that becomes CHI first."""
    codes = [code for code, participant in participants.items() if participant.role == TARGET_CHILD]
    return sorted(codes, key=lambda code: (code != CHILD, -tiers[code])) or [CHILD]


def _is_untranscribed(headers: Iterable[str]) -> bool:
    return any(header.startswith("@Media:") and "notrans" in header for header in headers)


def _clean_tiers(tiers: Iterable[str]) -> dict[str, list[str]]:
    """Main tier -> its clean utterances; a tier that cannot be read is left out."""
    # A quarter of all tiers stands in its transcript before.
    originals = [tier for tier in dict.fromkeys(tiers) if len(tier) <= _LONGEST_TIER]
    if not originals:
        return {}
    plain = _without_codes("\n".join(originals)).split("\n")
    clean: dict[str, list[str]] = {}
    coded = []
    for original, tier in zip(originals, plain, strict=True):
        if _CLEAN_TIER.fullmatch(tier):
            clean[original] = [tier.rstrip()]
        elif _PLAIN_TIER.fullmatch(tier):
            clean[original] = _split_at_pauses(tier.split())
        elif _is_sound(tier):
            coded.append((original, tier))
    for (original, _), tokens in zip(coded, _parse([tier for _, tier in coded]), strict=True):
        if tokens is not None:
            clean[original] = _split_at_pauses(tokens)
    return clean


def _without_codes(tiers: str) -> str:
    """Main tiers, one a line, with only the codes that the parser must see, and pauses as words."""
    if "\x15" in tiers:
        tiers = _BULLET.sub(" ", tiers).replace("\x15", " ")
    tiers = _TIMES.sub(" ", tiers)
    if not tiers.isascii():
        tiers = _OVERLAP_POINT.sub("", tiers.replace(_PAUSE_WORD, ""))
    for _ in range(2):  # a code may quote another one
        tiers = _CODE.sub(" ", tiers)
    # The parser leaves [:: ] as it is, the replacement of a real word by the one that was meant.
    tiers = tiers.replace("[::", "[:").replace("+<", " ")
    tiers = _PAUSE_BEFORE_MARK.sub("", _PAUSE.sub(f" {_PAUSE_WORD} ", tiers))
    return _JOINED_TERMINATOR.sub(r" \g<0>", tiers)


def _is_sound(tier: str) -> bool:
    """Whether brackets match; where they do not, it is unclear what is talk and what is a comment."""
    brackets = "".join(_BRACKET.findall(tier)).replace("[]", "")
    for _ in range(_DEEPEST_GROUP):
        if not brackets:
            return True
        brackets = brackets.replace("<>", "")
    return not brackets


def _parse(tiers: list[str]) -> list[list[str] | None]:
    """The parser's tokens of each main tier; None for one that it does not take."""
    tokens = _tokens(tiers)
    if len(tokens) == len(tiers):
        return tokens
    # One tier that the parser breaks on must not cost the whole transcript.
    return [own[0] if len(own := _tokens([tier])) == 1 else None for tier in tiers]


def _tokens(tiers: list[str]) -> list[list[str]]:
    text = "".join(["@Begin\n", *[f"*{CHILD}:\t{tier}\n" for tier in tiers], "@End\n"])
    try:
        chat = pylangacq.CHAT.from_strs([text], parallel=False, strict=False, mor_tier=None, gra_tier=None)
        return chat.words(by_utterance=True)
    except BaseException as error:
        # The parser's own defects come as pyo3_runtime.PanicException, which is no Exception.
        if not isinstance(error, (OSError, ValueError)) and type(error).__name__ != "PanicException":
            raise
        return []


def _split_at_pauses(tokens: list[str]) -> list[str]:
    """The texts of one main tier; a piece that ends at a pause is closed by a full stop."""
    body, end = list(tokens), ""
    while body and not clean_word(body[-1]):
        end += body.pop()
    end = clean_terminator(end)
    if _PAUSE_WORD not in body:
        text = _join(body)
        return [f"{text} {end}"] if text else []
    pieces: list[list[str]] = [[]]
    for token in body:
        if token == _PAUSE_WORD:
            pieces.append([])
        else:
            pieces[-1].append(token)
    texts = [text for piece in pieces if (text := _join(piece))]
    # The last one gets the tier's own mark, also where a pause stands before it.
    return [f"{text} ." for text in texts[:-1]] + [f"{text} {end}" for text in texts[-1:]]


def _join(tokens: list[str]) -> str:
    """Tokens as the text of their words, without commas at its ends and after another comma."""
    text = " ".join(filter(None, map(clean_word, tokens)))
    if "," not in text:
        return text
    parts = (part.strip() for part in text.split(","))
    return " , ".join(part for part in parts if part)


@lru_cache(maxsize=1 << 17)
def clean_word(token: str) -> str:
    """One token of the parser as plain words joined by spaces; empty where nothing is left, a comma as it is.

    Special-form marks, lengthening, stress and CA marks go, compounds and words joined by `_` are parted, and
    unintelligible words (xxx, yyy, www, also inflected) go (CHAT manual, "Words" and "CA Coding").
    """
    if token == ",":
        return token
    token = _SEGMENT_REPETITION.sub("", _AFTER_WORD.sub("", unicodedata.normalize("NFC", token)))
    words = (_letters(part) for part in _BETWEEN_WORDS.split(token.translate(_PLAINER)))
    return " ".join(word for word in words if word and not _UNINTELLIGIBLE.match(word))


def _letters(part: str) -> str:
    """A word without what is no letter (with its combining marks), digit, inner hyphen or apostrophe."""
    word = "".join(c for c in part if c.isalnum() or c in "'-" or unicodedata.category(c) in ("Mn", "Mc"))
    word = re.sub("''+", "", word).strip("-")
    if word.startswith("'") and word.endswith("'"):
        word = word.strip("'-")
    return word if any(c.isalnum() for c in word) else ""


def clean_terminator(token: str) -> str:
    """Reduce a terminator to . ? ! (`+...` -> `.`, `+..?` -> `?`; CHAT manual, "Utterance Terminators")."""
    return "?" if "?" in token else "!" if "!" in token else "."
