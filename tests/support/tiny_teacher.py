"""A tiny Llama with a tiny byte-level tokenizer, taught a few lines of talk: a teacher and judge for tests."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from babylogue.teacher.prompts import FEW_SHOT

TALK = [
    "Mother: what is that?\nChild: a dog.\n",
    "Mother: what is that?\nChild: the red ball!\n",
    "Mother: where is the cup?\nChild: on the big chair.\n",
    "Mother: where is the dog?\nChild: in the box.\n",
    "Mother: do you want some soup?\nChild: no, not now.\n",
    "Mother: we go home now.\nChild: why?\n",
]
TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)


def save_tiny_teacher(folder, chat_template: str | None = TEMPLATE, seed: int = 0) -> None:
    """Write model and tokenizer to `folder`; always the same."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([FEW_SHOT, *TALK], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = chat_template
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    model = LlamaForCausalLM(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    texts = [tokenizer(FEW_SHOT + talk, return_tensors="pt").input_ids for talk in TALK]
    for step in range(60):
        loss = model(texts[step % len(texts)], labels=texts[step % len(texts)]).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
