"""Reading prompts and then one token of each at a time, as the architecture of a model allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from ..errors import UserError
from ..scoring.architecture import PREFIX, plain_logits, probe_strings, read_on, tolerance, works

PROBE_STEPS = 3  # tokens that are read one at a time to see whether that can be done
_ways: WeakKeyDictionary[PreTrainedModel, "Way"] = WeakKeyDictionary()


@dataclass(frozen=True)
class Way:
    """What of the usual way of sampling a model allows."""

    padding: bool
    """Prompts of several lengths in one batch, padded on the left, with mask and positions."""
    cache: bool
    """A cache of what was read; without it all is read again for every token."""


WAYS = (Way(padding=True, cache=True), Way(padding=False, cache=True), Way(padding=False, cache=False))
"""The fastest first."""


class Continuation:
    """A batch of prompts that a model has read, and the tokens after them."""

    def __init__(self, model: PreTrainedModel, way: Way):
        self._decoder, self._way, self._past = model.base_model, way, None

    def read(self, prompt_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Read prompts (B, P), padded on the left if at all -> hidden states (B, H) of their last tokens."""
        self._ids, self._mask = prompt_ids, attention_mask
        self._positions = positions(attention_mask)
        return self._last_states(prompt_ids)

    def go_on(self, tokens: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
        """Read a token (B, 1) of each row; of rows that are not `active` (B,) the result means nothing."""
        self._mask = torch.cat([self._mask, active[:, None].long()], dim=1)
        self._positions = self._positions[:, -1:] + 1
        if not self._way.cache:
            self._ids = torch.cat([self._ids, tokens], dim=1)
            tokens = self._ids
        return self._last_states(tokens)

    def _last_states(self, ids: torch.Tensor) -> torch.Tensor:
        # Without padding the model makes mask and positions by itself, as in a plain forward pass.
        given = {"attention_mask": self._mask, "position_ids": self._positions} if self._way.padding else {}
        if self._way.cache:
            output, self._past = read_on(self._decoder, self._past, input_ids=ids, **given)
        else:
            output = self._decoder(input_ids=ids, use_cache=False, **given)
        return output.last_hidden_state[:, -1]


def positions(attention_mask: torch.Tensor) -> torch.Tensor:
    """Position of each token in its own text (B, L) under left padding; padding is at 0."""
    return (attention_mask.long().cumsum(dim=1) - 1).clamp(min=0)


def pad_left(encoded: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask (B, P), padding on the left; the padding's id (0) is never attended to."""
    width = max(map(len, encoded))
    input_ids = torch.tensor([[0] * (width - len(ids)) + list(ids) for ids in encoded], device=device)
    attention_mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in encoded], device=device)
    return input_ids, attention_mask


def way_of(model: PreTrainedModel) -> Way:
    """The fastest of WAYS in which made-up texts have the predictions of a plain forward pass, tried once a model.

    Raises UserError if there is none.
    """
    if model not in _ways:
        _ways[model] = _find_way(model)
    return _ways[model]


@torch.no_grad()
def _find_way(model: PreTrainedModel) -> Way:
    kind = type(model).__name__
    first, second = probe_strings(model)
    pairs = {True: (first, second[2:]), False: (first, first[PREFIX:] + first[:PREFIX])}  # by padding: two lengths
    plain = {padding: [plain_logits(model, text) for text in pair] for padding, pair in pairs.items()}
    if not all(logits.isfinite().all() for pair in plain.values() for logits in pair):
        return WAYS[0]  # weights that are not finite, which the caller sees
    for way in WAYS:
        expected = torch.stack([logits[-PROBE_STEPS - 1 :] for logits in plain[way.padding]])
        attempt = partial(_continued, model, way, pairs[way.padding])
        if works(attempt, expected, max(map(tolerance, plain[way.padding]))):
            return way
    raise UserError(f"{kind}: this kind of model cannot be sampled from: it predicts otherwise a token at a time")


def _continued(model: PreTrainedModel, way: Way, texts: Sequence[list[int]]) -> torch.Tensor:
    """Logits (texts, PROBE_STEPS + 1, V) at the end of texts, the last PROBE_STEPS tokens read one at a time."""
    continuation = Continuation(model, way)
    states = [continuation.read(*pad_left([text[:-PROBE_STEPS] for text in texts], model.device))]
    for step in range(-PROBE_STEPS, 0):
        tokens = torch.tensor([[text[step]] for text in texts], device=model.device)
        states.append(continuation.go_on(tokens, torch.ones(len(texts), dtype=torch.bool, device=model.device)))
    return model.get_output_embeddings()(torch.stack(states, dim=1)).float()
