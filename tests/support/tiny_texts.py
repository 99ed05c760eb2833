"""A tokenizer and encoded texts that a test can train on, made as the workflow makes them."""

from pathlib import Path

import pandas as pd

from babylogue.model.texts import training_texts
from babylogue.model.tokens import write_tokens
from babylogue.tokenizer.bpe import EOS, save_tokenizer, train_tokenizer
from babylogue.tokenizer.settings import TokenizerSettings


def save_tiny_texts(folder: Path, triplets: pd.DataFrame) -> Path:
    """Write `folder`/tokenizer and `folder`/tokens of triplets (columns speakers, turns, words); -> `folder`."""
    triplets.to_parquet(folder / "triplets.parquet")
    tokenizer = train_tokenizer(triplets["turns"].explode(), ["CHI", "MOT"], TokenizerSettings(vocabulary=320))
    save_tokenizer(tokenizer, folder / "tokenizer")
    pieces = training_texts(folder / "triplets.parquet", "triplets")
    write_tokens(folder / "tokens", pieces, tokenizer, tokenizer.token_to_id(EOS))
    return folder


def exchanges(nouns: list[str], rounds: int) -> pd.DataFrame:
    """A question and its answer for every noun in every round, six words each."""
    turns = [[f"where is the {noun} ?", f"{number} {noun} ."] for number in range(rounds) for noun in nouns]
    return pd.DataFrame({"turns": turns, "speakers": [["MOT", "CHI"]] * len(turns), "words": 6})
