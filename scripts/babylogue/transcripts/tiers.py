"""Main tiers of CHAT to clean utterances: what Padovani et al. 2025, section 3, take out and put in.

Conventions are those of the CHAT manual (MacWhinney 2000, https://talkbank.org/0info/manuals/CHAT.html). pylangacq
drops retracings, fillers, fragments and omitted words, and puts intended words in. What is done here: pauses kept
as places to split at, codes that do not change the words taken out before the parser sees them, tiers that need
no parser kept from it, and the words made plain (compounds, lengthening, CA marks, terminators).
"""

import re
import unicodedata
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pylangacq

from ..dialogue import CHILD

# What is longer, or nested deeper, is damage; the parser would follow any nesting to the stack's end.
_LONGEST_TIER = 5_000  # characters; the longest in 5,426 transcripts of CHILDES has fewer than 1,500
_DEEPEST_GROUP = 20
_TIMES = re.compile(r"[0-9](?<![0-9][0-9])[0-9]*_[0-9]+")  # of a bullet that lost its marks
_OVERLAP_POINT = re.compile(r"[⌈⌉⌊⌋]\d?")
# All but replacements [: ], retracings [/ ] and exclusions [e]; a code may quote another one.
_CODE = re.compile(r"\[(?![:/]|e\])(?:[^\[\]\n]++|\[[^\[\]\n]*+\])*+\]")
_JOINED_REPLACEMENT = re.compile(r"\[::?(?=[^\s:=])")  # `[:went]` for `[: went]`; `[:=` begins a comment
# Of older editions of CHAT: `#`, `##`, `#long`, `#1_5` are pauses, `0*is` and `00is` words that are left out.
_OLD_PAUSE = re.compile(r"(?<!\S)#+(?:long|\d+(?:[:_.]\d+)*)?(?!\S)")
_OLD_OMISSION = re.compile(r"(?<!\S)0[0*](?=[^\W\d_])")
# Marks of other scripts (full-width, ideographic, Arabic, Devanagari, Greek) and the plain marks for them.
_MARKS = {
    "?": "？﹖︖؟⁇⁈⁉\u037e",  # noqa: RUF001
    "!": "！﹗︕‼",  # noqa: RUF001
    ".": "。｡．۔।॥",  # noqa: RUF001
    ",": "，、､،",  # noqa: RUF001
    "": "；：؛",  # noqa: RUF001
}
_OTHER_PUNCTUATION = str.maketrans({mark: f" {plain} " for plain, marks in _MARKS.items() for mark in marks})
_BRACKET = re.compile(r"[][<>]")
_PAUSE = re.compile(r"\((?:\.{1,3}|(?:\d+:)?\d+(?:\.\d*)?|(?:\d+:)?\d*\.\d+)\)")
# The parser drops pauses, so a private character stands for each, which is a word to it: a retracing takes its
# pauses along. But right before the mark of a retracing it would be retraced in the word's place.
_PAUSE_WORD = "\ue000"
_PAUSE_BEFORE_MARK = re.compile(rf"{_PAUSE_WORD}(?=[ \t{_PAUSE_WORD}]*\[[:/])")
# What the parser would drop or ignore all the same. What a mark, a group or a comma may hang on is left to it.
_EVENT_OR_FRAGMENT = re.compile(r"&(?<!\S&)[^\s,<>\[\]{}*]++(?![<>\[\]{}*]|\s*\[[:/])")
# `+"/.` at the beginning is a terminator.
_LINKER = re.compile(r'^[ \t]*\+["^,+<](?![/.!?])', re.MULTILINE)
_GROUP_WITHOUT_MARK = re.compile(r"<(?<!\S<)([^<>\[\]\n]*)>(?=[ \t]+[^\[\s])")
# The parser takes the mark of `oh!` for a letter and that of `&=nods.` for the event's.
_JOINED_TERMINATOR = re.compile(r'[+.?!](?<=[^\s+.?!"/].)["/.?!]*[ \t]*$', re.MULTILINE)

# Columns of tiers, for pyarrow's RE2: ten times as fast as `re`, with neither look-ahead nor look-behind.
_BULLET = "\x15[^\x15]*\x15"
# Three of five are clean as they stand: no pause, no unintelligible word, commas between words alone.
_CLEAN_TIER = r"^{word} (?:(?:, )?{word} )*[.?!] *$".format(word="[A-Za-z]+(?:['-][A-Za-z]+)*")
_MAYBE_UNINTELLIGIBLE = r"(?i)\b(?:xx|yy|www)"
# In most of the others the parser would change nothing but what clean_word does as well.
_PLAIN_TIER = (
    rf"^ *(?:(?:[A-Za-z'{_PAUSE_WORD}(-][A-Za-z'{_PAUSE_WORD}()_:+-]*(?:@[A-Za-z]+)?|,) +)*"
    r'(?:[.?!]|\+[/."!?]*[.?!]) *$'
)

# Words.
_PLAIN_WORD = re.compile(r"(?!(?i:xx|yy|www))[A-Za-z]+(?:['-][A-Za-z]+)*")
_AFTER_WORD = re.compile(r"[@$&].*", re.DOTALL)
_SEGMENT_REPETITION = re.compile("↫[^↫]*↫")
_BETWEEN_WORDS = re.compile(r"[\s+_/;…–—]|--+")  # noqa: RUF001
_UNINTELLIGIBLE = re.compile(r"xx|yy|www", re.IGNORECASE)
# Letters that are marks in CHAT: stress, length, CA's yawn and laughter.
_PLAINER = str.maketrans("’‘ʼ‐‑", "'''--", "ˈˌːˑΫἩἡ")  # noqa: RUF001


def clean_tiers(tiers: pa.StringArray) -> pa.ListArray:
    """Main tiers, without speaker codes, to clean utterances: a list of str [tiers].

    It is empty for a tier without any intelligible word, and null for one that cannot be read or is null itself.
    """
    tiers = pc.if_else(pc.less_equal(pc.utf8_length(tiers), _LONGEST_TIER), tiers, None)
    tiers = pc.replace_substring_regex(tiers, _BULLET, " ")
    distinct = tiers.dictionary_encode()  # a quarter stands in its transcript before
    clean = _are_clean(distinct.dictionary)
    others = pc.invert(clean)
    asis = pc.utf8_rtrim(distinct.dictionary.filter(clean), " ")
    texts = [
        pa.ListArray.from_arrays(np.arange(len(asis) + 1, dtype=np.int32), asis),
        pa.array(_clean_coded(distinct.dictionary.filter(others).to_pylist()), pa.list_(pa.string())),
    ]
    # Where a distinct tier's texts stand when the clean ones come first.
    place = np.argsort(np.argsort(others.to_numpy(zero_copy_only=False), kind="stable"), kind="stable")
    return pa.concat_arrays(texts).take(pc.take(pa.array(place), distinct.indices))


def _are_clean(tiers: pa.StringArray) -> pa.BooleanArray:
    return pc.and_not(
        pc.match_substring_regex(tiers, _CLEAN_TIER), pc.match_substring_regex(tiers, _MAYBE_UNINTELLIGIBLE)
    )


def _clean_coded(tiers: list[str]) -> list[list[str] | None]:
    """The texts of tiers that need more than a look."""
    plainer = _without_codes("\n".join(tiers)).split("\n") if tiers else []
    column = pa.array(plainer, pa.string())
    clean = _are_clean(column).to_pylist()
    plain = pc.match_substring_regex(column, _PLAIN_TIER).to_pylist()
    texts: list[list[str] | None] = [None] * len(tiers)
    coded = []
    for number, (tier, is_clean, is_plain) in enumerate(zip(plainer, clean, plain, strict=True)):
        if is_clean:
            texts[number] = [tier.rstrip()]
        elif is_plain:
            texts[number] = _split_at_pauses(tier.split())
        elif _is_sound(tier):
            coded.append(number)
    for number, tokens in zip(coded, _parse([plainer[number] for number in coded]), strict=True):
        if tokens is not None:
            texts[number] = _split_at_pauses(tokens)
    return texts


def _without_codes(tiers: str) -> str:
    """Main tiers, one a line, with only the codes that the parser must see, and pauses as words."""
    tiers = tiers.replace("\x15", " ")
    if not tiers.isascii():
        tiers = tiers.translate(_OTHER_PUNCTUATION)
        tiers = _OVERLAP_POINT.sub("", tiers.replace(_PAUSE_WORD, ""))
    tiers = _CODE.sub(" ", tiers)
    # The parser keeps what [e] excludes, so it gets the mark of a retracing, which drops the same words.
    tiers = tiers.replace("[e]", "[//]")
    # It leaves [:: ] as it is too, the replacement of a real word by the one that was meant.
    tiers = _JOINED_REPLACEMENT.sub("[: ", tiers.replace("[::", "[:")).replace("+<", " ")
    tiers = _OLD_OMISSION.sub("0", _OLD_PAUSE.sub("(.)", tiers))
    tiers = _PAUSE_BEFORE_MARK.sub("", _PAUSE.sub(f" {_PAUSE_WORD} ", _TIMES.sub(" ", tiers)))
    tiers = _EVENT_OR_FRAGMENT.sub("", _JOINED_TERMINATOR.sub(r" \g<0>", tiers))
    return _GROUP_WITHOUT_MARK.sub(r" \1 ", _LINKER.sub("", tiers))


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
    if not tiers:
        return []
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
    words = list(map(clean_word, tokens))
    size = len(words)
    while size and not words[size - 1]:
        size -= 1
    end = clean_terminator("".join(tokens[size:]))
    if _PAUSE_WORD not in tokens[:size]:
        text = _join(words[:size])
        return [f"{text} {end}"] if text else []
    pieces: list[list[str]] = [[]]
    for token, word in zip(tokens[:size], words, strict=False):
        if token == _PAUSE_WORD:
            pieces.append([])
        else:
            pieces[-1].append(word)
    texts = [text for piece in pieces if (text := _join(piece))]
    # The last one gets the tier's own mark, also where a pause stands before it.
    return [f"{text} ." for text in texts[:-1]] + [f"{text} {end}" for text in texts[-1:]]


def _join(words: list[str]) -> str:
    """Words as a text, without commas at its ends and after another comma."""
    text = " ".join(filter(None, words))
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
    if token == "," or _PLAIN_WORD.fullmatch(token):
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
