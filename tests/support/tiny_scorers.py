"""Small models with random weights, and a tokenizer of each kind, to be scored by."""

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
from transformers.models.auto import CONFIG_MAPPING

from babylogue.tokenizer.bpe import save_tokenizer, train_tokenizer
from babylogue.tokenizer.settings import TokenizerSettings

SENTENCES = [
    "the dog runs home .",
    "the dogs run home !",
    "where is the ball ?",
    "look at the little red ball .",
    "she wants more juice and a cookie .",
]

TEMPLATES = {"bos": "<s> $A", "plain": "$A", "bos_eos": "<s> $A </s>"}


def make_tokenizer(special: str = "bos", add_prefix_space: bool = True) -> PreTrainedTokenizerFast:
    """A small byte-level BPE tokenizer that adds BOS, nothing, or BOS and EOS."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    byte_level = processors.ByteLevel(trim_offsets=True)
    template = processors.TemplateProcessing(single=TEMPLATES[special], special_tokens=[("<s>", 0), ("</s>", 1)])
    tokenizer.post_processor = processors.Sequence([byte_level, template])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def make_sentencepiece() -> PreTrainedTokenizerFast:
    """A small tokenizer that marks words as sentencepiece does, with a speaker tag and no special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=299,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=[chr(code) for code in range(33, 127)] + ["é", "▁"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    tokenizer.add_tokens([AddedToken("*CHI:", lstrip=True, normalized=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def make_model(kind: str = "llama", positions: int = 64, vocabulary: int = 300):
    """A tiny model with weights large enough that predictions differ from chance."""
    torch.manual_seed(1)
    sizes = {
        "llama": dict(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48
        ),
        "gpt2": dict(n_embd=32, n_layer=2, n_head=4),
        "gpt_neox": dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48),
        "opt": dict(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            ffn_dim=48,
            word_embed_proj_dim=32,
            dropout=0.0,
        ),
    }[kind]
    config = CONFIG_MAPPING[kind](
        vocab_size=vocabulary,
        max_position_embeddings=positions,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        **sizes,
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)
    return model


TOKENIZERS = {special: make_tokenizer(special) for special in TEMPLATES} | {"sentencepiece": make_sentencepiece()}


def project_tokenizer(folder):
    trained = train_tokenizer(SENTENCES * 3, ["CHI", "MOT"], TokenizerSettings(vocabulary=300))
    save_tokenizer(trained, folder)
    return AutoTokenizer.from_pretrained(folder)
