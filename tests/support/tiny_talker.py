"""A tiny model with a tokenizer as the workflow trains it, taught a few exchanges: one to talk to."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoTokenizer

from babylogue.tokenizer.bpe import save_tokenizer, train_tokenizer
from babylogue.tokenizer.settings import TokenizerSettings
from support.tiny_ppo import tiny_llama

TALK = {
    "where is the ball ?": "under the chair .",
    "what does the cow say ?": "moo !",
    "who is there ?": "daddy is there .",
    "come here .": "no .",
}


SPEAKERS = ("CHI", "FAT", "MOT")


def save_tiny_talker(folder: Path, seed: int = 0, speakers: Sequence[str] = SPEAKERS) -> Path:
    """Write a model that has learnt TALK, said by `*MOT:` and `*CHI:`; -> `folder`. Its context: 64 tokens.

    The tags of `speakers` are tokens of their own.
    """
    turns = [turn for exchange in TALK.items() for turn in exchange]
    save_tokenizer(train_tokenizer(turns, speakers, TokenizerSettings(vocabulary=320)), folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [f"*MOT: {turn} *CHI: {reply} *MOT: yes ." for turn, reply in TALK.items()]
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    model = tiny_llama(tokenizer, seed).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(40):
        model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(folder)
    return folder
