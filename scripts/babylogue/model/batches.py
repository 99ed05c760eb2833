"""Texts packed into rows of fixed length, whole, without attention from one text to another."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch

from .tokens import TokenisedTexts

_SHUFFLE_BUFFER = 1024


@dataclass(frozen=True)
class Batch:
    """Packed rows; R rows of T tokens."""

    input_ids: torch.Tensor  # (R, T)
    position_ids: torch.Tensor  # (R, T), from 0 in every text
    texts: torch.Tensor  # (R, T), which text of the batch a token is of; -1 padding
    predicts: (
        torch.Tensor
    )  # (P,), ascending, in the rows end to end: the tokens that another of their text follows
    words: int
    tokens: int
    predicted: int  # tokens that follow another of their text; of the whole batch, also in a share of it

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device; on a GPU without waiting for what it still has to do."""
        tensors = (self.input_ids, self.position_ids, self.texts, self.predicts)
        if device.type == "cuda":
            tensors = (own.pin_memory() for own in tensors)
        return replace(self, **_named(own.to(device, non_blocking=True) for own in tensors))

    def share(self, number: int, of: int) -> "Batch":
        """Every `of`-th row from row `number` on; where there is none a row of padding, since models want one."""
        if number >= len(self.texts):
            padding = torch.full_like(self.texts[:1], -1)
            return replace(self, **_named((self.input_ids[:1], self.position_ids[:1], padding, self.predicts[:0])))
        length = self.texts.shape[1]
        row, column = self.predicts // length, self.predicts % length
        own = (row - number) % of == 0
        predicts = ((row - number) // of * length + column)[own]
        rows = (tensor[number::of] for tensor in (self.input_ids, self.position_ids, self.texts))
        return replace(self, **_named((*rows, predicts)))

    def attention_mask(self) -> torch.Tensor:
        """(R, 1, T, T) bool: causal, within one text."""
        length = self.input_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=self.texts.device).tril()
        return ((self.texts[:, :, None] == self.texts[:, None, :]) & causal)[:, None]

    def targets(self) -> torch.Tensor:
        """The tokens that follow those at `predicts`, (P,)."""
        return self.input_ids.flatten()[self.predicts + 1]


def _named(tensors: Iterable[torch.Tensor]) -> dict[str, torch.Tensor]:
    return dict(zip(("input_ids", "position_ids", "texts", "predicts"), tensors, strict=True))


def pack(lengths: np.ndarray, capacity: int) -> list[list[int]]:
    """First-fit decreasing: rows of indices whose lengths add up to at most `capacity`."""
    rows: list[list[int]] = []
    room = np.full(len(lengths), capacity)
    for index in np.argsort(-lengths, kind="stable").tolist():
        need = lengths[index]
        row = int(np.argmax(room >= need))  # the first with room enough; a new one has it always
        if row == len(rows):
            rows.append([])
        rows[row].append(index)
        room[row] -= need
    return rows


def epoch_batches(
    texts: TokenisedTexts, *, row_tokens: int, batch_rows: int, pad: int, order: np.ndarray, skip: int = 0
) -> Iterator[Batch]:
    """Batches of one pass over the texts in `order`, all but the first `skip`; the last may have fewer rows.

    Texts are packed within a buffer of the order, so rows mix texts of all lengths and little is padded. Of a text
    of more than `row_tokens` tokens the first so many are taken.
    """
    for rows in islice(_batches_of_rows(texts, row_tokens, batch_rows, order), skip, None):
        yield _batch(texts, rows, row_tokens, pad)


def _batches_of_rows(
    texts: TokenisedTexts, row_tokens: int, batch_rows: int, order: np.ndarray
) -> Iterator[list[list[int]]]:
    rows: list[list[int]] = []
    for start in range(0, len(order), _SHUFFLE_BUFFER):
        buffer = order[start : start + _SHUFFLE_BUFFER]
        packed = pack(_lengths(texts, buffer, row_tokens), row_tokens)
        # Packing sorts by length; the rows' order must not tell the lengths.
        shuffle = np.random.default_rng(int(buffer[0])).permutation(len(packed))
        rows.extend(buffer[packed[index]].tolist() for index in shuffle)
        while len(rows) >= batch_rows:
            yield rows[:batch_rows]
            rows = rows[batch_rows:]
    if rows:
        yield rows


def _lengths(texts: TokenisedTexts, which: np.ndarray, row_tokens: int) -> np.ndarray:
    return np.minimum(texts.starts[which + 1] - texts.starts[which], row_tokens)


def _batch(texts: TokenisedTexts, rows: list[list[int]], row_tokens: int, pad: int) -> Batch:
    which = np.concatenate([np.asarray(row) for row in rows])  # [texts of the batch]
    lengths = _lengths(texts, which, row_tokens)
    begins = np.cumsum(lengths) - lengths  # of each text among the batch's tokens
    owner = np.repeat(np.arange(len(which)), lengths)  # [tokens]
    position = np.arange(len(owner)) - begins[owner]
    # Each row's first text begins where the row does.
    number = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    first = np.searchsorted(number, number)
    at = (number * row_tokens + begins - begins[first])[owner] + position
    flat = np.full((3, len(rows) * row_tokens), [[pad], [0], [-1]], dtype=np.int64)
    flat[:, at] = texts.tokens[texts.starts[which][owner] + position], position, owner
    input_ids, positions, owners = torch.from_numpy(flat.reshape(3, len(rows), row_tokens))
    return Batch(
        input_ids,
        positions,
        owners,
        torch.from_numpy(at[position < lengths[owner] - 1]),
        words=int(texts.words[which].sum()),
        tokens=len(owner),
        predicted=len(owner) - len(which),
    )
