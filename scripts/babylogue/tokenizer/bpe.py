"""The tokenizer: byte-level BPE over words, with every speaker tag added afterwards as one token.

As in Padovani et al. 2025, merges are learnt from the words alone. Every word is encoded with the space
before it, at the front of a text too, so that a word has one form wherever it stands; tags take the space
before them along. A text begins with `<s>`; nothing is appended, so that a context can be continued.
"""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from ..dialogue import TAG, speaker_tag
from .settings import TokenizerSettings

BOS, EOS, PAD = "<s>", "</s>", "<pad>"


def train_tokenizer(turns: Iterable[str], speakers: Iterable[str], settings: TokenizerSettings) -> Tokenizer:
    """Train on the words of `turns`; add one token a speaker code in `speakers`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary,
        min_frequency=settings.min_frequency,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(turns, trainer)
    tokenizer.add_tokens(
        [AddedToken(speaker_tag(speaker), lstrip=True, normalized=False) for speaker in sorted(set(speakers))]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A",
        pair=f"{BOS} $A $B",
        special_tokens=[(BOS, tokenizer.token_to_id(BOS))],
    )
    # A tag's token has no space of its own: give it one, then take the text's first away.
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(Regex(r"^\*(?=\w+:$)"), "Ġ*"),
            decoders.ByteLevel(),
            decoders.Strip(content=" ", left=1, right=0),
        ]
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Save as a Hugging Face fast tokenizer folder."""
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD, clean_up_tokenization_spaces=False
    ).save_pretrained(folder)


def tag_ids(tokenizer) -> list[int]:
    """The ids of all speaker tags of a Hugging Face tokenizer, ascending."""
    return sorted(index for token, index in tokenizer.get_vocab().items() if TAG.fullmatch(token))
