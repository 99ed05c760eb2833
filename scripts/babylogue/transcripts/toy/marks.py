"""CHAT's marks on plain utterances: what a transcriber writes besides the words (MacWhinney 2000).

Most marks leave the cleaned utterance as it was (retracings, fillers, events); a few replies are lost to them
(`xxx`, `0`), as in real transcripts.
"""

from collections.abc import Callable
from random import Random

from .lexicon import ANIMALS, COLOURS, NUMBERS, WORLD, plural, verb_forms
from .scenes import SCENE_ACTIVITIES

SOUNDS = tuple(thing.sound for thing in WORLD if thing.animal)
ERRORS = {
    "fell": "falled", "broke": "breaked", "ate": "eated", "took": "taked", "went": "goed", "grew": "growed",
    "knocked": "knockded", "bought": "buyed", "feet": "foots", "drew": "drawed", "mice": "mouses",
}  # fmt: skip
SHORTENED = {
    "because": "(be)cause", "about": "(a)bout", "again": "(a)gain", "and": "an(d)", "around": "(a)round",
    "until": "(un)til",
}  # fmt: skip
SWITCHED = ("agua", "perro", "gato", "leche", "mira", "vamos")
LENGTHENED = {"no": "no::", "yes": "ye:s", "so": "so::", "oh": "oh:", "big": "bi:g", "look": "loo:k"}
EVENTS = ("&=laughs", "&=coughs", "&=cries", "&=sneezes")
PARALINGUISTIC = ("[=! laughs]", "[=! whispers]", "[=! sings]", "[=! shouts]")
ACTIONS = ("points at it", "shakes head", "reaches out", "nods", "turns away", "picks up a toy")
COMMENTS = ("telephone rings", "noise in the background", "child is eating", "door slams")

OPENINGS = ("okay", "now", "oh", "well", "and", "so", "hey", "right", "alright", "yes", "no", "mommy", "look")

MARK_RATE = {True: 0.14, False: 0.09}  # by whether the child speaks
LOST_RATE = 0.02  # replies of the child that cannot be understood, or that are no words
BRACKETS = (("[", "]"), ("<", ">"))
LINE_WIDTH = 60  # characters after which a main tier may go on in a continuation line


def _at(draw: Random, words: list[str]) -> int:
    return draw.randrange(len(words))


def _repetition(draw: Random, words: list[str]) -> list[str]:
    i = _at(draw, words)
    return [*words[:i], words[i], "[/]", *words[i:]]


def _retracing(draw: Random, words: list[str]) -> list[str]:
    """`<the the> [//] the dog`: a false start of two words."""
    i = _at(draw, words)
    return [*words[:i], f"<{words[i]}", f"{words[i]}>", "[//]", *words[i:]]


def _filler(draw: Random, words: list[str]) -> list[str]:
    i = _at(draw, words)
    return [*words[:i], draw.choice(("&-uh", "&-um", "&-er")), *words[i:]]


def _fragment(draw: Random, words: list[str]) -> list[str]:
    i = _at(draw, words)
    return [*words[:i], f"&~{words[i][0].lower()}", *words[i:]]


def _pause(draw: Random, words: list[str]) -> list[str]:
    """A pause after an opening word: pauses split utterances, and the main part should stay whole."""
    if words[0] not in OPENINGS or len(words) == 1:
        return _filler(draw, words)
    return [words[0], draw.choice(("(.)", "(.)", "(..)", "(1.5)")), *words[1:]]


def _unintelligible(draw: Random, words: list[str]) -> list[str]:
    return [*words, draw.choice(("xxx", "xxx", "yyy"))]


def _event(draw: Random, words: list[str]) -> list[str]:
    return [draw.choice(EVENTS), *words] if draw.random() < 0.5 else [*words, draw.choice(EVENTS)]


def _paralinguistic(draw: Random, words: list[str]) -> list[str]:
    return [*_scoped(words), draw.choice(PARALINGUISTIC)]


def _stress(draw: Random, words: list[str]) -> list[str]:
    i = _at(draw, words)
    return [*words[: i + 1], draw.choice(("[!]", "[?]")), *words[i + 1 :]]


def _scoped(words: list[str]) -> list[str]:
    """Words in the angle brackets that a following code needs when there are several."""
    return words if len(words) == 1 else ["<" + words[0], *words[1:-1], words[-1] + ">"]


Mark = Callable[[Random, list[str]], list[str]]
MARKS: dict[Mark, int] = {
    _repetition: 4, _retracing: 4, _filler: 4, _fragment: 2, _pause: 4, _unintelligible: 1, _event: 2,
    _paralinguistic: 2, _stress: 1,
}  # fmt: skip


def _word_marks(draw: Random, words: list[str], child: bool) -> list[str]:
    """Marks inside a word, on the words that have a marked form; only children say goed."""
    marked = []
    for word in words:
        if word in SOUNDS and draw.random() < 0.6:
            word += "@o"
        elif child and word in ERRORS and draw.random() < 0.4:
            word = f"{ERRORS[word]} [: {word}]"
        elif word in SHORTENED and draw.random() < 0.3:
            word = SHORTENED[word]
        elif word in LENGTHENED and draw.random() < 0.05:
            word = LENGTHENED[word]
        marked.append(word)
    return marked


def lost_reply(draw: Random) -> tuple[str, list[str]]:
    """A child turn without usable words, and its dependent tiers."""
    kind = draw.randrange(4)
    if kind == 0:
        return "0 .", [f"%act:\t{draw.choice(ACTIONS)}"]
    if kind == 1:
        return f"{draw.choice(SWITCHED)}@s:spa .", []
    return ("xxx .", []) if kind == 2 else ("yyy .", ["%pho:\tbaba"])


def mark(draw: Random, text: str, *, child: bool) -> str:
    """The main tier of an utterance: words with a spaced terminator, with at most one mark among the words."""
    *words, terminator = text.split()
    words = _word_marks(draw, words, child)
    if words and draw.random() < MARK_RATE[child]:
        words = draw.choices(list(MARKS), list(MARKS.values()))[0](draw, words)
    chance = draw.random()
    if chance < 0.008:
        terminator = "+..."
    elif chance < 0.012:
        terminator = "+/."
    line = " ".join([*words, terminator])
    return line + draw.choice((" [+ imit]", " [+ rep]")) if child and draw.random() < 0.006 else line


def overlap(first: str, second: str) -> tuple[str, str] | None:
    """Two plain main tiers that overlap, or None where either of them bears marks already."""
    pair = [line.split() for line in (first, second)]
    if any(character in line for line in (first, second) for character in "[<&(") or min(map(len, pair)) < 2:
        return None
    (*before, stop), (*after, end) = pair
    return " ".join([*_scoped(before), "[>]", stop]), " ".join([*_scoped(after), "[<]", end])


def dependent_tiers(draw: Random) -> list[str]:
    """Now and then a comment or an action."""
    chance = draw.random()
    if chance < 0.012:
        return [f"%com:\t{draw.choice(COMMENTS)}"]
    return [f"%act:\t{draw.choice(ACTIONS)}"] if chance < 0.03 else []


def wrap(draw: Random, line: str) -> str:
    """A long line goes on after a newline and a tab, never inside brackets."""
    if len(line) < LINE_WIDTH and draw.random() > 0.01:
        return line
    spaces = [i for i, character in enumerate(line) if character == " "]
    outside = [i for i in spaces if all(line[:i].count(a) == line[:i].count(b) for a, b in BRACKETS)]
    if not outside:
        return line
    cut = min(outside, key=lambda i: abs(i - min(LINE_WIDTH, len(line) // 2)))
    return f"{line[:cut]}\n\t{line[cut + 1 :]}"


def _parts_of_speech() -> dict[str, str]:
    """Word -> its %mor item, for the words whose analysis is plain."""
    known = {
        "the": "det:art|the", "a": "det:art|a", "my": "det:poss|my", "your": "det:poss|your", "I": "pro:sub|I",
        "you": "pro:per|you", "it": "pro:per|it", "is": "cop|be&3S", "are": "cop|be&PRES", "in": "prep|in",
        "on": "prep|on", "this": "det:dem|this", "these": "det:dem|these", "where": "pro:int|where",
        "what": "pro:int|what", "who": "pro:int|who", "yes": "co|yes", "yeah": "co|yeah", "no": "co|no",
        "so": "adv|so", "very": "adv|very", "and": "coord|and",
    }  # fmt: skip
    for thing in WORLD:
        known |= {thing.noun: f"n|{thing.noun}", thing.place: f"n|{thing.place}", thing.like: f"adj|{thing.like}"}
        known[plural(thing.noun)] = f"n|{thing.noun}-PL"
        if thing.scene in ANIMALS:
            known[thing.doing] = f"part|{thing.doing.removesuffix('ing')}-PRESP"
    known |= {colour: f"adj|{colour}" for colour in COLOURS} | {number: f"det:num|{number}" for number in NUMBERS}
    for activities in SCENE_ACTIVITIES.values():
        for activity in activities:
            third, progressive, _, _ = verb_forms(activity.verb)
            known |= {third: f"v|{activity.verb}-3S", progressive: f"part|{activity.verb}-PRESP"}
    return known


PARTS_OF_SPEECH = _parts_of_speech()


def mor_tier(line: str) -> list[str]:
    """The %mor tier of a main tier without marks whose words are all known; otherwise none."""
    *words, terminator = line.split()
    if not words or any(word not in PARTS_OF_SPEECH for word in words):
        return []
    return [f"%mor:\t{' '.join([PARTS_OF_SPEECH[word] for word in words])} {terminator}"]
