"""Strings that share a beginning, packed as one row: [prefix][branch 1][branch 2] ... (tree attention).

A branch sees the prefix and itself, and its positions go on from the prefix, so every token gets the same
prediction as in its own string, while the prefix is computed once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Tokens:
    """One tokenised string: `ids` [length] and the indices (ascending, none 0) of its scored tokens."""

    ids: np.ndarray
    scored: np.ndarray


@dataclass(frozen=True, slots=True)
class Row:
    """One packed row of `length` input tokens and `n` predictions to read from it.

    `ids`, `branch` (0 = prefix, j = branch j), `positions`: [length]; `queries` (index in the row whose output
    predicts), `targets` (token predicted), `owners` (which string it belongs to): [n].
    """

    ids: np.ndarray
    branch: np.ndarray
    positions: np.ndarray
    queries: np.ndarray
    targets: np.ndarray
    owners: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def common_prefix(sequences: Sequence[np.ndarray]) -> int:
    """How many leading tokens all sequences share."""
    length = min(len(sequence) for sequence in sequences)
    if len(sequences) == 1 or length == 0:
        return length
    stacked = np.stack([sequence[:length] for sequence in sequences])
    differs = (stacked != stacked[0]).any(axis=0)
    return int(differs.argmax()) if differs.any() else length


def pack(strings: Sequence[Tokens]) -> Row | None:
    """Pack the strings of one item; None if none of them has a scored token.

    A string is fed up to the token before its last scored one: what comes later predicts nothing that is asked.
    """
    live = [(owner, string) for owner, string in enumerate(strings) if len(string.scored)]
    if not live:
        return None
    inputs = [string.ids[: string.scored[-1]] for _, string in live]
    shared = common_prefix(inputs)
    ids, branch, positions = [inputs[0][:shared]], [np.zeros(shared, np.int64)], [np.arange(shared)]
    queries, targets, owners = [], [], []
    start = shared
    for number, ((owner, string), tokens) in enumerate(zip(live, inputs, strict=True), start=1):
        own = len(tokens) - shared
        ids.append(tokens[shared:])
        branch.append(np.full(own, number))
        positions.append(np.arange(shared, len(tokens)))
        before = string.scored - 1
        queries.append(np.where(before < shared, before, before - shared + start))
        targets.append(string.ids[string.scored])
        owners.append(np.full(len(before), owner))
        start += own
    return Row(*(np.concatenate(part) for part in (ids, branch, positions, queries, targets, owners)))


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
