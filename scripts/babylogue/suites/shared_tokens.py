"""Which dialogue pairs give something away by repetition: a reply that shares a token with its prompt."""

from ..dialogue import read_turns


def tokens(text: str) -> list[str]:
    """Case-folded tokens of one or more written turns: words and terminators, without speaker tags."""
    turns = read_turns(text)
    return " ".join(turn for _, turn in turns).casefold().split() if turns else text.casefold().split()


def share_token(prompt: str, reply: str) -> bool:
    """Whether a reply has any token of the prompt, the terminator included."""
    return not set(tokens(prompt)).isdisjoint(tokens(reply))
