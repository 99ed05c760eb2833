"""Reading CHAT: one small case for each convention of the CHAT manual that the cleaning is about."""

import numpy as np
import pylangacq
import pytest

from babylogue.transcripts.chat import Unreadable, read_chat
from babylogue.transcripts.exchanges import exchange_keys
from babylogue.transcripts.tiers import clean_terminator, clean_word

HEADER = """@UTF8
@Begin
@Languages:\teng
@Participants:\tNIN Nina Target_Child, MOT Anna Mother
@ID:\teng|Made|NIN|2;03.14|female|||Target_Child|||
@ID:\teng|Made|MOT|||||Mother|||
"""


def file(*lines: str, header: str = HEADER, end: str = "@End\n") -> bytes:
    return (header + "".join(f"{line}\n" for line in lines) + end).encode()


def read(*lines: str, header: str = HEADER):
    transcript = read_chat(file(*lines, header=header))
    assert transcript.lines == transcript.kept + transcript.empty + transcript.lost
    assert len(transcript.utterances) >= transcript.kept
    return transcript


def said_by(transcript) -> list[tuple[str, str]]:
    """Speaker and role of each utterance."""
    return list(zip(*transcript.utterances.select(["speaker", "role"]).to_pydict().values(), strict=True))


def texts(tier: str) -> list[str]:
    return read(f"*MOT:\t{tier}").utterances["text"].to_pylist()


@pytest.mark.parametrize(
    ("convention", "tier", "expected"),
    [
        # Paralinguistic and extra-linguistic codes
        ("paralinguistic code", "oh dear [=! whispers] .", ["oh dear ."]),
        ("paralinguistic code with a space", "oh dear [= ! whispers] .", ["oh dear ."]),
        ("paralinguistic code on a group", "<oh dear me> [=! sings] .", ["oh dear me ."]),
        ("stress", "that [!] one [!!] .", ["that one ."]),
        ("simple event", "oh &=laughs dear .", ["oh dear ."]),
        ("event of two parts", "&=head:yes that .", ["that ."]),
        ("event with a joined terminator", "oh dear &=laughs!", ["oh dear !"]),
        ("interposed word", "I went &*MOT:uhhuh home .", ["I went home ."]),
        ("long event", "&{l=sings all the way &}l=sings home .", ["all the way home ."]),
        ("explanation", "that one [= the red ball] here .", ["that one here ."]),
        ("comment", "that [% points at it] one .", ["that one ."]),
        ("comment in the form of a tier", "that [%act: points at it] one .", ["that one ."]),
        ("comment of an unknown tier", "that [%xyz: points] one .", ["that one ."]),
        ("comment with a pause and a terminator in it", "that [% then (.) stops .] one ?", ["that one ?"]),
        ("comment that quotes a code", "that [= or [?] this] one .", ["that one ."]),
        ("alternative transcription", "two [=? too] boats .", ["two boats ."]),
        ("best guess", "two <little boats> [?] .", ["two little boats ."]),
        ("error mark", "he goed [*] home [* m:+ed] .", ["he goed home ."]),
        ("exclusion", "well [e] come .", ["come ."]),
        ("exclusion of a group", "<that is bad> [e] good .", ["good ."]),
        ("exclusion of a group with a retracing in it", "<<that> [/] that is> [e] good .", ["good ."]),
        ("exclusion of a group with a pause in it", "look <that is (.) bad> [e] .", ["look ."]),
        ("exclusion with other codes", "<that is bad> [?] [e] [= a quote] good .", ["good ."]),
        ("exclusion and nothing else", "<that is bad> [e] .", []),
        ("comment that quotes an exclusion", "that [= see [e] there] one .", ["that one ."]),
        ("comment that quotes a retracing", "that [% or [//] this] one .", ["that one ."]),
        ("freecode", "[^ new game] come here .", ["come here ."]),
        ("precode of a language", "[- spa] ven aquí .", ["ven aquí ."]),
        ("postcode", "look here . [+ IMP]", ["look here ."]),
        ("postcodes after a joined terminator", "look here! [+ IMP] [+ bch]", ["look here !"]),
        ("overlap", "<come here> [>] you [<] .", ["come here you ."]),
        ("numbered overlap", "<come here> [>1] you <and you> [<2] .", ["come here you and you ."]),
        ("action", "0 .", []),
        ("action with a code", "0 [=! cries] .", []),
        ("omitted word", "where 0is it ?", ["where it ?"]),
        ("omitted words, old forms", "where 0*is 00aux it ?", ["where it ?"]),
        # Intended words
        ("shortening", "(be)cause it's wet .", ["because it's wet ."]),
        ("shortening inside and at the end", "I do(n't) an(d) run(ning) .", ["I don't and running ."]),
        ("replacement", "he goed [: went] home .", ["he went home ."]),
        ("replacement by several words", "gonna [: going to] run .", ["going to run ."]),
        ("replacement of a real word", "a piece [:: peach] .", ["a peach ."]),
        ("replacement of a group", "<a nother> [: another] one .", ["another one ."]),
        ("replacement with a shortening", "cuz [: (be)cause] yes .", ["because yes ."]),
        ("replacement and error mark", "he goed [: went] [* m:=ed] home .", ["he went home ."]),
        ("replacement without a space", "he goed [:went] home[::house] .", ["he went house ."]),
        ("replacement of an unintelligible word", "a yyy [: ball] .", ["a ball ."]),
        # Retracings
        ("repetition", "the the [/] boat .", ["the boat ."]),
        ("repetition of a group", "<it's a> [/] it's a boat .", ["it's a boat ."]),
        ("repetition, twice", "it [/] it [/] it sinks .", ["it sinks ."]),
        ("multiple repetition", "it [x 3] sinks .", ["it sinks ."]),
        ("retracing with correction", "<the cat> [//] the dog barks .", ["the dog barks ."]),
        ("reformulation", "<give me> [///] I want it .", ["I want it ."]),
        ("false start", "<the book> [/-] see the boat .", ["see the boat ."]),
        ("unclear retracing", "maybe [/?] perhaps .", ["perhaps ."]),
        ("nested retracings", "<<the big> [/] the big cat> [//] the dog barks .", ["the dog barks ."]),
        ("retracing with a replacement in it", "<he goed [: went]> [//] he ran .", ["he ran ."]),
        ("retracing of a replaced word", "goed [: went] [* m] [//] ran home .", ["ran home ."]),
        ("code between group and retracing", "<the cat> [?] [//] the dog barks .", ["the dog barks ."]),
        ("retracing and nothing else", "<the cat> [//] .", []),
        # Unintelligible material, fillers, fragments
        ("unintelligible words", "the xxx boat yyy .", ["the boat ."]),
        ("untranscribed material", "www .", []),
        ("unintelligible, inflected or compounded", "xxx's Yyy yyy+bear xxxes .", ["bear ."]),
        ("utterance of nothing intelligible", "xxx .", []),
        ("utterance of commas and unintelligible words", "xxx , yyy ?", []),
        ("filler", "&-uh a &-you_know boat .", ["a boat ."]),
        ("phonological fragment", "&+fr &+fro frog .", ["frog ."]),
        ("nonword", "a &~bo boat .", ["a boat ."]),
        ("old form of a fragment", "a &bo boat .", ["a boat ."]),
        # Special forms
        ("babbling, child's and family's form", "bada@b gumma@c mimi@f .", ["bada gumma mimi ."]),
        ("onomatopoeia", "woof@o says it .", ["woof says it ."]),
        ("letter and letters", "a@l and abc@k .", ["a and abc ."]),
        ("letter with a suffix", "two b@l-s .", ["two b ."]),
        ("second language", "agua@s please .", ["agua please ."]),
        ("second language, named", "agua@s:spa hola@s:spa+eng .", ["agua hola ."]),
        ("singing, test word, user's form", "lala@si wug@t foo@z:xyz .", ["lala wug foo ."]),
        ("part of speech after a mark", "doggie@n$n runs$v .", ["doggie runs ."]),
        # Compounds and joined words
        ("compound", "a black+bird sings .", ["a black bird sings ."]),
        ("reduplication", "choo+choo and night+night .", ["choo choo and night night ."]),
        ("possessive of a compound", "the choo+choo's wheel .", ["the choo choo's wheel ."]),
        ("linked words", "Father_Christmas comes .", ["Father Christmas comes ."]),
        ("clitic", "le~ha .", ["leha ."]),
        ("prefix mark", "un#tied it .", ["untied it ."]),
        ("slash", "the on/off switch .", ["the on off switch ."]),
        # Words
        ("apostrophes", "'til Mommy's dolls' boat don't .", ["'til Mommy's dolls' boat don't ."]),
        ("typographic apostrophe", "don’t .", ["don't ."]),  # noqa: RUF001
        ("hyphens", "a merry-go-round .", ["a merry-go-round ."]),
        ("cut-off word", "it- it sinks .", ["it it sinks ."]),
        ("case", "Mommy and I see TV .", ["Mommy and I see TV ."]),
        ("accents", "a fiancée sees Gábor .", ["a fiancée sees Gábor ."]),
        ("combining accents", "cafe\u0301 .", ["café ."]),
        ("other scripts", "हिन्दी 我 要 .", ["हिन्दी 我 要 ."]),
        ("stress and length of a phonetic form", "ˈtʃuːˌtʃu@u .", ["tʃutʃu ."]),  # noqa: RUF001
        # Conversation analysis
        ("lengthening", "no:: wa:y .", ["no way ."]),
        ("pause inside a word", "rhi^noceros .", ["rhinoceros ."]),
        ("pitch, pace, loudness", "↑now ∆run fast∆ °softly° ▔high▔ .", ["now run fast softly high ."]),
        ("overlap points", "I ⌈ want ⌉ ⌊2 that⌋2 .", ["I want that ."]),
        ("repeated segment", "↫r-r-↫rabbit .", ["rabbit ."]),
        ("laughter in a word and yawn", "lauἩghing ΫallΫ day .", ["laughing all day ."]),
        ("inhalation", "∙hhh oh .", ["hhh oh ."]),
        ("intonation for a terminator", "you see ⇗", ["you see ."]),
        # Separators and quotations
        ("comma, spaced", "oh, look , here .", ["oh , look , here ."]),
        ("commas around what is dropped", ", &-uh , look , xxx , here , .", ["look , here ."]),
        ("satellites", "oh ‡ look „ okay ?", ["oh look okay ?"]),
        ("satellites, joined", "oh‡ look„ okay ?", ["oh look okay ?"]),
        ("semicolon and colon", "is it wet ; is it ?", ["is it wet is it ?"]),
        ("quotation marks", "“come here” he says .", ["come here he says ."]),
        ("quotation on the next line", 'he says +"/.', ["he says ."]),
        ("phonological group", "‹come on› now .", ["come on now ."]),  # noqa: RUF001
        # Terminators
        ("period", "look here .", ["look here ."]),
        ("question", "look here ?", ["look here ?"]),
        ("exclamation", "look here !", ["look here !"]),
        ("full-width question mark", "look here ？", ["look here ?"]),  # noqa: RUF001
        ("full-width question mark, joined", "係 唔 係？", ["係 唔 係 ?"]),  # noqa: RUF001
        ("full-width exclamation mark", "look here ！", ["look here !"]),  # noqa: RUF001
        ("full-width and ideographic stops", "好．好。", ["好 好 ."]),  # noqa: RUF001
        ("full-width mark of an interruption", "look +//？", ["look ?"]),  # noqa: RUF001
        ("full-width commas", "好，好、來 ？", ["好 , 好 , 來 ?"]),  # noqa: RUF001
        ("Arabic question mark and comma", "نعم، لا؟", ["نعم , لا ?"]),
        ("intonation, old forms", "look here -?", ["look here ?"]),
        ("joined period", "look here.", ["look here ."]),
        ("joined exclamation mark", "look here!", ["look here !"]),
        ("joined to a letter", "is it C?", ["is it C ?"]),
        ("joined trailing off", "and then+...", ["and then ."]),
        ("none", "look here", ["look here ."]),
        ("trailing off", "and then +...", ["and then ."]),
        ("trailing off of a question", "and then +..?", ["and then ?"]),
        ("question with exclamation", "you did +!?", ["you did ?"]),
        ("interruption", "you can't +/.", ["you can't ."]),
        ("interruption of a question", "can you +/?", ["can you ?"]),
        ("self-interruption", "you can't +//.", ["you can't ."]),
        ("self-interrupted question", "can you +//?", ["can you ?"]),
        ("quotation follows", 'he said +"/.', ["he said ."]),
        ("quotation precedes", 'he said +".', ["he said ."]),
        ("transcription break", "and then +.", ["and then ."]),
        # Linkers
        ("quoted utterance", '+" come here .', ["come here ."]),
        ("quick uptake", "+^ come here .", ["come here ."]),
        ("lazy overlap", "+< come here .", ["come here ."]),
        ("self-completion", "+, come here .", ["come here ."]),
        ("other-completion", "++ come here .", ["come here ."]),
        ("joined quotation mark", '+"come here .', ["come here ."]),
        ("joined self-completion", "+,come .", ["come ."]),
        ("joined to a retraced word", '+"come [/] come here !', ["come here !"]),
        ("two linkers", '+< +" come here .', ["come here ."]),
        # Pauses split
        ("short pause", "well (.) come here .", ["well .", "come here ."]),
        ("longer pauses", "so (..) where (...) is it ?", ["so .", "where .", "is it ?"]),
        ("timed pauses", "so (1.5) where (3.) is (0.) it ?", ["so .", "where .", "is .", "it ?"]),
        ("pause in minutes", "so (1:05.2) where is it ?", ["so .", "where is it ?"]),
        (
            "pauses, old forms",
            "so # where ## is #1_5 it #long now ?",
            ["so .", "where .", "is .", "it .", "now ?"],
        ),
        ("pause joined to a word", "so (.)ahh .", ["so .", "ahh ."]),
        ("pause at the beginning", "(.) where is it ?", ["where is it ?"]),
        ("pause at the end leaves the question mark", "is it (.) ?", ["is it ?"]),
        ("equal words around a pause", "no (.) no !", ["no .", "no !"]),
        ("pause after an intelligible piece", "look (.) xxx !", ["look !"]),
        ("pauses and commas", "oh , (.) , look .", ["oh .", "look ."]),
        ("pause in a retraced group", "<the (.) cat> [//] the dog barks .", ["the dog barks ."]),
        ("pauses at both ends of a retraced group", "<(.) the cat (.)> [//] the dog .", ["the dog ."]),
        ("pause before the mark of a retracing", "the cat (.) (..) [//] the dog .", ["the the dog ."]),
        ("pause after a retracing", "<the cat> [//] (.) the dog barks .", ["the dog barks ."]),
        ("pause in an overlap", "<come (.) here> [>] .", ["come .", "here ."]),
        ("pause in quotation marks", "he says “come (.) here” .", ["he says come .", "here ."]),
        ("nothing but pauses", "(.) (..) .", []),
        # Bullets
        ("time bullet", "look here . \x15100_2000\x15", ["look here ."]),
        ("time bullet inside", "look \x15100_200\x15 here .", ["look here ."]),
        ("media bullet", 'look here . \x15%snd:"made"_100_2000\x15', ["look here ."]),
        ("time bullet without its marks", "look here . 100_2000", ["look here ."]),
        ("time bullet in print", "look here ? •100_2000•", ["look here ?"]),
        ("time bullet cut off", "look here . \x15100_2000", ["look here ."]),
    ],
)
def test_convention(convention, tier, expected):
    assert texts(tier) == expected, convention


def test_continuation_lines():
    assert texts("come here\n\tand look\n\t(.) at that .") == ["come here and look .", "at that ."]
    assert texts("<come here\n\tand> [/] look [= at\n\tthat] .") == ["look ."]


@pytest.mark.parametrize("space", [" ", "   ", "\t", " \t"])
def test_a_main_tier_with_space_before_it_is_lost_and_not_a_part_of_the_turn_before(space):
    transcript = read("*NIN:\tmine .", f"{space}*MOT:\tno", "\tit is mine .", "*NIN:\tyes .")
    assert transcript.utterances["text"].to_pylist() == ["mine .", "yes ."]
    assert (transcript.lines, transcript.kept, transcript.lost) == (3, 2, 1)


@pytest.mark.parametrize("line", ["%act:\tpoints", "@Comment:\ta door slams"])
def test_other_tiers_with_space_before_them_are_no_talk(line):
    transcript = read("*NIN:\tmine .", f" {line}", "*MOT:\tno .")
    assert transcript.utterances["text"].to_pylist() == ["mine .", "no ."]
    assert (transcript.lines, transcript.lost) == (2, 0)


def test_a_speaker_that_no_header_names_is_no_caregiver():
    transcript = read("*Nin:\tmine .", "*NIN:\tyes .", "*MOT:\tno .", "*NIN:\tmine .")
    assert said_by(transcript)[0] == ("Nin", "Unidentified")
    keys = exchange_keys(transcript.utterances, np.zeros(4, dtype=int))
    assert (keys > 0).tolist() == [False, False, True, False]


def test_dependent_tiers_are_no_talk():
    transcript = read(
        "*MOT:\tlook .", "%mor:\tv|look", "\t.", "%act:\t*points", "@Comment:\t*NIN: here", "@New Episode"
    )
    assert transcript.utterances["text"].to_pylist() == ["look ."]
    assert transcript.lines == 1


@pytest.mark.parametrize(
    ("token", "words"),
    [("no::", "no"), ("ice+cream", "ice cream"), ("‡", ""), (",", ","), ("xxx", ""), ("--", ""), ("'", "")],
)
def test_clean_word(token, words):
    assert clean_word(token) == words


def test_terminators_are_three():
    assert [clean_terminator(token) for token in ("+//.", "+..?", "+!?", "!", "")] == [".", "?", "?", "!", "."]


def headers(participants: str, *ids: str) -> str:
    return "".join(
        f"{line}\n"
        for line in ("@UTF8", "@Begin", f"@Participants:\t{participants}", *(f"@ID:\t{i}" for i in ids))
    )


def test_target_child_is_found_by_role_not_by_code():
    transcript = read("*NIN:\tall gone .", "*MOT:\twhat is gone ?")
    assert said_by(transcript) == [("CHI", "Target_Child"), ("MOT", "Mother")]
    assert transcript.child_name == "Nina"
    assert transcript.child_names == ("Nina",)


@pytest.mark.parametrize(
    ("participants", "ids"),
    [
        ("NIN Nina Maria Target_Child", ()),
        ("NIN Target_Child", ()),
        ("NIN", ("eng|Made|NIN|||||Target_Child|||",)),
        ("MOT Mother", ("eng|Made|NIN|||||Target_Child|||",)),
        ("MOT Mother,\n\tNIN Target_Child", ()),
        # Where the two disagree, @Participants is right.
        ("NIN Target_Child, CHI Child", ("eng|Made|NIN|||||Child|||", "eng|Made|CHI|||||Target_Child|||")),
    ],
)
def test_role_is_in_either_header(participants, ids):
    transcript = read("*NIN:\tall gone .", header=headers(participants, *ids))
    assert transcript.utterances.to_pylist() == [{"speaker": "CHI", "role": "Target_Child", "text": "all gone ."}]


def test_of_two_target_children_one_is_chi():
    tiers = ("*BEN:\tmine .", "*NIN:\tno .", "*NIN:\tmine .", "*MOT:\thush .")
    header = headers("BEN Ben Target_Child, NIN Nina Target_Child, MOT Mother", "eng|M|NIN|2;|||||||")
    transcript = read(*tiers, header=header)
    assert transcript.utterances["speaker"].to_pylist() == ["BEN", "CHI", "CHI", "MOT"]
    assert transcript.utterances["role"].to_pylist()[:2] == ["Target_Child", "Target_Child"]
    assert transcript.child_name == "Nina"
    assert transcript.child_names == ("Nina", "Ben")
    assert transcript.age_months == 24


def test_of_two_target_children_the_one_coded_chi_stays():
    header = headers("BEN Ben Target_Child, CHI Nina Target_Child")
    transcript = read("*BEN:\tmine .", "*BEN:\tno .", "*CHI:\tmine .", header=header)
    assert transcript.utterances["speaker"].to_pylist() == ["BEN", "BEN", "CHI"]
    assert transcript.child_name == "Nina"


def test_chi_is_the_target_child_alone():
    header = headers("NIN Nina Target_Child, CHI Child")
    transcript = read("*NIN:\tmine .", "*CHI:\tno .", header=header)
    assert said_by(transcript) == [("CHI", "Target_Child"), ("KID", "Child")]


def test_without_a_target_child_chi_is_the_child():
    transcript = read("*CHI:\tmine .", header=headers("CHI Nina Child, MOT Mother", "eng|M|CHI|2;06.||||Child|||"))
    assert said_by(transcript)[0] == ("CHI", "Child")
    assert (transcript.child_name, transcript.age_months) == ("Nina", 30)


def test_speaker_codes_fit_their_tag():
    transcript = read("*F_A_T:\tcome .", "*GRANDMOTHER:\tyes .", "*é-:\tno .", "*XYZ:\twhat ?")
    assert transcript.utterances["speaker"].to_pylist() == ["FAT", "GRANDMOT", "UNK", "XYZ"]
    assert set(transcript.utterances["role"].to_pylist()) == {"Unidentified"}


@pytest.mark.parametrize(
    ("field", "months"),
    [
        ("1;08.15", 20.5),
        ("1;08.", 20),
        ("1;8.", 20),
        ("1;8", 20),
        ("1;08", 20),
        ("2;", 24),
        (" 2;03.14 ", 27.47),
        ("10;0.28", 120.93),
        ("2;00. - 3;00.", 30),
        ("", None),
        ("0;", None),
        ("0;00.00", None),
        ("0;00. - 1;00.", 6),
        ("0;00.03", 0.1),
        ("two", None),
        ("2;14.", None),
        ("2;06.44", None),
    ],
)
def test_age_in_months(field, months):
    header = headers("NIN Nina Target_Child", f"eng|Made|NIN|{field}|female|||Target_Child|||")
    assert read("*NIN:\tmine .", header=header).age_months == months


def test_every_line_is_accounted_for():
    transcript = read(
        "*MOT:\tlook (.) here .",  # two utterances
        "*MOT:\tlook here .",
        "*NIN:\txxx .",  # empty
        "*NIN:\t0 [=! cries] .",
        "*NIN:",
        "*NIN looks .",  # no speaker code
        "*:\tlook .",
        "*MOT:\tlook [= at that .",  # a comment without an end
        "*MOT:\tlook <at that .",
        "*MOT:\t" + "look " * 2000 + ".",  # no utterance is so long
        "what is that",  # no tier
    )
    assert transcript.utterances["text"].to_pylist() == ["look .", "here .", "look here ."]
    assert (transcript.lines, transcript.kept, transcript.empty, transcript.lost) == (11, 2, 3, 6)


def test_a_tier_that_the_parser_breaks_on_costs_that_tier_alone(monkeypatch):
    class PanicException(BaseException):
        """As the parser's defects come."""

    class Fragile:
        @staticmethod
        def from_strs(texts, **options):
            if "BOOM" in texts[0]:
                raise PanicException
            return original(texts, **options)

    original = pylangacq.CHAT.from_strs
    monkeypatch.setattr(pylangacq, "CHAT", Fragile)
    transcript = read("*MOT:\tlook [/] look here .", "*MOT:\tBOOM [: boom] .", "*MOT:\tyeah [: yes] !")
    assert transcript.utterances["text"].to_pylist() == ["look here .", "yes !"]
    assert transcript.lost == 1


def test_other_line_ends_and_a_byte_order_mark():
    plain = file("*MOT:\tlook\n\there .", "*NIN:\tyes .")
    expected = read_chat(plain)
    assert read_chat(plain.replace(b"\n", b"\r\n")) == expected
    assert read_chat(plain.replace(b"\n", b"\r")) == expected
    assert read_chat(b"\xef\xbb\xbf" + plain) == expected
    assert read_chat(plain.removesuffix(b"\n")) == expected


def test_a_recording_that_is_not_transcribed_is_read_as_empty():
    transcript = read(header=HEADER + "@Media:\tmade01, audio, notrans\n")
    assert (len(transcript.utterances), transcript.lines, transcript.child_name) == (0, 0, "Nina")


GOOD = file("*MOT:\tlook here Zoë .", "*NIN:\tyes .")


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("empty", b"", "no @Begin"),
        ("binary", b"\xff\xfe\x00binary", "not UTF-8"),
        ("zeros", bytes(1000), "not UTF-8 text: it holds NUL"),
        ("UTF-16 with its mark", GOOD.decode().encode("utf-16"), "not UTF-8"),
        ("UTF-16 without", GOOD.decode().encode("utf-16-le"), "not UTF-8 text"),
        ("latin-1", GOOD.decode().encode("latin-1"), "not UTF-8"),
        ("HTML", b"<!DOCTYPE html>\n<html>log in</html>", "HTML page"),
        ("HTML that quotes CHAT", b"\n<html><pre>\n" + GOOD, "HTML page"),
        ("no @Begin", GOOD.replace(b"@Begin\n", b""), "no @Begin"),
        ("no @End", GOOD.replace(b"@End\n", b""), "no @End"),
        ("cut inside a tier", GOOD[: GOOD.index(b"here")], "no @End"),
        ("cut inside a character", GOOD[: GOOD.index("ë".encode()) + 1], "not UTF-8"),
        ("headers alone", file(), "no utterances"),
        ("talk before @Begin", b"*MOT:\tlook .\n" + GOOD, "talk outside"),
        ("talk after @End", GOOD + b"*MOT:\tlook .\n", "talk outside"),
        ("two transcripts", GOOD + GOOD, "two transcripts"),
        ("no readable tier", file("*MOT look .", "*NIN:\t[ ."), "none of its 2 lines"),
    ],
)
def test_unreadable_files_say_why(kind, data, reason):
    with pytest.raises(Unreadable, match=reason):
        read_chat(data)
