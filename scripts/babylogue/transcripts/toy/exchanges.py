"""What a caregiver can say about people and what they do in the toy transcripts, and the table of kinds.

As in `questions`, each kind of exchange is a function of the draw, the scene and one of its things.
"""

from random import Random

from . import questions as about
from .lexicon import FEMALE, MALE, Thing, verb_forms
from .questions import Exchange, Kind, exchange
from .scenes import SCENE_ACTIVITIES, SCENE_REMARKS, Activity


def subject(person: str) -> str:
    """A person as the subject of a sentence: mommy, the farmer."""
    return f"the {person}" if person in ("doctor", "driver", "farmer", "keeper", "teacher", "baker") else person


def activity_phrase(activity: Activity, form: int) -> str:
    """The activity with its verb in a form of `verb_forms`: 0 cooks, 1 cooking, 2 cooked (past), 3 cooked."""
    return f"{verb_forms(activity.verb)[form]} {activity.rest}"


def who_does(draw: Random, scene: str, thing: Thing) -> Exchange:
    act = draw.choice(SCENE_ACTIVITIES[scene])
    who = act.who
    prompts = [
        f"who is {activity_phrase(act, 1)} ?", f"who {activity_phrase(act, 0)} ?",
        f"who {activity_phrase(act, 2)} ?", f"who's going to {act.verb} {act.rest} ?",
        f"do you know who {activity_phrase(act, 0)} {act.when} ?",
    ]  # fmt: skip
    replies = [
        who, f"{who} did", f"I think {who}", f"it's {who}", f"{who} and me", f"{who} can", f"maybe {who}",
        f"{who} does that every time",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"yes {subject(who)} {activity_phrase(act, 0)} .")


def why_does(draw: Random, scene: str, thing: Thing) -> Exchange:
    act = draw.choice(SCENE_ACTIVITIES[scene])
    who = subject(act.who)
    prompts = [
        f"why is {who} {activity_phrase(act, 1)} ?", f"why does {who} {act.verb} {act.rest} ?",
        f"why did {who} {act.verb} {act.rest} ?", f"{who} is {activity_phrase(act, 1)} .",
        f"{who} {activity_phrase(act, 2)} yesterday .",
    ]  # fmt: skip
    replies = [
        act.reason, f"because {act.reason}", f"cause {act.reason}", f"cause {act.reason} now",
        act.reason.split()[-1], " ".join(act.reason.split()[-2:]),
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"yes because {act.reason} .")


def when_does(draw: Random, scene: str, thing: Thing) -> Exchange:
    act = draw.choice(SCENE_ACTIVITIES[scene])
    who = subject(act.who)
    prompts = [
        f"when does {who} {act.verb} {act.rest} ?", f"when will {who} {act.verb} {act.rest} ?",
        f"when did {who} {act.verb} {act.rest} ?", f"when can we {act.verb} {act.rest} ?",
    ]  # fmt: skip
    replies = [act.when, act.when.split()[-1], f"{act.when} I think", f"maybe {act.when}", f"not today {act.when}"]
    return exchange(draw, prompts, replies, f"{who} {activity_phrase(act, 0)} {act.when} .")


def person_doing(draw: Random, scene: str, thing: Thing) -> Exchange:
    act = draw.choice(SCENE_ACTIVITIES[scene])
    who, doing = subject(act.who), activity_phrase(act, 1)
    pronoun = {True: "she", False: "he"}[act.who in FEMALE] if act.who in FEMALE + MALE else "they"
    prompts = [
        f"what is {who} doing ?", f"what's {who} doing {act.when} ?", f"what does {who} do {act.when} ?",
        f"what has {who} done ?", f"where's {who} ?",
    ]  # fmt: skip
    replies = [
        doing, f"{pronoun}'s {doing}", verb_forms(act.verb)[1], f"{doing} again", f"always {doing}",
        f"{doing} cause {act.reason}", f"{act.verb} {act.rest}",
    ]  # fmt: skip
    return exchange(draw, prompts, replies, f"{who} is {doing} .")


def remark(draw: Random, scene: str, thing: Thing) -> Exchange:
    said, replies = draw.choice(SCENE_REMARKS[scene])
    return exchange(
        draw, [said], replies, draw.choice(("well never mind .", "we'll see about that .", "is that so ?"))
    )


def pronouns(draw: Random, scene: str, thing: Thing) -> Exchange:
    """Adult talk about people with pronouns, reflexives and the perfect; the child comes back to the activity."""
    act = draw.choice([a for a in SCENE_ACTIVITIES[scene] if a.who in FEMALE + MALE])
    who, girl = subject(act.who), act.who in FEMALE
    he, him, his = ("she", "her", "her") if girl else ("he", "him", "his")
    prompts = [
        f"{who} hurt {him}self .", f"{who} saw {him}self in the mirror .",
        f"{he} has {activity_phrase(act, 3)} by {him}self .", f"can you give it to {him} ?",
        f"{he} lost {his} {thing.noun} .", f"{he} gave {him} the {thing.noun} .", f"have they seen {him} ?",
        f"{he} told them to {act.verb} {act.rest} .", f"ask {him} to help us .",
        f"{who} and I like to {act.verb} {act.rest} .", f"did {he} {act.verb} {act.rest} ?",
        "they dressed themselves .", f"we {activity_phrase(act, 2)} by ourselves .",
        f"has {who} {activity_phrase(act, 3)} ?", f"I showed {him} to them .",
    ]  # fmt: skip
    prompt = draw.choice(prompts)
    if "self" in prompt and ("hurt" in prompt or "mirror" in prompt):
        replies = ["ouch", "oh no", "kiss better", "get a bandage", "is it bleeding ?", "poor thing"]
    elif thing.noun in prompt.split():
        replies = [
            f"{thing.preposition} {thing.place}", f"I found it {thing.preposition} there", f"{thing.colour} one",
            thing.like, f"look {thing.preposition} {thing.place}",
        ]  # fmt: skip
    else:
        replies = [
            act.reason, act.when, f"yes {act.when}", f"cause {act.reason}", "me too", "can I help ?",
            f"only {act.when}",
        ]  # fmt: skip
    return exchange(draw, [prompt], replies, f"{who} {activity_phrase(act, 2)} {act.when} .")


def plan(draw: Random, scene: str, thing: Thing) -> Exchange:
    """A long adult utterance of several clauses; the child takes up what can be done with the thing."""
    act = draw.choice(SCENE_ACTIVITIES[scene])
    who, there = subject(act.who), f"{thing.preposition} the {thing.place}"
    prompts = [
        f"after we have {activity_phrase(act, 3)} we can look for the {thing.noun} that you left there .",
        f"if you are very good then {who} will show you the {thing.noun} when we get home .",
        f"yesterday {who} {activity_phrase(act, 2)} and then we all went to see the {thing.noun} didn't we ?",
        f"I don't think {who} can {act.verb} {act.rest} until somebody has found the {thing.noun} .",
        f"we should ask {who} about the {thing.noun} before we do anything else today shouldn't we ?",
    ]  # fmt: skip
    replies = [f"it's {thing.like}", there, f"so {thing.like}", f"{thing.colour} one", f"{act.when} please"]
    if thing.animal:
        replies += [f"it says {thing.sound}", thing.sound, f"with some {thing.food}", f"still {thing.doing}"]
    else:
        replies += [f"want to {thing.use}", thing.use, f"so I {thing.use}", f"let me {thing.use} now"]
    return exchange(draw, prompts, replies, f"the {thing.noun} is {there} as always .")


KINDS: dict[Kind, int] = {
    about.where: 14, about.what_colour: 8, about.what_for: 9, about.what_doing: 6, about.what_says: 5,
    about.what_eats: 5, about.how_many: 7, about.whose: 5, about.like: 7, about.name_it: 14, about.wanted: 6,
    about.which: 4, about.is_it: 6, who_does: 8, why_does: 8, when_does: 6, person_doing: 5, remark: 9,
    about.describe: 14, pronouns: 10, plan: 8,
}  # fmt: skip
"""Each kind of exchange and how often it comes."""
