"""What the architecture of a causal language model allows, found out by trying it on a few made-up tokens.

A transformer with attention masks and position ids can read several texts in one batch or one row, and gives each
token the prediction that it has in its own text. Recurrent layers ignore the mask, some models count positions by
themselves, and windows of attention are not applied where a mask is given. No list of names could keep up with
the kinds that there are, so the scorer and the samplers compare what they are about to do with the plain forward
pass of one text.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import transformers

from ..errors import UserError

# Arguments that transformers 5.24 gave other names: of a cache of keys and values, which outputs have by the same
# name, and of the trainer's way to save memory.
_RENAMED = tuple(map(int, transformers.__version__.split(".")[:2])) >= (5, 24)
CACHE = "cache" if _RENAMED else "past_key_values"
CHECKPOINTING = "activation_checkpointing" if _RENAMED else "gradient_checkpointing"

NO_LIMIT = 2**31
TOLERANCE = 1e-4  # nats a token: what the order of sums makes of float32
PREFIX, BRANCHES = 3, (4, 3)  # lengths in tokens of the made-up beginning, and of what goes on from it

# Settings that bound how far back a token sees, or what it sees beyond so many tokens, in the configurations of
# transformers; `original_max_position_embeddings` is where rotary embeddings begin to depend on a text's length.
_WINDOW = re.compile(
    r"window(_size|_len)?$|chunk_size$|chunk_length$|local_attention$|index_topk$|block_size$|max_distance$"
    r"|^compress_rates"
)
_ORIGINAL_CONTEXT = re.compile(r"original_max_position_embeddings$")


def context_length(model) -> int:
    """The longest text that a model can read, in tokens; NO_LIMIT for one whose configuration names no bound."""
    config = model.config.get_text_config()
    lengths = (getattr(config, name, None) for name in ("max_position_embeddings", "max_seq_len"))
    return next((length for length in lengths if isinstance(length, int)), NO_LIMIT)


def vocabulary_size(model) -> int:
    """How many tokens a model both reads and predicts."""
    return min(len(layer.weight) for layer in (model.get_input_embeddings(), model.get_output_embeddings()))


def probe_strings(model) -> tuple[list[int], list[int]]:
    """Made-up token ids of two strings with a common beginning of PREFIX tokens; always the same for a model."""
    special = {
        token
        for name, value in model.config.to_dict().items()
        if name.endswith("_token_id")
        for token in (value if isinstance(value, list) else [value])
    }
    ordinary = [token for token in range(min(vocabulary_size(model), 10_000)) if token not in special] or [0]
    drawn = np.random.default_rng(0).choice(ordinary, PREFIX + sum(BRANCHES)).tolist()
    prefix, first, second = drawn[:PREFIX], drawn[PREFIX : PREFIX + BRANCHES[0]], drawn[-BRANCHES[1] :]
    return prefix + first, prefix + second


@torch.no_grad()
def plain_logits(model, ids: Sequence[int]) -> torch.Tensor:
    """Logits [length, vocabulary] of one string in a plain forward pass, float32: what everything is held against.

    Raises UserError for a model that cannot be run so.
    """
    try:
        output = model(input_ids=torch.tensor([list(ids)], device=model.device), use_cache=False)
    except Exception as error:  # of any type, by architecture
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{type(model).__name__}: this kind of model cannot be run on a plain text: {reason}"
        ) from error
    return output.logits[0].float()


def tolerance(logits: torch.Tensor) -> float:
    """By how many nats two ways of computing these logits may differ.

    Values that 16 bits hold were computed in reduced precision (by autocast, or weights of that type), whose
    rounding is many times that of float32.
    """
    for short in (torch.bfloat16, torch.float16):
        if torch.equal(logits, logits.to(short).float()):
            return max(TOLERANCE, float(logits.abs().max()) / 32)
    return TOLERANCE


def works(attempt: Callable[[], torch.Tensor], expected: torch.Tensor, allowed: float) -> bool:
    """Whether `attempt` gives the values of `expected`, within `allowed`, and raises nothing."""
    try:
        found = attempt()
    except Exception:  # whatever an architecture says of an argument that it does not know
        return False
    return found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-5, atol=allowed)


def window(config) -> float:
    """The smallest window of attention of a model, in tokens; infinite without one."""
    return _smallest(config, _WINDOW)


def original_context(config) -> float:
    """Length in tokens up to which positions are embedded alike whatever the length of a text."""
    return _smallest(config, _ORIGINAL_CONTEXT)


def _smallest(config, name: re.Pattern) -> float:
    """The smallest number above 1 among a configuration's settings of these names; infinite if there is none."""

    def values(settings: Mapping, before: str = ""):
        for key, value in settings.items():
            if isinstance(value, Mapping):
                yield from values(value, f"{before}{key}.")
            elif isinstance(value, int) and value > 1 and (name.search(str(key)) or name.search(f"{before}{key}")):
                yield value

    return min(values(config.get_text_config().to_dict()), default=math.inf)


def read_on(decoder, past, **inputs):
    """One forward pass that goes on from the cache `past` (None: from nothing) -> (output, the cache after it)."""
    output = decoder(**inputs, **{CACHE: past}, use_cache=True)
    return output, getattr(output, CACHE)
