"""The talk of one toy transcript: scenes, caregiver turns and the replies of a child of some age.

A reply depends on what was asked; now and then the child says something generic or about something else, as
children do, so that no model can be right every time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from ...dialogue import count_words, words
from .exchanges import KINDS
from .lexicon import WORLD, Thing, article, things_of
from .questions import Exchange
from .scenes import SCENES

CHILD, SIBLING = "child", "sibling"
OFF_TOPIC = 0.17  # share of the child's turns that do not depend on the prompt
AVOIDS_ECHO = 0.85  # how often a reply without the prompt's words is taken where there is one
GENERIC = """
    yeah . / no . / look . / mommy . / okay . / mhm . / what ? / why ? / huh ? / hey ! / uhoh . / oh . /
    don't know . /
    I don't know . / no no no . / I want to go . / look at me ! / mommy come here . / don't want to . /
    hello . / yes . /
    I did it ! / what's that ? / and this . / not that . / go away . / I'm doing it . / need a wee . /
    see ? / again . /
    come and play with me . / you do it . / I have to tell you something .
"""
GENERIC_REPLIES = tuple(" ".join(reply.split()) for reply in GENERIC.split("/"))
DROPPED = ("the", "a", "an", "my", "it's", "that's", "is", "our", "this", "I", "I'm", "some")  # telegraphic speech
PRAISE = (
    "that's right .", "good job .", "very good .", "oh really ?", "is it ?", "are you sure ?", "yes .", "mhm .",
    "I think so too .", "clever thing .", "wow .", "do you think so ?", "thank you .",
)  # fmt: skip
PUZZLED = (
    "are you listening to me ?", "that's not what I asked .", "what did you say ?", "pardon ?", "let's see .",
)  # fmt: skip
OPENERS = ("okay", "now", "oh", "well", "and", "so", "hey", "right", "alright")


@dataclass(frozen=True)
class Person:
    """Somebody of the cast: `role` is `child`, `sibling` or a CHAT role of a caregiver (Mother)."""

    role: str
    name: str
    sex: str


@dataclass(frozen=True)
class Cast:
    """One child's own people: what the child alone knows are the names of the friend and of the pet."""

    child: Person
    caregivers: tuple[Person, ...]
    sibling: Person | None
    friend: str
    pet: str


@dataclass(frozen=True)
class Utterance:
    """What is said, as words and a spaced terminator, before CHAT's marks are added."""

    speaker: Person
    text: str


def longest_reply(age_months: int) -> int:
    """Words in the longest reply of a child of this age."""
    return 2 if age_months < 26 else 4 if age_months < 36 else 7


class Talk:
    """Makes the utterances of one transcript."""

    def __init__(self, draw: Random, cast: Cast, age_months: int):
        self.draw = draw
        self.cast = cast
        self.longest = longest_reply(age_months)
        self.telegraphic = {2: 0.8, 4: 0.4, 7: 0.05}[self.longest]
        self.caregiver = draw.choice(cast.caregivers)

    def utterances(self, length: int) -> Iterator[Utterance]:
        """Scene after scene until `length` lexical words are said."""
        said = 0
        while said < length:
            scene = self.draw.choice(SCENES)
            for utterance in self._scene(scene):
                yield utterance
                said += count_words(utterance.text)
                if said >= length:
                    return

    def _scene(self, scene: str) -> Iterator[Utterance]:
        things = things_of(scene)
        thing = self.draw.choice(things)
        if self.draw.random() < 0.3:
            self.caregiver = self.draw.choice(self.cast.caregivers)
        for _ in range(self.draw.randint(6, 16)):
            if self.draw.random() < 0.5:
                thing = self.draw.choice(things)
            chance = self.draw.random()
            if chance < 0.14:
                yield from self._child_begins(thing)
            elif chance < 0.17:
                yield from self._personal()
            elif chance < 0.20 and self.cast.sibling:
                yield from self._sibling_speaks(thing)
            kind = self.draw.choices(list(KINDS), list(KINDS.values()))[0]
            yield from self._exchange(kind(self.draw, scene, thing), thing)

    def _exchange(self, exchange: Exchange, thing: Thing) -> Iterator[Utterance]:
        """Prompt and reply; then the caregiver confirms or asks again, and the child may go on."""
        yield Utterance(self.caregiver, self._open(exchange.prompt))
        on_topic = self.draw.random() >= OFF_TOPIC
        reply = self._choose(exchange.prompt, exchange.replies) if on_topic else self._off_topic()
        yield Utterance(self.cast.child, reply)
        chance = self.draw.random()
        if not on_topic and chance < 0.4:
            yield Utterance(self.caregiver, self.draw.choice(PUZZLED))
            if chance < 0.3:
                yield Utterance(self.caregiver, exchange.prompt)
                yield Utterance(self.cast.child, self._choose(exchange.prompt, exchange.replies))
        elif on_topic and chance < 0.32:
            yield Utterance(self.caregiver, exchange.fact)
            if chance < 0.16:
                yield Utterance(self.cast.child, self._choose(exchange.fact, self._reactions(thing)))
        elif chance < 0.6:
            yield Utterance(self.caregiver, self.draw.choice(PRAISE))

    def _child_begins(self, thing: Thing) -> Iterator[Utterance]:
        """The child brings something up, and the caregiver's answer fits it."""
        noun, a = thing.noun, article(thing.noun)
        there = f"{thing.preposition} the {thing.place}"
        beginnings = {
            f"look {a} {noun} !": f"yes it's a {thing.like} {noun} .", f"I want the {noun} .": f"it's {there} .",
            f"where's my {noun} ?": f"it's {there} .", f"what's this {thing.colour} one ?": f"that's {a} {noun} .",
            f"my {noun} .": f"yes that {noun} is yours .", f"{thing.like} {noun} .": f"it is very {thing.like} .",
        }  # fmt: skip
        if thing.animal:
            beginnings[f"{thing.sound} {thing.sound} ."] = f"is that the {noun} ?"
        else:
            beginnings[f"I {thing.use} ."] = f"then you need the {noun} ."
        said = self.draw.choice(list(beginnings))
        yield Utterance(self.cast.child, self._simplify(said))
        answer = beginnings[said]
        yield Utterance(self.caregiver, answer)
        if self.draw.random() < 0.5:
            yield Utterance(self.cast.child, self._choose(answer, self._reactions(thing)))

    def _personal(self) -> Iterator[Utterance]:
        """What only this child knows: the names of friend and pet, and the child's own."""
        cast = self.cast
        prompt, name = self.draw.choice((
            ("who came to play today ?", cast.friend),
            ("who's your best friend ?", cast.friend),
            ("what's the puppy called ?", cast.pet),
            ("who is barking at the door ?", cast.pet),
            ("what's your name ?", cast.child.name),
        ))  # fmt: skip
        yield Utterance(self.caregiver, prompt)
        yield Utterance(
            cast.child, self._choose(prompt, (f"{name} .", f"it's {name} .", f"{name} and me .", f"{name} !"))
        )

    def _sibling_speaks(self, thing: Thing) -> Iterator[Utterance]:
        sibling = self.cast.sibling
        assert sibling is not None
        said = self.draw.choice(
            (f"I want the {thing.noun} now .", f"that's my {thing.noun} !", "can I have a go ?")
        )
        yield Utterance(sibling, said)
        yield Utterance(
            self.cast.child, self._choose(said, ("no mine .", "it's mine !", "wait your turn .", "you share ."))
        )

    def _reactions(self, thing: Thing) -> tuple[str, ...]:
        """What the child adds about a thing that has been talked about."""
        common = (
            f"{thing.like} .", f"I like {thing.colour} .", "get it please .", "let me see .", f"so {thing.like} .",
        )  # fmt: skip
        if thing.animal:
            return (
                *common,
                f"{thing.sound} !",
                f"eats {thing.food} .",
                f"he's {thing.doing} .",
                f"give him {thing.food} .",
            )
        return (*common, f"I'll {thing.use} .", f"{thing.use} .", f"we can {thing.use} .", f"{thing.colour} one .")

    def _open(self, prompt: str) -> str:
        """Some caregiver turns begin with an opener or the child's name."""
        chance = self.draw.random()
        if chance < 0.12:
            return f"{self.draw.choice(OPENERS)} {prompt}"
        if chance < 0.17:
            return f"{self.cast.child.name} {prompt}"
        return prompt

    def _simplify(self, said: str) -> str:
        """Younger children leave out determiners and copulas; nobody leaves out everything."""
        if self.draw.random() >= self.telegraphic:
            return said
        kept = [word for word in said.split() if word not in DROPPED]
        return " ".join(kept) if len(kept) > 1 else said

    def _choose(self, prompt: str, replies: tuple[str, ...]) -> str:
        """A fitting reply of a length that the child can say, most often one with words of its own."""
        said = [self._simplify(reply) for reply in replies]
        if self.draw.random() < AVOIDS_ECHO:
            asked = set(words(prompt))
            said = [reply for reply in said if asked.isdisjoint(words(reply))] or said
        lengths = [count_words(reply) for reply in said]
        longest = max(self.longest, min(lengths))
        length = self.draw.choice(sorted({length for length in lengths if length <= longest}))
        return self.draw.choice([reply for reply, own in zip(said, lengths, strict=True) if own == length])

    def _off_topic(self) -> str:
        if self.draw.random() < 0.6:
            return self.draw.choice(GENERIC_REPLIES)
        return self.draw.choice(self._reactions(self.draw.choice(WORLD)))
