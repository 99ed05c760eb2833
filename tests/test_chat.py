"""Reading CHAT: one small case for each convention of the CHAT manual that the cleaning is about."""

import pytest

from babylogue.transcripts.chat import Unreadable, read_chat

HEADER = """@UTF8
@Begin
@Languages:\teng
@Participants:\tNIN Nina Target_Child, MOT Anna Mother
@ID:\teng|Made|NIN|2;03.14|female|||Target_Child|||
@ID:\teng|Made|MOT|||||Mother|||
"""


def read(*lines: str):
    return read_chat((HEADER + "\n".join(lines) + "\n@End\n").encode())


def texts(line: str) -> list[str]:
    return [utterance.text for utterance in read(f"*MOT:\t{line}").utterances]


@pytest.mark.parametrize(
    ("convention", "line", "expected"),
    [
        ("shortening, intended form put in", "(be)cause it's wet .", ["because it's wet ."]),
        ("replacement", "he goed [: went] home .", ["he went home ."]),
        ("retracing with correction", "<the cat> [//] the dog barks .", ["the dog barks ."]),
        ("repetition", "the the [/] boat .", ["the boat ."]),
        ("unintelligible words", "the xxx boat yyy .", ["the boat ."]),
        ("filler and phonological fragment", "&-uh a &~bo boat .", ["a boat ."]),
        ("event and paralinguistic code", "oh &=laughs dear [=! whispers] .", ["oh dear ."]),
        ("special form mark", "woof@o says it .", ["woof says it ."]),
        ("code-switch mark", "agua@s:spa please .", ["agua please ."]),
        ("lengthening", "no:: way .", ["no way ."]),
        ("compound", "a black+bird sings .", ["a black-bird sings ."]),
        ("words joined by underscore", "Father_Christmas comes .", ["Father Christmas comes ."]),
        ("CA marks", "∆what∆ ↑now ?", ["what now ?"]),
        ("omitted word", "where 0is it ?", ["where it ?"]),
        ("overlap marks", "<come here> [>] you .", ["come here you ."]),
        ("comma kept, spaced", "oh , look .", ["oh , look ."]),
        ("trailing off", "and then +...", ["and then ."]),
        ("trailing off of a question", "and then +..?", ["and then ?"]),
        ("interruption", "you can't +/.", ["you can't ."]),
        ("interrupted question", "can you +/?", ["can you ?"]),
        ("exclamation", "stop !", ["stop !"]),
        ("time bullet", "look here . \x15100_2000\x15", ["look here ."]),
        ("postcode", "look here . [+ IMP]", ["look here ."]),
        ("unfilled pause splits", "well (.) come here .", ["well .", "come here ."]),
        ("long and timed pauses split", "so (...) where (1.5) is it ?", ["so .", "where .", "is it ?"]),
        ("pause at the end leaves the question mark", "is it (.) ?", ["is it ?"]),
        ("utterance of nothing intelligible", "xxx .", []),
        ("zero utterance", "0 .", []),
    ],
)
def test_convention(convention, line, expected):
    assert texts(line) == expected, convention


def test_continuation_line():
    assert texts("come here\n\tand look .") == ["come here and look ."]


def test_target_child_is_found_by_role_not_by_code():
    transcript = read("*NIN:\tall gone .", "*MOT:\twhat is gone ?")
    assert [(u.speaker, u.role) for u in transcript.utterances] == [("CHI", "Target_Child"), ("MOT", "Mother")]
    assert transcript.child_name == "Nina"
    assert transcript.age_months == pytest.approx(27.46, abs=0.1)


def test_utterances_without_words_are_counted():
    assert read("*MOT:\txxx .", "*MOT:\tyes .").empty == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfe\x00binary", "not UTF-8"),
        (b"<html>log in</html>", "no @Begin"),
        (HEADER.encode() + b"@End\n", "no utterances"),
    ],
)
def test_unreadable_files_say_why(data, reason):
    with pytest.raises(Unreadable, match=reason):
        read_chat(data)
