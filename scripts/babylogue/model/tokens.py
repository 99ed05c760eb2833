"""Texts as token ids on disk, encoded once and mapped into memory, so that memory does not grow with the corpus.

A folder holds tokens.bin, the ids of all texts one after the other, `<s> ... </s>` each (int32, little-endian),
and texts.parquet, one row a text in its order: tokens, words (int32).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TOKENS, TEXTS = "tokens.bin", "texts.parquet"
_DTYPE = np.dtype("<i4")
_SCHEMA = pa.schema([("tokens", pa.int32()), ("words", pa.int32())])


@dataclass(frozen=True)
class TokenisedTexts:
    """Texts as one array of token ids."""

    tokens: np.ndarray  # [tokens] int32
    starts: np.ndarray  # [texts + 1] int64; text i is tokens[starts[i]:starts[i + 1]]
    words: np.ndarray  # [texts] int32, lexical words

    def __len__(self) -> int:
        return len(self.words)


def write_tokens(
    folder: Path, pieces: Iterable[tuple[Sequence[str], Sequence[int]]], tokenizer, end: int
) -> dict[str, int]:
    """Encode texts piece by piece into a new folder.

    Args:
        pieces: texts and the lexical words of each; one piece is in memory at a time.
        tokenizer: a `tokenizers.Tokenizer` that puts `<s>` before a text.
        end: the id of `</s>`.

    Returns:
        texts, tokens, words: how many there are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"texts": 0, "tokens": 0, "words": 0}
    with (folder / TOKENS).open("wb") as ids, pq.ParquetWriter(folder / TEXTS, _SCHEMA) as table:
        for texts, words in pieces:
            encoded = [[*encoding.ids, end] for encoding in tokenizer.encode_batch_fast(list(texts))]
            lengths = [len(own) for own in encoded]
            ids.write(np.fromiter((token for own in encoded for token in own), _DTYPE, sum(lengths)).tobytes())
            table.write_table(pa.table([lengths, list(words)], schema=_SCHEMA))
            counts["texts"] += len(encoded)
            counts["tokens"] += sum(lengths)
            counts["words"] += sum(words)
    return counts


def read_tokens(folder: Path) -> TokenisedTexts:
    """The texts of a folder; their ids stay on disk until they are used."""
    texts = pq.read_table(Path(folder) / TEXTS)
    starts = np.concatenate([[0], np.cumsum(texts["tokens"].to_numpy(), dtype=np.int64)])
    # An empty file cannot be mapped.
    tokens = np.memmap(Path(folder) / TOKENS, _DTYPE, "r") if starts[-1] else np.empty(0, _DTYPE)
    return TokenisedTexts(tokens, starts, texts["words"].to_numpy())
