"""A model, prompts, a reward and settings with which PPO takes a second."""

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from babylogue.reinforcement.settings import GuardSettings, PPOSettings

WORDS = [
    "what",
    "is",
    "that",
    "where",
    "a",
    "ball",
    "dog",
    "go",
    "no",
    "?",
    ".",
    "</s>",
    "*MOT:",
    "*CHI:",
    "*FAT:",
]
PROMPTS = ["*MOT: what is that ?", "*FAT: go .", "*MOT: where is a dog ?", "*MOT: no ."]


def tiny_tokenizer():
    """A token a word."""
    vocabulary = {word: index for index, word in enumerate(["<pad>", "<s>", *WORDS])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    core.add_tokens(["*MOT:", "*CHI:", "*FAT:"])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<pad>"
    )


def tiny_llama(tokenizer, seed=0):
    """A model with random weights, large enough that its distributions are not flat."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def ball(prompts, replies):
    """1 for a reply that says `ball`."""
    return np.array([float("ball" in reply.split()) for reply in replies])


def quick(**changes):
    """Settings of a run that takes a second or so, with nothing that is fatal."""
    bounds = {name: None for name in GuardSettings.model_fields if name != "window_steps"}
    defaults = dict(
        prompts=160, batch_size=16, minibatch_size=8, learning_rate=3e-3, max_new_tokens=6, evaluate_every=4,
        length_control=False, length_tolerance=None, diversity_tolerance=None, guard=GuardSettings(**bounds),
    )  # fmt: skip
    return PPOSettings(**(defaults | changes))
