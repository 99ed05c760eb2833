"""How many subword tokens a text has."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tokenizers import Tokenizer


def token_counter(folder: str) -> Callable[[Sequence[str]], list[int]]:
    """A function from texts to the subword tokens of each, special ones apart, by the tokenizer in a folder.

    The file is read as it stands, without transformers, which takes seconds to load.
    """
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))

    def count(texts: Sequence[str]) -> list[int]:
        return [len(text.ids) for text in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    return count
