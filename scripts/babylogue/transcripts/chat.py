"""CHAT files to transcripts: headers, who speaks, and which lines are talk; tiers.py cleans the talk.

Conventions are those of the CHAT manual (MacWhinney 2000, https://talkbank.org/0info/manuals/CHAT.html).
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..dialogue import CHILD
from .exchanges import UNIDENTIFIED
from .tables import SAID
from .tiers import clean_tiers

TARGET_CHILD = "Target_Child"
_OTHER_CHILD = "KID"
_DAYS_A_MONTH = 30  # as pylangacq counts

# Files. The text starts with a newline where these are used.
_HTML = re.compile(r"\s*<(?:!doctype|html|head)\b", re.IGNORECASE)
_BEGIN = re.compile(r"\n@Begin[ \t]*(?=\n)")
_END = re.compile(r"\n@End[ \t]*(?=\n|\Z)")
# A tier or header with white space before it; a continuation line begins with none of these.
_INDENTED_TIER = re.compile(r"\n[^\S\n]+(?=\*[\w-]{1,16}:)")
_INDENTED_OTHER = re.compile(r"\n[^\S\n]+(?=[%@]\w+:)")
_SPEAKER_CODE = re.compile(r"\w[\w-]{0,15}")
_AGE = re.compile(r"(\d{1,3});(\d{0,2})\.?(\d{0,2})")


class Unreadable(Exception):
    """Why a file is rejected."""


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
    utterances: pa.Table
    """speaker (the target child is CHI), role (CHAT's) and text (clean, with its terminator), in order."""
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


_NOBODY = _Participant("", UNIDENTIFIED, None)


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
    headers, codes, tiers, stray = _split_lines(_framed_text(_decode(data)))
    participants = _participants(headers)
    codes = codes.dictionary_encode()
    names = codes.dictionary.to_pylist()
    counts = Counter(dict(zip(names, np.bincount(codes.indices, minlength=len(names)).tolist(), strict=True)))
    coded = (code for code, participant in participants.items() if participant.role == TARGET_CHILD)
    child, *others = target_children(coded, counts)
    known_code = pa.array([bool(_SPEAKER_CODE.fullmatch(name)) for name in names], pa.bool_())
    texts = clean_tiers(pc.if_else(known_code.take(codes.indices), tiers, None))
    who = codes.indices.take(pc.list_parent_indices(texts))
    speakers = pa.array([speaker_code(name, child) for name in names], pa.string())
    roles = pa.array([participants.get(name, _NOBODY).role for name in names], pa.string())
    utterances = pa.table([speakers.take(who), roles.take(who), texts.flatten()], schema=SAID)
    lines, lost = len(tiers) + stray, texts.null_count + stray
    if lines == lost and not _is_untranscribed(headers):
        raise Unreadable(f"none of its {lines} lines of talk can be read" if lines else "no utterances")
    empty = pc.sum(pc.equal(pc.list_value_length(texts), 0), min_count=0).as_py()
    known = participants.get(child, _NOBODY)
    children = (participants.get(code, _NOBODY).name for code in (child, *others))
    return Transcript(
        child_name=known.name,
        child_names=tuple(name for name in children if name),
        age_months=known.age_months,
        utterances=utterances,
        lines=lines,
        kept=lines - empty - lost,
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


def _split_lines(text: str) -> tuple[list[str], pa.StringArray, pa.StringArray, int]:
    """Headers, speaker codes and rests of main tiers, how many lines are of no tier or have no code.

    Continuation lines are joined to theirs; the parser would take lines of no tier for such, and say nothing of
    main tiers without a code. A main tier with white space before it is a line of no tier: whose turn it is
    cannot be trusted, and it is not a part of the turn before.
    """
    text = _INDENTED_OTHER.sub("\n", _INDENTED_TIER.sub("\n?", text))
    lines = pc.split_pattern(pa.array([text.replace("\n\t", " ").replace("\n ", " ")]), "\n").flatten()
    header, dependent, main = (pc.starts_with(lines, sign) for sign in "@%*")
    others = lines.filter(pc.invert(pc.or_(pc.or_(header, dependent), main))).to_pylist()
    main = lines.filter(main)
    coded = main.filter(pc.match_substring(main, ":"))
    stray = sum(bool(line.strip()) for line in others) + len(main) - len(coded)
    parts = pc.split_pattern(coded, ":", max_splits=1).flatten()
    codes, tiers = (parts.take(pa.array(np.arange(side, len(parts), 2))) for side in (0, 1))
    codes = pc.utf8_slice_codeunits(codes, 1)
    return lines.filter(header).to_pylist(), codes, pc.utf8_trim_whitespace(tiers), stray


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
    """`1;08.15`, `1;8.`, `1;08` or `2;` in months; of `2;03.14 - 2;04.01` the middle.

    None where there is no age, and for `0;`, which stands in the place of one.
    """
    ages = [tuple(int(number or 0) for number in age) for age in _AGE.findall(field)]
    if not any(map(any, ages)) or any(months > 11 or days > 31 for _, months, days in ages):
        return None
    return round(sum(12 * years + months + days / _DAYS_A_MONTH for years, months, days in ages) / len(ages), 2)


def target_children(codes: Iterable[str], turns: Counter) -> list[str]:
    """The codes of the target children, the one that becomes CHI first; `turns` counts the talk of each code."""
    return sorted(codes, key=lambda code: (code != CHILD, -turns[code])) or [CHILD]


def _is_untranscribed(headers: Iterable[str]) -> bool:
    return any(header.startswith("@Media:") and "notrans" in header for header in headers)
