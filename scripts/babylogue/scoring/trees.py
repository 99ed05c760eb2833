"""Strings that share a beginning, packed as one row: [prefix][branch 1][branch 2] ... (tree attention).

A branch sees the prefix and itself, and its positions go on from the prefix, so every token gets the same
prediction as in its own string, while the prefix is computed once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

ANY_WORD = -1  # as a target: any token that begins a word


@dataclass(frozen=True, slots=True)
class Tokens:
    """One tokenised string: its ids and the indices (ascending, none 0) of its scored tokens."""

    ids: list[int]
    scored: list[int]


@dataclass(frozen=True, slots=True)
class Row:
    """One packed row of `length` input tokens and `n` predictions to read from it, in lists, as rows are short.

    `ids`, `branch` (0 = prefix, j = branch j), `positions`: [length]; `queries` (index in the row whose output
    predicts), `targets` (token predicted, or ANY_WORD), `owners` (which string it belongs to): [n].
    """

    ids: list[int]
    branch: list[int]
    positions: list[int]
    queries: list[int]
    targets: list[int]
    owners: list[int]

    def __len__(self) -> int:
        return len(self.ids)


def common_prefix(sequences: Sequence[Sequence[int]]) -> int:
    """How many leading tokens all sequences share."""
    first, *others = sequences
    shared = min(map(len, sequences))
    for other in others:
        shared = next((index for index in range(shared) if first[index] != other[index]), shared)
    return shared


def pack(strings: Sequence[Tokens], *, word_after: bool = False) -> Row | None:
    """Pack the strings of one item; None if none of them has a scored token.

    A string is fed up to the token before its last scored one: what comes later predicts nothing that is asked.
    With `word_after` it is fed up to its last scored token, and ANY_WORD is asked for after that. Strings that are
    fed alike share a branch, so that equal candidates tie to the last bit.
    """
    live = [(owner, string) for owner, string in enumerate(strings) if string.scored]
    if not live:
        return None
    inputs = [string.ids[: string.scored[-1] + word_after] for _, string in live]
    shared = common_prefix(inputs)
    ids, branch, positions = inputs[0][:shared], [0] * shared, list(range(shared))
    queries, targets, owners = [], [], []
    moves = {}  # tokens fed -> from a place in the string to its place in the row, beyond the prefix
    for (owner, string), tokens in zip(live, inputs, strict=True):
        own = tuple(tokens[shared:])
        if own not in moves:
            moves[own] = len(ids) - shared
            ids += own
            branch += [len(moves)] * len(own)
            positions += range(shared, len(tokens))
        moved = moves[own]
        before = [place - 1 for place in string.scored]
        targets += [string.ids[place] for place in string.scored]
        if word_after:
            before.append(string.scored[-1])
            targets.append(ANY_WORD)
        queries += [place if place < shared else place + moved for place in before]
        owners += [owner] * len(before)
    return Row(ids, branch, positions, queries, targets, owners)


def rows_apart(strings: Sequence[Tokens], *, word_after: bool = False) -> list[Row]:
    """The strings of one item in a row each, those that are fed alike in one, as `pack` has them."""
    alike: dict[tuple[int, ...], set[int]] = {}
    for owner, string in enumerate(strings):
        if string.scored:
            alike.setdefault(tuple(string.ids[: string.scored[-1] + word_after]), set()).add(owner)
    unscored = Tokens([], [])
    rows = []
    for owners in alike.values():
        own = [string if owner in owners else unscored for owner, string in enumerate(strings)]
        rows.append(pack(own, word_after=word_after))
    return rows


def stretches(sizes: Sequence[int], most: int) -> Iterator[slice]:
    """Consecutive stretches of items whose sizes sum to `most` at most; a larger item comes alone."""
    start = total = 0
    for index, size in enumerate(sizes):
        if total + size > most and index > start:
            yield slice(start, index)
            start, total = index, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))


def batches(lengths: Sequence[int], budget: int) -> Iterator[np.ndarray]:
    """Indices in batches of similar length, longest first, each at most `budget` tokens with padding.

    A row longer than the budget comes alone. The longest come first so that a shortage of memory shows at once.
    """
    lengths = np.asarray(lengths)
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, budget // int(lengths[order[start]]))
        yield order[start : start + size]
        start += size
