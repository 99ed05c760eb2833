"""Replies of a model to look at: sampled as rollouts are, by one speaker, each ended where its turn ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..dialogue import TAG
from ..scoring.architecture import context_length
from .policy import Policy
from .rollouts import encode_prompts, sample, stop_tokens
from .sampling_settings import SamplingSettings

ONE_TOKEN = 1e-9  # a nucleus so small holds the most probable token alone, of which each vocabulary has one


@dataclass(frozen=True)
class Reply:
    """What one speaker said."""

    text: str
    """Without tags; empty where the turn ended at once."""
    ended: bool
    """Whether the turn has ended, with another's tag or the end of sequence; else it was cut."""


def room_for_prompt(model: PreTrainedModel, settings: SamplingSettings) -> int:
    """Most tokens of a prompt, its last tag among them, that leave room for a reply; less than 1: none does."""
    return context_length(model) - settings.max_new_tokens


def sample_replies(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    settings: SamplingSettings,
    generator: torch.Generator,
) -> list[Reply]:
    """A reply to each prompt, a text that ends in the tag of the speaker who is to reply: `*MOT: hello . *CHI:`.

    A reply ends with the next speaker's tag or the end of sequence. Where the tokenizer has no tags of its own (as
    a published model's) the model goes on in other voices, and what follows the first is cut off.

    Args:
        generator: on the model's device; in the same state it gives the same replies to the same prompts. The
            settings' seed is for whoever makes it.

    Raises:
        UserError: a prompt leaves no room for a reply in the model's context.
    """
    greedy = settings.temperature == 0
    rollout = sample(
        Policy(model),
        tokenizer,
        encode_prompts(tokenizer, prompts, room_for_prompt(model, settings), bare=True),
        stops=stop_tokens(tokenizer),
        max_new_tokens=settings.max_new_tokens,
        temperature=1.0 if greedy else settings.temperature,
        top_p=ONE_TOKEN if greedy else settings.top_p,
        generator=generator,
    )
    replies = []
    for text, finished in zip(rollout.replies, rollout.finished.tolist(), strict=True):
        own, *others = TAG.split(text, maxsplit=1)
        replies.append(Reply(own.strip(), finished or bool(others)))
    return replies


def seeded_generator(model: PreTrainedModel, seed: int) -> torch.Generator:
    """A generator for `sample_replies`."""
    return torch.Generator(device=model.device).manual_seed(seed)
