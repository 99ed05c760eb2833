"""What the teacher reads and how its replies are read: the few-shot prompt and the two forms of a reply.

The teacher is prompted as a plain language model with two examples of a mother and a child talking, and its
reply ends at the end of the line or of the first sentence (Padovani et al. 2025, section 3.2).
"""

import re

from ..dialogue import CHILD, read_turns, words

HEADING = "A mother is talking with her two year old child.\n"
EXAMPLES = (
    ("where did the red cup go?", "under the big chair."),
    ("shall we feed the ducks now?", "yeah, I got some bread."),
)
FEW_SHOT = HEADING + "".join(f"Mother: {mother}\nChild: {child}\n" for mother, child in EXAMPLES)
"""What stands before every prompt: a heading and two examples, ending in a newline."""

_STOP = re.compile(r"\n|Mother:|Child:")
_SENTENCE = re.compile(r"[^.?!]*[.?!]")
_FIRST_PERSON = re.compile(r"i('(m|ll|ve|d|s))?")


def plain(turn: str) -> str:
    """A CHAT turn as ordinary text: `where's the choo_choo ?` -> `where's the choo choo?`."""
    return re.sub(r"\s+([.?!,;:])", r"\1", turn.replace("_", " ")).strip()


def lines(prompt: str) -> str:
    """A prompt's turns as lines up to the child's: `*MOT: what is that ?` -> `Mother: what is that?` and `Child:`.

    Every speaker but the child is called Mother, as in the paper. A text without a tag is read as one turn.
    """
    turns = read_turns(prompt) or [("MOT", prompt)]
    named = (f"{'Child' if speaker == CHILD else 'Mother'}: {plain(turn)}\n" for speaker, turn in turns)
    return "".join(named) + "Child:"


def reply_line(reply: str) -> str:
    """What follows a prompt's lines where the reply is the child's: ` the choo choo.` and the end of line."""
    text = plain(reply)
    return f" {text}\n" if text else "\n"


def encoded_exchange(tokenizer, prompt: str, reply: str) -> tuple[list[int], int]:
    """Token ids of a prompt's lines and a reply's line, and how many of them are the reply's."""
    before = lines(prompt)
    encoded = tokenizer(before + reply_line(reply), add_special_tokens=False, return_offsets_mapping=True)
    return encoded.input_ids, sum(end > len(before) for _, end in encoded.offset_mapping)


def one_turn(text: str) -> str:
    """A continuation cut to one turn: up to a newline or a speaker's name, and to the first sentence's end."""
    turn = _STOP.split(text.lstrip(" "), maxsplit=1)[0]
    sentence = _SENTENCE.match(turn)
    return " ".join((sentence.group() if sentence else turn).split())


def clean_reply(text: str) -> str:
    """A continuation as the paper published it: one turn, lower-cased (`Ball. What's that?` -> `ball.`)."""
    return one_turn(text).lower()


def chat_form(reply: str) -> str:
    """A reply in CHAT form: lower-cased words except I, no punctuation but one spaced terminator.

    Its terminator is the reply's own (`.` where it has none). A reply without words gives the empty string.
    """
    turn = one_turn(reply).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    end = turn[-1:] if turn[-1:] in ("?", "!") else "."
    pieces = re.sub(r"[^\w'-]|_", " ", turn).split()
    kept = [word for piece in pieces if (word := piece.strip("'-"))]
    kept = ["I" + word[1:] if _FIRST_PERSON.fullmatch(word) else word for word in kept]
    return " ".join([*kept, end]) if words(" ".join(kept)) else ""
