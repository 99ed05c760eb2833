"""Made-up transcripts of made-up families, as valid CHAT files: our own text, no line of CHILDES.

Three corpora that differ as real ones do: Toyland is linked to media by time bullets, Harbour has %mor tiers,
Meadow writes the target child with a code of the child's name and ages without days.
"""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from ...dialogue import count_words
from . import marks
from .settings import ToySettings
from .talk import CHILD, SIBLING, Cast, Person, Talk, Utterance

GIRLS = [
    "Tilly", "Nora", "Edie", "Wren", "Lotte", "Maud", "Ines", "Greta", "Polly", "Suki", "Fenna", "Elsie", "Dora",
    "Bea", "Romy", "Hetty",
]  # fmt: skip
BOYS = [
    "Bram", "Otis", "Hugo", "Wilf", "Milo", "Rufus", "Ezra", "Stan", "Theo", "Casper", "Ned", "Albie", "Ivo",
    "Jonas", "Luca", "Monty",
]  # fmt: skip
ADULTS = {
    "Mother": ["Anna", "Carol", "Lena", "Priya", "Ruth"], "Father": ["Peter", "Sam", "David", "Omar", "Felix"],
    "Grandmother": ["Joan", "Vera", "Ingrid", "Pearl"],
}  # fmt: skip
FRIENDS = ["Zoe", "Harriet", "Kofi", "Benji", "Matilda", "Ravi", "Saskia", "Tomasz", "Amina", "Leo"]
PETS = ["Biscuit", "Pepper", "Ziggy", "Waffles", "Pickle", "Bruno", "Socks", "Marble"]
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
SEX = {"Mother": "female", "Father": "male", "Grandmother": "female"}
CODES = {"Mother": "MOT", "Father": "FAT", "Grandmother": "GRA", SIBLING: "SIB"}
ROLES = {CHILD: "Target_Child", SIBLING: "Sibling"}


@dataclass(frozen=True)
class Corpus:
    """How one corpus is transcribed."""

    name: str
    bullets: bool = False
    mor: bool = False
    child_by_name: bool = False
    days: bool = True


CORPORA = (
    Corpus("Toyland", bullets=True), Corpus("Harbour", mor=True), Corpus("Meadow", child_by_name=True, days=False),
)  # fmt: skip


def write_toy_transcripts(folder: Path, settings: ToySettings) -> int:
    """Write `<folder>/<corpus>/<Child>/<age>.cha` for all children; returns the lexical words written.

    Each transcript has a seed of its own, so that one more child or transcript leaves the others as they are
    (but for their length, which is the settings' `words` shared out).
    """
    transcripts = settings.children * settings.transcripts_per_child
    written = 0
    for number in range(settings.children):
        draw = Random(f"child {settings.seed} {number}")
        corpus = CORPORA[number % len(CORPORA)]
        cast = _cast(draw, number)
        age_months = draw.randint(20, 38)
        birth_month = draw.randrange(12)
        for session in range(settings.transcripts_per_child):
            budget = (settings.words - written) // (
                transcripts - number * settings.transcripts_per_child - session
            )
            session_draw = Random(f"transcript {settings.seed} {number} {session}")
            utterances = list(Talk(session_draw, cast, age_months).utterances(budget))
            age = Age(age_months, session_draw.randint(1, 28))
            text = _transcript(session_draw, corpus, cast, utterances, age, birth_month)
            path = folder / corpus.name / cast.child.name / f"{age.file_name}.cha"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8"))
            written += sum(count_words(utterance.text) for utterance in utterances)
            age_months += session_draw.randint(1, 4)
    return written


@dataclass(frozen=True)
class Age:
    """Age of the target child at the recording."""

    months: int
    days: int

    @property
    def file_name(self) -> str:
        return f"{self.months // 12:02}{self.months % 12:02}{self.days:02}"

    def written(self, *, days: bool) -> str:
        """As CHAT writes ages: 2;03.14, or 2;03. where days are not known."""
        return f"{self.months // 12};{self.months % 12:02}." + (f"{self.days:02}" if days else "")


def _cast(draw: Random, number: int) -> Cast:
    names, sex = ((GIRLS, "female"), (BOYS, "male"))[number % 2]
    turn, place = divmod(number // 2, len(names))
    second = names[(place + turn) % len(names)].lower() if turn else ""  # Tilly, then Tillynora
    child = Person(CHILD, names[place] + second, sex)
    roles = ["Mother"] + [role for role, share in (("Father", 0.6), ("Grandmother", 0.3)) if draw.random() < share]
    caregivers = tuple(Person(role, draw.choice(ADULTS[role]), SEX[role]) for role in roles)
    sibling_name = names[(place + 1 + draw.randrange(len(names) - 1)) % len(names)]
    sibling = Person(SIBLING, sibling_name, sex) if draw.random() < 0.4 else None
    return Cast(child, caregivers, sibling, draw.choice(FRIENDS), draw.choice(PETS))


def _code(corpus: Corpus, person: Person) -> str:
    if person.role != CHILD:
        return CODES[person.role]
    return person.name.upper()[:8] if corpus.child_by_name else "CHI"


def _headers(corpus: Corpus, cast: Cast, age: Age, birth_month: int) -> list[str]:
    people = [cast.child, *cast.caregivers, *([cast.sibling] if cast.sibling else [])]
    months = birth_month + age.months
    participants = ", ".join(f"{_code(corpus, p)} {p.name} {ROLES.get(p.role, p.role)}" for p in people)
    lines = ["@UTF8", "@Begin", "@Languages:\teng, spa", f"@Participants:\t{participants}"]
    for person in people:
        own_age = age.written(days=corpus.days) if person.role == CHILD else ""
        code, role = _code(corpus, person), ROLES.get(person.role, person.role)
        lines.append(f"@ID:\teng|{corpus.name}|{code}|{own_age}|{person.sex}|||{role}|||")
    if corpus.bullets:
        lines.append(f"@Media:\t{age.file_name}, audio")
    lines.append(f"@Date:\t{age.days:02}-{MONTHS[months % 12]}-{2010 + months // 12}")
    return lines


def _transcript(
    draw: Random, corpus: Corpus, cast: Cast, utterances: list[Utterance], age: Age, birth_month: int
) -> str:
    """The text of one file."""
    lines, tiers = _main_tiers(draw, corpus, utterances)
    written = _headers(corpus, cast, age, birth_month)
    clock_ms = draw.randint(0, 2000)
    for utterance, line, below in zip(utterances, lines, tiers, strict=True):
        if corpus.bullets:
            end_ms = clock_ms + 300 + 280 * len(line.split()) + draw.randrange(200)
            line += f" \x15{clock_ms}_{end_ms}\x15"
            clock_ms = end_ms + draw.randrange(900)
        written.append(f"*{_code(corpus, utterance.speaker)}:\t{marks.wrap(draw, line)}")
        written += below
    return "\n".join([*written, "@End", ""])


def _main_tiers(draw: Random, corpus: Corpus, utterances: list[Utterance]) -> tuple[list[str], list[list[str]]]:
    """Main tiers with their marks, and the dependent tiers of each."""
    lines: list[str] = []
    tiers: list[list[str]] = []
    for utterance in utterances:
        child = utterance.speaker.role == CHILD
        if child and draw.random() < marks.LOST_RATE:
            line, below = marks.lost_reply(draw)
        else:
            line, below = marks.mark(draw, utterance.text, child=child), marks.dependent_tiers(draw)
            if lines and draw.random() < 0.01 and (both := marks.overlap(lines[-1], line)):
                lines[-1], line = both
        lines.append(line)
        tiers.append(below)
    if corpus.mor:
        tiers = [marks.mor_tier(line) + below for line, below in zip(lines, tiers, strict=True)]
    return lines, tiers
