"""What a caregiver can ask or say about a thing, and what a child who understands it answers.

Each kind of exchange is a function of the draw, the scene and one of its things; the child's possible replies
follow from the kind of question and from the facts of the thing, so the reply depends on both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from .lexicon import NUMBERS, WORLD, Thing, article, plural


@dataclass(frozen=True)
class Exchange:
    """A caregiver turn, the replies that fit it, and the fact with which the caregiver may confirm the reply."""

    prompt: str
    replies: tuple[str, ...]
    fact: str


Kind = Callable[[Random, str, Thing], Exchange]


def exchange(draw: Random, prompts: Sequence[str], replies: Sequence[str], fact: str) -> Exchange:
    """Replies without a terminator end in a full stop, as most do."""
    ended = tuple(reply if reply[-1] in ".?!" else f"{reply} ." for reply in replies)
    return Exchange(draw.choice(prompts), ended, fact)


def _name(draw: Random, thing: Thing) -> str:
    """The thing with a determiner, singular."""
    return f"{draw.choice(('the', 'the', 'your', 'that', 'my', 'our'))} {thing.noun}"


def _names(draw: Random, thing: Thing) -> str:
    """The things with a determiner, plural."""
    return f"{draw.choice(('the', 'those', 'these', 'your', 'all the'))} {plural(thing.noun)}"


def _determiner(draw: Random) -> str:
    return draw.choice(("the", "my", "a", "that", "our", "this"))


def where(draw: Random, scene: str, thing: Thing) -> Exchange:
    name, there = _name(draw, thing), f"{thing.preposition} {_determiner(draw)} {thing.place}"
    prompts = [
        f"where's {name} ?", f"where is {name} ?", f"where did you put {name} ?", f"do you know where {name} is ?",
        f"where has {name} gone ?", f"I can't find {name} .", f"can you find {name} for me ?",
        f"who knows where {name} went ?", f"where could {name} be hiding ?",
    ]  # fmt: skip
    if thing.countable:
        prompts += [f"where are {_names(draw, thing)} ?", f"where do {_names(draw, thing)} go ?"]
    if thing.animal:
        prompts += [f"where does {name} live ?", f"where does {name} sleep at night ?"]
    replies = [
        thing.place, f"{thing.preposition} {thing.place}", there, f"it's {there}", f"over there {there}",
        f"I saw it {there}", f"look {there} !", f"I think {there}", f"maybe {there}", f"somewhere {there}",
        f"right there {there}", f"still {there}",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"the {thing.noun} is {thing.preposition} the {thing.place} .")


def what_colour(draw: Random, scene: str, thing: Thing) -> Exchange:
    name, colour = _name(draw, thing), thing.colour
    prompts = [
        f"what colour is {name} ?", f"what colour's {name} ?", f"which colour is {name} today ?",
        f"can you tell me the colour of {name} ?",
    ]  # fmt: skip
    if thing.countable:
        prompts += [f"what colour are {_names(draw, thing)} ?"]
    same = draw.choice([other.noun for other in WORLD if other.colour == colour and other.countable])
    replies = [
        colour, f"{colour} one", f"it's {colour}", f"I think {colour}", f"all {colour}", f"{colour} {colour}",
        f"{colour} like {article(same)} {same}", f"I know it's {colour}", f"{colour} is my favourite",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"{name} is {colour} .")


def what_for(draw: Random, scene: str, thing: Thing) -> Exchange:
    if thing.animal:
        return what_doing(draw, scene, thing)
    name, use = _name(draw, thing), thing.use
    prompts = [
        f"what do we do with {name} ?", f"what's {name} for ?", f"what can you do with {name} ?",
        f"why do we need {name} ?", f"what are you going to do with {name} ?",
    ]  # fmt: skip
    replies = [
        use.split()[0], use, f"you {use}", f"I {use}", f"to {use}", f"let me {use}", f"so I can {use}",
        f"mommy and me {use}",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"yes you can {use} with it .")


def what_doing(draw: Random, scene: str, thing: Thing) -> Exchange:
    if not thing.animal:
        return where(draw, scene, thing)
    name, doing = _name(draw, thing), thing.doing
    prompts = [
        f"what's {name} doing ?", f"what is {name} doing now ?", f"can you see what {name} is doing ?",
        f"what are {_names(draw, thing)} doing ?",
    ]  # fmt: skip
    replies = [
        doing, f"it's {doing}", f"just {doing}", f"{doing} again", f"he's {doing} over there", f"{doing} all day",
        f"{doing} {thing.preposition} {thing.place}",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"yes the {thing.noun} is {doing} .")


def what_says(draw: Random, scene: str, thing: Thing) -> Exchange:
    if not thing.animal:
        return like(draw, scene, thing)
    name, sound = _name(draw, thing), thing.sound
    prompts = [
        f"what does {name} say ?", f"what noise does {name} make ?", f"what do {_names(draw, thing)} say ?",
        f"how does {name} go ?", f"can you hear {name} ?",
    ]  # fmt: skip
    replies = [
        f"{sound}", f"{sound} {sound}", f"{sound} {sound} {sound}", f"it says {sound}", f"{sound} !",
        f"{sound} {sound} !", f"big loud {sound}", f"he can {sound} {sound}",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"the {thing.noun} says {sound} .")


def what_eats(draw: Random, scene: str, thing: Thing) -> Exchange:
    if not thing.animal:
        return whose(draw, scene, thing)
    name, food = _name(draw, thing), thing.food
    prompts = [
        f"what does {name} eat ?", f"what do {_names(draw, thing)} like to eat ?", f"what shall we feed {name} ?",
        f"is {name} hungry ?",
    ]  # fmt: skip
    replies = [
        food, f"some {food}", f"it eats {food}", f"lots of {food}", f"give him {food}", f"yummy {food}",
        f"I got {food} for him", f"only {food} and bread",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"the {thing.noun} eats {food} .")


def how_many(draw: Random, scene: str, thing: Thing) -> Exchange:
    if not thing.countable:
        return where(draw, scene, thing)
    nouns, number = plural(thing.noun), thing.number
    prompts = [
        f"how many {nouns} are there ?", f"how many {nouns} do you have ?", f"can you count the {nouns} ?",
        f"how many {nouns} can you see ?", f"count these {nouns} for me .",
    ]  # fmt: skip
    upto = " ".join(NUMBERS[: NUMBERS.index(number) + 1][-3:])
    replies = [
        number, f"{number} of them", f"I see {number}", f"there's {number}", upto, f"just {number}",
        f"{number} big ones", f"only {number} I think",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"there are {number} {nouns} .")


def whose(draw: Random, scene: str, thing: Thing) -> Exchange:
    if thing.animal:
        return where(draw, scene, thing)
    noun, owner = thing.noun, thing.owner
    prompts = [
        f"whose {noun} is this ?", f"whose {noun} is that ?", f"who does this {noun} belong to ?",
        f"who owns the {noun} ?", f"did somebody lose {article(noun)} {noun} ?",
    ]  # fmt: skip
    if owner == "me":
        replies = [
            "mine", "mine !", "it's mine", "that one's mine", "me", "I got it", "give it back please",
            "my own one",
        ]  # fmt: skip
        return exchange(draw, prompts, replies, f"yes it's your {noun} .")
    replies = [
        f"{owner}'s", f"it's {owner}'s", f"{owner}", f"{owner} has it", f"I think {owner}'s", f"{owner}'s one",
        f"give it to {owner}", f"{owner} bought it for us",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"that's right it's {owner}'s {noun} .")


def like(draw: Random, scene: str, thing: Thing) -> Exchange:
    name, quality = _name(draw, thing), thing.like
    prompts = [
        f"what's {name} like ?", f"how does {name} feel ?", f"tell me about {name} .", f"do you like {name} ?",
        f"look at {name} .", f"have you touched {name} ?",
    ]  # fmt: skip
    replies = [
        quality, f"so {quality}", f"it's {quality}", f"very {quality}", f"too {quality}", f"it's very {quality}",
        f"{quality} and {thing.colour}", f"I think it's {quality}", f"yes cause it's so {quality}",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"it's {article(quality)} {quality} {thing.noun} .")


def name_it(draw: Random, scene: str, thing: Thing) -> Exchange:
    noun = thing.noun
    clues = [
        f"what's that {thing.colour} thing {thing.preposition} the {thing.place} ?",
        f"what is {thing.preposition} the {thing.place} ?", f"what's so {thing.like} ?",
        f"I see something {thing.like} and {thing.colour} .",
    ]  # fmt: skip
    if thing.animal:
        clues += [
            f"who says {thing.sound} ?", f"which animal eats {thing.food} ?", f"who's {thing.doing} over there ?",
        ]  # fmt: skip
    else:
        clues += [f"what do we need to {thing.use} ?", f"what do you use to {thing.use} ?"]
    a = article(noun)
    replies = [
        noun, f"{a} {noun}", f"my {noun}", f"it's {a} {noun}", f"{noun} !", f"that's {a} {noun}",
        f"I think {a} {noun}", f"{noun} there", f"I can see {a} {noun}", f"{a} {noun} ?",
    ]  # fmt: skip
    return exchange(draw, clues, replies, f"it's {a} {noun} .")


def wanted(draw: Random, scene: str, thing: Thing) -> Exchange:
    other = draw.choice([t for t in WORLD if t.scene == scene and t.noun != thing.noun])
    name, use = _name(draw, thing), other.use or f"feed {other.noun}"
    prompts = [
        f"do you want {name} ?", f"would you like {name} ?", f"shall I get {name} ?", f"here's {name} .",
        f"shall we look for {name} ?",
    ]  # fmt: skip
    replies = [
        f"no {other.noun}", f"{other.noun}", f"no {other.colour} {other.noun}", f"I need {other.noun}",
        f"no I'll {use}", f"{other.noun} please", "not now", "yes please", f"it's too {thing.like}",
        f"no give me {article(other.noun)} {other.noun}", f"can I {use} ?", f"I have {other.noun} already",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"okay you can have the {other.noun} .")


def which(draw: Random, scene: str, thing: Thing) -> Exchange:
    other = draw.choice([t for t in WORLD if t.scene == scene and t.noun != thing.noun])
    prompts = [
        f"do you want the {thing.noun} or the {other.noun} ?",
        f"which is better the {thing.noun} or the {other.noun} ?",
        f"shall we take the {thing.noun} or the {other.noun} ?",
    ]  # fmt: skip
    replies = [
        "both", "that one", f"{thing.colour} one", f"{thing.like} one", f"{article(thing.like)} {thing.like} one",
        "both of them", "neither", f"this {thing.colour} one", f"I like {thing.colour} things",
        f"{thing.colour} one please",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"you can have the {thing.colour} {thing.noun} .")


def is_it(draw: Random, scene: str, thing: Thing) -> Exchange:
    name = _name(draw, thing)
    wrong = draw.choice(
        [t for t in WORLD if t.colour != thing.colour and t.like != thing.like and t.place != thing.place]
    )
    form = draw.randrange(3)
    if form == 0:
        right, claims = thing.colour, [thing.colour, wrong.colour]
    elif form == 1:
        right, claims = thing.like, [thing.like, wrong.like]
    else:
        right = f"{thing.preposition} {thing.place}"
        claims = [
            f"{p} the {place}" for p, place in ((thing.preposition, thing.place), (wrong.preposition, wrong.place))
        ]
    told = draw.randrange(2)
    prompts = [
        f"is {name} {claims[told]} ?", f"{name} is {claims[told]} isn't it ?",
        f"I think {name} is {claims[told]} .",
    ]  # fmt: skip
    if told == 0:
        replies = ["yes", "it is", "yeah it is", "yes it's so", "yup", "that's right"]
    else:
        replies = [
            f"no {right}", f"it's {right}", f"no silly it's {right}", "not at all", f"no it's {right}", right,
        ]  # fmt: skip
    return exchange(draw, prompts, replies, f"the {thing.noun} is {thing.preposition} the {thing.place} .")


def describe(draw: Random, scene: str, thing: Thing) -> Exchange:
    """An adult statement in full grammar; the child adds another fact of the thing."""
    noun, there = thing.noun, f"{thing.preposition} the {thing.place}"
    prompts = [
        f"this {noun} is {thing.like} .", f"that {noun} is {thing.colour} .", f"there is the {noun} .",
        f"I saw {article(thing.like)} {thing.like} {noun} .", f"I have seen that {noun} before .",
        f"somebody took the {noun} .", f"the {thing.colour} {noun} fell down .", f"the {noun} has broken .",
    ]  # fmt: skip
    if thing.countable:
        nouns = plural(noun)
        prompts += [
            f"these {nouns} are {thing.like} .", f"those {nouns} are {thing.colour} .",
            f"the {nouns} are {there} .", f"we have {thing.number} {nouns} .", f"there are many {nouns} {there} .",
            f"he gave me {article(noun)} {noun} .", f"the {nouns} were {thing.like} yesterday .",
        ]  # fmt: skip
    replies = [
        f"{thing.preposition} {thing.place}", thing.colour, thing.like, f"so {thing.like}", "where ?",
        "can I see ?",
    ]  # fmt: skip
    if thing.animal:
        prompts += [
            f"the {noun} eats {thing.food} .", f"the {plural(noun)} eat {thing.food} .",
            f"the {noun} is {thing.doing} .",
        ]  # fmt: skip
        replies += [
            thing.sound, f"{thing.sound} {thing.sound}", f"it's {thing.doing}", f"feed him {thing.food}",
            f"it wants some {thing.food}", "can I stroke him ?", f"{thing.doing} and {thing.doing}",
        ]  # fmt: skip
    else:
        owner = "mine" if thing.owner == "me" else f"{thing.owner}'s"
        replies += [
            thing.use, f"I want to {thing.use}", f"let me {thing.use}", f"it's {owner}", owner,
            f"can I {thing.use} ?",
        ]  # fmt: skip
    return exchange(draw, prompts, replies, f"yes it's {there} .")
