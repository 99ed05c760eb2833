"""The beginning-of-word correction: how likely a string is as whole words.

Where tokens mark the beginning of a word, a string's last token does not say that its word ends there: "dog" may
go on as "dogs". Pimentel & Meister (2024, How to Compute the Probability of a Word) divide a word's probability by
that of some word beginning before it, and multiply it by that of some word beginning after it. In the sum over a
string's words what stands after one word cancels with what stands before the next, so that one term is left: the
log-probability that a word begins after the last. What stands before the first scored word is left out, as in
minicons (`bow_correction`); it is the same for all candidates that share their context.

There are two opinions of what ends a word. In the "boundary" form, which Pimentel & Meister's follows, it is any
token that begins a word, any speaker tag, and the special tokens that begin or end a text: a model whose texts end
after the reply gives nearly all of its probability there to the end of sequence. The "minicons" form knows tokens
whose text begins with the mark, and added tokens that take the space before them along, as speaker tags do; an end
of sequence is none, so that such a model's sums are lowered by many nats that say nothing of words. The paper's
figures have that form.

Sums of the minicons form differ from minicons' in what is never scored here: an end of sequence that the tokenizer
appends (the correction is taken before it), and a space that is a token of its own at the very front of a string
where the tokenizer gives it no width (upstream's rule). A string with no scored token has 0.0, where minicons
fails.
"""

from typing import Literal

import numpy as np

from ..dialogue import TAG
from ..errors import UserError

MARKS = ("Ġ", "▁")  # of byte-level BPE; of sentencepiece
Correction = Literal["boundary", "minicons"]


def _mark(tokenizer) -> str:
    """The character that begins a word's first token, of MARKS; "" if there is none."""
    space = tokenizer.tokenize(" ")
    return space[0][:1] if space and space[0].startswith(MARKS) else ""


def marks_words(tokenizer) -> bool:
    """Whether tokens mark the beginning of a word, so that there is a correction for it."""
    return bool(_mark(tokenizer))


def word_beginnings(tokenizer, correction: Correction = "boundary") -> np.ndarray:
    """Ids of the tokens before which a word ends, ascending, int64. Raises UserError if tokens have no marks."""
    mark = _mark(tokenizer)
    if not mark:
        raise UserError(
            f"{tokenizer.name_or_path or 'tokenizer'}: tokens do not mark the beginning of a word by "
            f"{' or '.join(MARKS)}, so there is no beginning-of-word correction"
        )
    vocabulary = tokenizer.get_vocab()
    ids = {index for token, index in vocabulary.items() if token.startswith(mark)}
    ids |= {index for index, token in tokenizer.added_tokens_decoder.items() if token.lstrip}
    if correction == "boundary":
        ids |= {index for token, index in vocabulary.items() if TAG.fullmatch(token)}
        # Where a text begins or ends, a word has ended.
        special = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id)
        ids |= {index for index in special if index is not None}
    return np.array(sorted(ids), dtype=np.int64)
