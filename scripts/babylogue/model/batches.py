"""Texts packed into rows of fixed length, whole, without attention from one text to another."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

_SHUFFLE_BUFFER = 1024


@dataclass(frozen=True)
class TokenisedTexts:
    """Texts as one array of token ids, `<s> ... </s>` each."""

    tokens: np.ndarray  # (all tokens,) int32
    starts: np.ndarray  # (texts + 1,) int64; text i is tokens[starts[i]:starts[i + 1]]
    words: np.ndarray  # (texts,) int64, lexical words

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True)
class Batch:
    """Packed rows; R rows of T tokens."""

    input_ids: torch.Tensor  # (R, T)
    position_ids: torch.Tensor  # (R, T), from 0 in every text
    texts: torch.Tensor  # (R, T), which text of the row a token is of; -1 padding
    words: int

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device."""
        return Batch(self.input_ids.to(device), self.position_ids.to(device), self.texts.to(device), self.words)

    def attention_mask(self) -> torch.Tensor:
        """(R, 1, T, T) bool: causal, within one text."""
        length = self.input_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=self.texts.device).tril()
        return ((self.texts[:, :, None] == self.texts[:, None, :]) & causal)[:, None]

    def targets(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Positions (R, T) bool whose next token is of the same text, and those next tokens (targets,)."""
        predicts = torch.zeros_like(self.texts, dtype=torch.bool)
        predicts[:, :-1] = (self.texts[:, 1:] == self.texts[:, :-1]) & (self.texts[:, 1:] >= 0)
        return predicts, self.input_ids[:, 1:][predicts[:, :-1]]


def tokenise(texts: list[str], words: list[int], tokenizer, max_tokens: int) -> TokenisedTexts:
    """Encode texts once; what a text has beyond `max_tokens` (BOS and EOS included) is cut off."""
    encoded = tokenizer(texts, truncation=True, max_length=max_tokens - 1)["input_ids"] if texts else []
    lengths = np.array([len(ids) + 1 for ids in encoded], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.empty(starts[-1], dtype=np.int32)
    for ids, start in zip(encoded, starts[:-1], strict=True):
        tokens[start : start + len(ids)] = ids
        tokens[start + len(ids)] = tokenizer.eos_token_id
    return TokenisedTexts(tokens, starts, np.asarray(words, dtype=np.int64))


def pack(lengths: np.ndarray, capacity: int) -> list[list[int]]:
    """First-fit decreasing: rows of indices whose lengths add up to at most `capacity`."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in np.argsort(-lengths, kind="stable"):
        need = lengths[index]
        row = next((row for row, free in enumerate(room) if free >= need), None)
        if row is None:
            rows.append([])
            room.append(capacity)
            row = len(rows) - 1
        rows[row].append(int(index))
        room[row] -= need
    return rows


def _batch(texts: TokenisedTexts, rows: list[list[int]], row_tokens: int, pad: int) -> Batch:
    input_ids = np.full((len(rows), row_tokens), pad, dtype=np.int64)
    positions = np.zeros((len(rows), row_tokens), dtype=np.int64)
    owner = np.full((len(rows), row_tokens), -1, dtype=np.int64)
    for number, row in enumerate(rows):
        at = 0
        for which, index in enumerate(row):
            ids = texts.tokens[texts.starts[index] : texts.starts[index + 1]]
            here = slice(at, at + len(ids))
            input_ids[number, here], positions[number, here], owner[number, here] = ids, np.arange(len(ids)), which
            at += len(ids)
    words = int(sum(texts.words[index] for row in rows for index in row))
    return Batch(torch.from_numpy(input_ids), torch.from_numpy(positions), torch.from_numpy(owner), words)


def epoch_batches(
    texts: TokenisedTexts, *, row_tokens: int, batch_rows: int, pad: int, order: np.ndarray
) -> Iterator[Batch]:
    """Batches of one pass over the texts in `order`; the last may have fewer rows.

    Texts are packed within a buffer of the order, so rows mix texts of all lengths and little is padded.
    """
    lengths = np.diff(texts.starts)
    rows: list[list[int]] = []
    for start in range(0, len(order), _SHUFFLE_BUFFER):
        buffer = order[start : start + _SHUFFLE_BUFFER]
        packed = [[int(buffer[index]) for index in row] for row in pack(lengths[buffer], row_tokens)]
        # Packing sorts by length; the rows' order must not tell the lengths.
        shuffle = np.random.default_rng(int(buffer[0])).permutation(len(packed))
        rows.extend(packed[index] for index in shuffle)
        while len(rows) >= batch_rows:
            yield _batch(texts, rows[:batch_rows], row_tokens, pad)
            rows = rows[batch_rows:]
    if rows:
        yield _batch(texts, rows, row_tokens, pad)
