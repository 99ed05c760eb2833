"""The toy transcripts: valid CHAT, the same for a seed, and talk in which replies depend on what was asked."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from random import Random

import pylangacq
import pytest
from pydantic import ValidationError

from babylogue.dialogue import count_words, terminator, words
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.lexicon import WORLD
from babylogue.transcripts.toy.settings import ToySettings

SETTINGS = ToySettings(words=60_000, children=12, transcripts_per_child=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    written = write_toy_transcripts(folder, SETTINGS)
    assert written == pytest.approx(SETTINGS.words, rel=0.01)
    return folder


@pytest.fixture(scope="module")
def files(folder) -> list[Path]:
    return sorted(folder.rglob("*.cha"))


@pytest.fixture(scope="module")
def turns(files) -> dict[str, list[list[tuple[str, str]]]]:
    """child -> transcripts of (role, cleaned text)."""
    read = defaultdict(list)
    for path in files:
        chat = parse(path)
        roles = {person.code: person.role for person in chat.headers()[0].participants}
        utterances = [(roles[u.participant], " ".join(t.word for t in u.tokens)) for u in chat.utterances()]
        read[path.parent.name].append(utterances)
    return read


def parse(path: Path):
    return pylangacq.CHAT.from_files([str(path)], strict=False, mor_tier=None, gra_tier=None)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.cha"))}


def test_bytes_follow_from_the_seed(tmp_path):
    written = []
    for name, seed in (("first", 0), ("second", 0), ("other", 1)):
        write_toy_transcripts(
            tmp_path / name, ToySettings(words=3000, children=4, transcripts_per_child=2, seed=seed)
        )
        written.append(contents(tmp_path / name))
    first, second, other = written
    assert first == second
    assert len(first) == 8
    assert not set(first.values()) & set(other.values())


def test_settings_refuse_nonsense():
    for wrong in ({"words": 0}, {"children": -1}, {"seeds": 3}):
        with pytest.raises(ValidationError):
            ToySettings(**wrong)


def test_files_lie_by_corpus_child_and_age(folder, files):
    assert len(files) == SETTINGS.children * SETTINGS.transcripts_per_child
    children = {path.parent for path in files}
    assert len(children) == SETTINGS.children == len({child.name for child in children})
    assert {path.parents[1].name for path in files} == {"Toyland", "Harbour", "Meadow"}
    for child in children:
        ages = [path.stem for path in sorted(child.glob("*.cha"))]
        assert len(ages) == SETTINGS.transcripts_per_child
        assert all(re.fullmatch(r"\d{6}", age) for age in ages)


def test_files_are_valid_chat(files):
    """The strict parser, with %mor tiers aligned to their words, takes every file."""
    assert pylangacq.CHAT.from_files([str(path) for path in files], strict=True).n_files == len(files)


def test_many_children_have_different_names(tmp_path):
    write_toy_transcripts(tmp_path, ToySettings(words=5000, children=100, transcripts_per_child=1))
    assert len({path.parent.name for path in tmp_path.rglob("*.cha")}) == 100


def test_headers_name_the_target_child_and_its_age(files):
    target_codes = set()
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("@UTF8\n@Begin\n@Languages:\teng, spa\n@Participants:\t")
        assert text.endswith("@End\n")
        (header,) = parse(path).headers()
        (child,) = [person for person in header.participants if person.role == "Target_Child"]
        target_codes.add(child.code)
        age = re.search(rf"\|{path.parents[1].name}\|{child.code}\|(\d);(\d\d)\.(\d\d)?\|", text)
        assert age is not None
        assert path.stem.startswith(f"0{age[1]}{age[2]}{age[3] or ''}")
        assert 20 <= 12 * int(age[1]) + int(age[2]) <= 60
        roles = {person.role for person in header.participants}
        assert "Mother" in roles
        assert roles <= {"Target_Child", "Mother", "Father", "Grandmother", "Sibling"}
        assert {person.code for person in header.participants} == set(
            re.findall(r"^@ID:\teng\|\w+\|(\w+)\|", text, re.M)
        )
    assert "CHI" in target_codes
    assert len(target_codes) > 1


def test_cleaned_words_are_the_words_asked_for(turns):
    cleaned = sum(count_words(text) for own in turns.values() for transcript in own for _, text in transcript)
    assert cleaned == pytest.approx(SETTINGS.words, rel=0.1)
    for transcripts in turns.values():
        for transcript in transcripts:
            assert {text.split()[-1] for _, text in transcript} <= {".", "?", "!", "+...", "+/."}


def test_children_speak_two_turns_in_five(turns):
    roles = Counter(role for own in turns.values() for transcript in own for role, _ in transcript)
    assert 0.35 < roles["Target_Child"] / roles.total() < 0.48


@pytest.mark.parametrize(
    "mark",
    [
        r"\x15\d+_\d+\x15", r"<[a-z' ]+> \[//\]", r"\[/\]", r"\bxxx\b", r"\byyy\b", r"&-uh", r"&~[a-z]",
        r"\w+ \[: \w+\]", r"\(be\)cause", r"\(\.\)", r"\(\.\.\)", r"\(1\.5\)", r"@s:spa", r"\n\t\S", r"\w@o\b",
        r"no::", r"\+\.\.\.", r"\+/\.", r"\[>\]", r"\[<\]", r":\t0 \.", r"\n%mor:\t", r"\n%com:\t", r"\n%act:\t",
        r"\[=! laughs\]", r"&=laughs", r"\[\+ \w+\]", r"\n@Media:\t\d{6}, audio\n",
        r"\n@Date:\t\d\d-[A-Z]{3}-\d{4}\n",
    ],
)  # fmt: skip
def test_chat_features_occur(files, mark):
    assert any(re.search(mark, path.read_text(encoding="utf-8")) for path in files)


def test_media_has_the_file_name_and_bullets_go_forward(files):
    for path in files:
        text = path.read_text(encoding="utf-8")
        bullets = [tuple(map(int, found)) for found in re.findall(r"\x15(\d+)_(\d+)\x15", text)]
        assert all(start < end for start, end in bullets)
        assert all(before[1] <= after[0] for before, after in pairwise(bullets))
        assert ("@Media" in text) == bool(bullets)
        assert f"@Media:\t{path.stem}, audio" in text or not bullets


def test_mor_tiers_have_an_item_for_each_word(files):
    found = 0
    for path in files:
        lines = path.read_text(encoding="utf-8").replace("\n\t", " ").split("\n")
        for main, below in pairwise(lines):
            if below.startswith("%mor:\t"):
                assert len(main.split("\t")[1].split()) == len(below.split("\t")[1].split())
                found += 1
    assert found > 20


Words = tuple[str, ...]


def sound_pairs(turns, children: list[str]) -> list[tuple[Words, Words, Words]]:
    """Words of (prompt, reply, random reply): equal in number and terminator, none shared with the prompt."""
    told = []
    alike = defaultdict(list)
    for child in children:
        for (speaker, prompt), (answering, reply) in neighbours(turns[child]):
            asked, said = tuple(words(prompt)), tuple(words(reply))
            if answering == "Target_Child" != speaker and said and set(asked).isdisjoint(said):
                told.append((asked, said, terminator(reply)))
                alike[len(said), terminator(reply)].append(said)
    draw, pairs = Random(0), []
    for asked, said, end in told:
        drawn = draw.choices(alike[len(said), end], k=10)
        other = next((o for o in drawn if o != said and set(asked).isdisjoint(o)), None)
        if other is not None:
            pairs.append((asked, said, other))
    return pairs


def neighbours(transcripts) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    for transcript in transcripts:
        yield from pairwise(transcript)


def association(pairs) -> dict[tuple[str, str], float]:
    """Pointwise mutual information of prompt word and reply word, smoothed."""
    joint = Counter(cell for prompt, reply, _ in pairs for cell in product(prompt, reply))
    left, right = Counter(), Counter()
    for (a, b), count in joint.items():
        left[a] += count
        right[b] += count
    total = joint.total()
    return {(a, b): math.log((n + 0.1) * total / (left[a] * right[b] + 10)) for (a, b), n in joint.items()}


def test_replies_depend_on_prompts_for_children_never_met(turns):
    children = sorted(turns)
    train, test = (sound_pairs(turns, children[start::2]) for start in (0, 1))
    assert len(test) > 2000
    assert sum(len(reply) > 2 for _, reply, _ in test) > 800
    pmi = association(train)
    frequency = Counter(word for _, reply, _ in train for word in reply)

    def cross(prompt: Words, reply: Words) -> float:
        return sum(pmi.get(cell, -2.0) for cell in product(prompt, reply)) / len(reply)

    def reply_alone(_: Words, reply: Words) -> float:
        return sum(math.log(frequency[word] + 0.5) for word in reply)

    def accuracy(score) -> float:
        margins = [score(prompt, chosen) - score(prompt, rejected) for prompt, chosen, rejected in test]
        return sum((margin > 0) + 0.5 * (margin == 0) for margin in margins) / len(margins)

    assert 0.65 < accuracy(cross) < 0.92
    assert accuracy(reply_alone) == pytest.approx(0.5, abs=0.04)


def test_things_have_their_places_for_all_children(turns):
    """Whoever answers where something is with a place names the place of that thing."""
    place_of = {thing.noun: thing.place for thing in WORLD}
    places = set(place_of.values())
    named = []
    for (_, prompt), (role, reply) in neighbours([own for child in turns.values() for own in child]):
        asked = [word for word in words(prompt) if word in place_of]
        answered = [word for word in words(reply) if word in places]
        if "where" in prompt and role == "Target_Child" and len(asked) == len(answered) == 1:
            named.append(place_of[asked[0]] == answered[0])
    assert len(named) > 150
    assert sum(named) / len(named) > 0.9
