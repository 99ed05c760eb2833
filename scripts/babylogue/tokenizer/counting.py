"""How many subword tokens a text has."""

from collections.abc import Callable, Sequence


def token_counter(folder: str) -> Callable[[Sequence[str]], list[int]]:
    """A function from texts to the subword tokens of each, special ones apart, by the tokenizer in a folder."""
    from .loading import load_tokenizer  # transformers is slow to load; most pair sets need none

    tokenizer = load_tokenizer(folder)

    def count(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    return count
