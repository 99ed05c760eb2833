"""Tokenizers as their folders have them, and texts that are to be continued."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ..errors import UserError


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder; it gives the tokens of tokenizer.json where there is that file.

    transformers 5 builds some classes (GPT2Tokenizer, RobertaTokenizer) anew from the vocabulary, without the
    file's normaliser, pre-tokenizer and post-processor. So the file is read by the class that takes it as it
    stands. Special tokens that no file names are those of the model's class, as far as the vocabulary has them.
    Code that comes with a model is never run.

    Raises:
        UserError: the folder holds no tokenizer that transformers can read.
    """
    file = Path(folder) / "tokenizer.json"
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if type(tokenizer) is PreTrainedTokenizerFast or not file.is_file():
            return tokenizer
        vocabulary = Tokenizer.from_file(str(file)).get_vocab()
        as_it_stands = PreTrainedTokenizerFast.from_pretrained(folder)
    except Exception as error:  # of many types: tokenizers itself raises plain exceptions
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{folder}: its tokenizer cannot be loaded: {reason}") from error
    for name, token in tokenizer.special_tokens_map.items():
        if isinstance(token, str) and token in vocabulary and getattr(as_it_stands, name) is None:
            setattr(as_it_stands, name, token)
    return as_it_stands


def encode_open(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, to be continued: with the special tokens in front that the tokenizer puts there.

    Those that it puts at the end, as some put an end of sequence, are left out: nothing follows after them.
    """
    encoding = tokenizer(list(texts), return_special_tokens_mask=True, return_attention_mask=False, verbose=False)
    rows = []
    for ids, special in zip(encoding["input_ids"], encoding["special_tokens_mask"], strict=True):
        end = len(ids)
        while end and special[end - 1]:
            end -= 1
        rows.append(ids[:end])
    return rows
