"""Random numbers of one reply, which no other prompt, sample or batch has a part in."""

import zlib

import numpy as np


def own_generator(seed: int, prompt: str, sample: int) -> np.random.Generator:
    """The generator of the reply number `sample` to `prompt`."""
    return np.random.default_rng([seed, zlib.crc32(prompt.encode()), sample])


def own_seed(seed: int, prompt: str, sample: int) -> int:
    """A seed for an engine that draws by itself: 0 to 2^31 - 1."""
    return int(own_generator(seed, prompt, sample).integers(2**31))
