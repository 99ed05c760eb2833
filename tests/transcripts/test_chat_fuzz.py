# ruff: noqa: RUF001
"""Whatever the bytes, reading ends in a transcript of clean utterances or in a reason, and soon."""

import os
import re
import unicodedata
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from babylogue.dialogue import count_words, read_turns, terminator, write_turn
from babylogue.transcripts import tiers
from babylogue.transcripts.chat import Transcript, Unreadable, read_chat

pytestmark = pytest.mark.slow

FIXTURES = Path(os.environ.get("BABYLOGUE_MIRROR", "data")) / "chat"

HEADERS = """@UTF8
@PID:\t00000/made-00000001-1
@Begin
@Languages:\teng, spa
@Participants:\tNIN Nina Target_Child, MOT Anna Mother, F_A_T Otto
\tFather
@ID:\teng|Made|NIN|2;03.14|female|||Target_Child|||
@ID:\teng|Made|MOT|||||Mother|||
@Media:\tmade01, audio
"""
TIERS = """*MOT:\tlook (.) there's a black+bird in the tree ! \x150_1200\x15
%mor:\tv|look adv|there~cop|be&3S det:art|a n|blackbird prep|in det:art|the n|tree !
%act:\tpoints (.) at *it
*NIN:\t<the the> [//] the birdie goed [: went] [* m:+ed] away .
*NIN:\twoof@o &-um no:: xxx [=! laughs] &=nods .
@Comment:\ta door slams
*MOT:\t+" where (1.5) did <it go> [>] , huh „ sweetie +..?
*F_A_T:\t[- spa] ‹ven aquí› “come (.) here” said (be)cause [% to
\tthe dog (..)] of Father_Christmas [+ IMP]
*NIN:\t0 .
*NIN:\t&+fr <<my &~fo> [/] my frog (.)> [/-] 0is ↑mine⌉2 ∆now∆ +/.
*MOT:\tyes don't !
@New Episode
"""
BASE = f"{HEADERS}{TIERS}@End\n".encode()

WORDS = [
    "the", "Mommy's", "frog", "a", "choo+choo", "Father_Christmas", "no::o", "xxx", "yyy", "0is", "0", "goed@c",
    "ɛ̃ʃ@u",
]  # fmt: skip
RETRACINGS = ["[/]", "[e]", "[//]", "[///]", "[/-]", "[/?]", "[: went (.) to]", "[:: peach]"]
CODES = [
    "[=! sings]", "[% a (.) b .]", "[= a [?] b]", "[*]", "[+ IMP]", "[- spa]", "[x 3]", "[<]", "[>1]",
    "\x150_9\x15",
]  # fmt: skip
SIGNS = [
    "(.)", "(..)", "(1:05.2)", "(", ")", "(be)", "&-uh", "&=", "&=nods.", "&+", "&", "&*MOT:so", "&{l=X", "&}l=X",
    "@", "@s:spa", "@c$n", "+", "+<", '+"', "+^", "+,", "++", "+...", "+/.", '+"/.', "+..?", "+!?", ".", "?", "!",
    "..", ",", "„", "‡", ";", ":", "_", "-", "--", "'", "''", "“", "”", "‹", "›", "〔", "〕", "⌈", "⌉2", "↫", "∆",
    "^", "~", "#", "#1_5", "？", "$", "%", "*", "*MOT:", "0_9", "Ἡ", "ﬁ", "İ", "😀", "日本",
]  # fmt: skip
ODD = ["\x15", "\x01", "\x1c", "\x85", "\u2028", "\u200b", "\ufeff", "\ue000", "\u0301", "\t", "\r"]
BROKEN = ["<", ">", "<<", ">>", "[", "]", "[:", "[/", "\n", "\n\t", "\n%mor:\t", "\n@End\n"]
SOUND = WORDS + RETRACINGS + CODES + SIGNS
ANY = SOUND + ODD + BROKEN

# The deadline is far above the milliseconds that an example takes, and far below a hang.
FUZZ = settings(
    deadline=timedelta(seconds=5),
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def is_word(word: str) -> bool:
    """Letters with their combining marks and digits, inside also hyphens; apostrophes."""
    return (
        any(character.isalnum() for character in word)
        and not (word + word[:1]).startswith("-")
        and not word.endswith("-")
        and all(c.isalnum() or c in "'-" or unicodedata.category(c) in ("Mn", "Mc") for c in word)
    )


def check_utterance(speaker: str, role: str, text: str) -> None:
    *words, last = text.split(" ")
    assert last in (".", "?", "!")
    assert terminator(text) == last
    assert count_words(text) > 0
    assert all(is_word(word) or word == "," for word in words), text
    assert "," not in (words[0], words[-1])
    assert ", ," not in text
    assert not any(word.casefold().startswith(("xxx", "yyy", "www")) for word in words)
    assert role
    assert read_turns(write_turn(speaker, text)) == [(speaker, text)]


def check(data: bytes) -> Transcript | None:
    """Read, and hold what comes out to the grammar of clean text and to the balance of lines."""
    try:
        transcript = read_chat(data)
    except Unreadable as reason:
        assert str(reason).strip()
        return None
    assert transcript.lines == transcript.kept + transcript.empty + transcript.lost
    assert len(transcript.utterances) >= transcript.kept
    assert min(transcript.kept, transcript.empty, transcript.lost) >= 0
    assert transcript.age_months is None or transcript.age_months >= 0
    for utterance in transcript.utterances.to_pylist():
        check_utterance(**utterance)
    return transcript


def transcript_of(tiers: str) -> bytes:
    return f"{HEADERS}{tiers}\n@End\n".encode("utf-8", "replace")


@st.composite
def damaged_bytes(draw) -> bytes:
    """The base transcript with a few bytes changed, put in or taken out."""
    data = bytearray(BASE)
    for _ in range(draw(st.integers(1, 8))):
        position = draw(st.integers(0, len(data) - 1))
        new = draw(st.one_of(st.binary(max_size=3), st.sampled_from([b"<", b"]", b"\n", b"\x15", b"\xc3", b" "])))
        data[position : position + draw(st.integers(0, 3))] = new
    return bytes(data)


@st.composite
def damaged_lines(draw) -> bytes:
    """The base transcript with lines cut, dropped, repeated or in another order, mostly inside @Begin and @End."""
    lines = (TIERS if draw(st.integers(0, 3)) else BASE.decode()).split("\n")
    for _ in range(draw(st.integers(1, 6))):
        i = draw(st.integers(0, len(lines) - 1))
        damage = draw(st.sampled_from(["cut", "cut front", "drop", "repeat", "move", "join"]))
        if damage == "cut":
            lines[i] = lines[i][: draw(st.integers(0, len(lines[i])))]
        elif damage == "cut front":
            lines[i] = lines[i][draw(st.integers(0, len(lines[i]))) :]
        elif damage == "repeat":
            lines.insert(i, lines[i])
        elif len(lines) > 1:
            line = lines.pop(i)
            j = draw(st.integers(0, len(lines) - 1))
            if damage == "move":
                lines.insert(j, line)
            elif damage == "join":
                lines[j] += line
    text = "\n".join(lines)
    return transcript_of(text) if "@Begin" not in text else text.encode()


SPACE = st.sampled_from(["", " ", " "])
CODED_TIER = st.lists(st.tuples(st.sampled_from(ANY), SPACE), max_size=25).map(
    lambda pieces: "".join(piece + space for piece, space in pieces)
)
GROUP = st.recursive(
    st.lists(st.sampled_from(SOUND), min_size=1, max_size=4).map(" ".join),
    lambda inner: st.tuples(inner, inner, SPACE, st.sampled_from(["", *RETRACINGS, *CODES]), SPACE).map(
        lambda parts: f"<{parts[0]} {parts[1]}>{parts[2]}{parts[3]}{parts[4]}"
    ),
    max_leaves=12,
)
REPEATED = st.tuples(
    st.sampled_from(ANY), SPACE, st.sampled_from([2, 19, 21, 300, 4000, 60_000]), st.sampled_from(ANY)
)


def tier_lines(tiers: list[str]) -> bytes:
    return transcript_of("\n".join(f"*{('NIN', 'MOT')[i % 2]}:\t{tier} ." for i, tier in enumerate(tiers)))


def test_base_is_read_whole():
    transcript = check(BASE)
    assert transcript.utterances["text"].to_pylist() == [
        "look .",
        "there's a black bird in the tree !",
        "the birdie went away .",
        "woof no .",
        "where .",
        "did it go , huh sweetie ?",
        "ven aquí come .",
        "here said because of Father Christmas .",
        "mine now .",
        "yes don't !",
    ]
    assert (transcript.kept, transcript.empty, transcript.lost) == (7, 1, 0)


@settings(FUZZ, max_examples=1500)
@given(damaged_bytes())
def test_damaged_bytes(data):
    check(data)


@settings(FUZZ, max_examples=1000)
@given(damaged_lines())
def test_damaged_lines(data):
    check(data)


@settings(FUZZ, max_examples=300)
@given(st.integers(0, len(BASE) - len("@End\n")))
def test_truncated(length):
    assert check(BASE[:length]) is None


@settings(FUZZ, max_examples=2000)
@given(st.lists(CODED_TIER, min_size=1, max_size=4))
def test_codes_out_of_place(tiers):
    check(tier_lines(tiers))


@settings(FUZZ, max_examples=1000)
@given(st.lists(GROUP, min_size=1, max_size=3))
def test_nested_groups(tiers):
    check(tier_lines(tiers))


@settings(FUZZ, max_examples=1000)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_any_characters(tiers):
    check(tier_lines(tiers))


@settings(FUZZ, max_examples=400)
@given(REPEATED)
def test_long_lines(parts):
    piece, space, times, end = parts
    transcript = check(tier_lines([(piece + space) * times + end, "look here"]))
    if transcript is not None and not set(piece + end) & set("\n\r"):
        assert transcript.lines == 2
        assert transcript.utterances["text"][-1].as_py() == "look here ."


@settings(FUZZ, max_examples=500)
@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_no_transcript_at_all(data):
    check(data)


@settings(FUZZ, max_examples=1000)
@given(
    st.lists(
        st.text("abXy'-", min_size=1, max_size=6)
        | st.sampled_from(
            [",", "\ue000", "xxx", "I", "(be)cause", "go(ing)", "choo+choo", "a_b_c", "no:::", "woof@o"]
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([".", "?", "!", "+...", "+/.", '+"/.', "+..?", "+//?", "+!?"]),
)
def test_plain_tiers_are_split_as_the_parser_does(tokens, end):
    """What takes the short way past the parser must come out as if it had not."""
    tier = f"{' '.join(tokens)} {end}"
    assert re.fullmatch(tiers._PLAIN_TIER, tier)
    (parsed,) = tiers._parse([tier])
    assert tiers._split_at_pauses(parsed) == tiers._split_at_pauses(tier.split())


@settings(FUZZ, max_examples=1000)
@given(
    st.lists(
        st.text("abXyw'-", min_size=1, max_size=5) | st.sampled_from([",", "don't", "XX", "wwwx", "a-xx", "I"]),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([".", "?", "! ", ".  "]),
)
def test_clean_tiers_are_what_cleaning_makes_of_them(tokens, end):
    tier = f"{' '.join(tokens)} {end}"
    (clean,) = tiers._are_clean(pa.array([tier])).to_pylist()
    if clean:
        assert tiers._split_at_pauses(tier.split()) == [tier.rstrip()]
    words_alone = all(token.isalpha() and not token.lower().startswith(("xx", "yy", "www")) for token in tokens)
    assert clean or not words_alone


@settings(FUZZ, max_examples=1000)
@given(
    st.lists(
        st.sampled_from(
            [
                "the", "dog", ",", "xxx", "dog [/]", "<the dog> [//]", "goed [: went]", "<the dog>", "&=laughs",
                "&=imit:dog,", "&=laughs [/]", "<&=nods yes>", "&-um", "&-um [/]", "&+fr", "&~gaga", "&ah", "0is",
                "pine<apple juice>", "(.)",
            ]
        ),
        min_size=1,
        max_size=7,
    ),
    st.sampled_from(["", '+" ', "+^ ", "+, ", "++ ", "+< "]),
    st.sampled_from([".", "?", "+..."]),
)  # fmt: skip
def test_what_is_taken_out_before_the_parser_is_what_it_would_drop(tokens, linker, end):
    tier = f"{linker}{' '.join(tokens)} {end}"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_EVENT_OR_FRAGMENT", "_LINKER", "_GROUP_WITHOUT_MARK"):
            patch.setattr(tiers, name, re.compile(r"(?!)()"))
        left = tiers._without_codes(tier)
        (parsed,) = tiers._parse([left]) if tiers._is_sound(left) else [None]
    if parsed is not None:
        assert tiers._clean_coded([tier]) == [tiers._split_at_pauses(parsed)]


def fixtures(kind: str) -> list[Path]:
    found = sorted((FIXTURES / kind).rglob("*.cha"))
    if not found:
        pytest.skip(f"no {kind} CHAT files in {FIXTURES}; set BABYLOGUE_MIRROR to the folder above them")
    return found


def test_valid_fixtures_are_read_without_loss():
    for file in fixtures("valid"):
        transcript = check(file.read_bytes())
        assert transcript is not None, file
        assert transcript.lost == 0, file
        assert len(transcript.utterances) or "@Media:" in file.read_text(encoding="utf-8"), file


def test_invalid_fixtures_are_refused_or_accounted_for():
    refused = 0
    files = fixtures("invalid")
    for file in files:
        transcript = check(file.read_bytes())
        refused += transcript is None
        if transcript is not None:
            tiers = file.read_text(encoding="utf-8").count("\n*")
            assert transcript.lines >= tiers, file
    assert 0 < refused < len(files)
