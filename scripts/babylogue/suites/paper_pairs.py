"""Dialogue minimal pairs in the one-sided construction of Padovani et al. (2025), scored as in dialogue_pairs.

The beginning-of-word correction has minicons' form, as in that paper's figures.
"""

from functools import partial

from . import dialogue_pairs

pair_suite = partial(dialogue_pairs.pair_suite, correction="word_corrected_minicons")
SUITES = {name: pair_suite(name) for name in ("dialogue_words_published", "dialogue_tokens_published")}
"""Those of the registry; `pair_suite` makes one of any other name."""
