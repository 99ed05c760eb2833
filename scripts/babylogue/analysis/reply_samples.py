"""What a model replies to prompts: columns prompt, sample (int), reply (without tags), ended (bool)."""

from collections.abc import Sequence

import pandas as pd
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..dialogue import CHILD, speaker_tag
from ..reinforcement.prompts import fitting_prompts
from ..reinforcement.sampling import room_for_prompt, sample_replies, seeded_generator
from ..reinforcement.sampling_settings import SamplingSettings

SAMPLE_COLUMNS = ["prompt", "sample", "reply", "ended"]
REPLIES_AT_ONCE = 64


def reply_samples(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    settings: SamplingSettings,
    *,
    samples: int,
) -> pd.DataFrame:
    """The child's replies to the prompts, `samples` each; a prompt that leaves no room for one has none."""
    fitting = fitting_prompts(prompts, tokenizer, room_for_prompt(model, settings)) if len(prompts) else []
    asked = [(prompt, number) for prompt in fitting for number in range(samples)]
    generator = seeded_generator(model, settings.seed)
    rows = []
    for start in range(0, len(asked), REPLIES_AT_ONCE):
        batch = asked[start : start + REPLIES_AT_ONCE]
        texts = [f"{prompt} {speaker_tag(CHILD)}" for prompt, _ in batch]
        replies = sample_replies(model, tokenizer, texts, settings, generator)
        rows += [(*key, reply.text, reply.ended) for key, reply in zip(batch, replies, strict=True)]
    return pd.DataFrame(rows, columns=SAMPLE_COLUMNS)
