"""The policy: a causal language model, the distribution that replies are sampled from, and a value head."""

import torch
from torch import nn
from transformers import PreTrainedModel

from ..errors import UserError
from ..scoring.architecture import plain_logits, probe_strings, tolerance, works
from .continuing import way_of


class Policy(nn.Module):
    """A causal language model with a linear value head on its last hidden state.

    The head starts at zero, so that the first value estimates are one number, 0 or that of `start_values`,
    whatever the language model. Dropout is off for good: sampling and loss must see the same distribution.

    Raises `UserError` for a model whose logits are not its output embedding applied to its last hidden state
    (scaled or capped logits): the head is applied at chosen positions only, which needs that form. And for one
    that cannot be run, or not a token at a time (`way`).
    """

    def __init__(self, language_model: PreTrainedModel):
        super().__init__()
        self.language_model = language_model.eval()
        embedding = language_model.get_output_embeddings().weight  # (V, H)
        self.value_head = nn.Linear(embedding.shape[1], 1, device=embedding.device, dtype=embedding.dtype)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)
        _check_head(language_model)
        self.way = way_of(language_model)

    @property
    def device(self) -> torch.device:
        return self.language_model.device

    @torch.no_grad()
    def start_values(self, value: torch.Tensor) -> None:
        """Let every value estimate of an untrained head be this number (scalar)."""
        self.value_head.bias.copy_(value)

    def values(self, hidden: torch.Tensor) -> torch.Tensor:
        """Value estimates (...) of hidden states (..., H)."""
        return self.value_head(hidden).squeeze(-1)


def mixed_precision(device: torch.device) -> torch.autocast:
    """Runs the transformer in bfloat16 on a GPU; the output layer and the value head stay in float32.

    Sampling, loss and reference share it, so that ratios of their probabilities are of one precision.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def action_states(
    language_model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor, actions: int
) -> torch.Tensor:
    """Hidden states (B, T, H) from which the last `actions` = T tokens of `input_ids` (B, L) are predicted.

    Prompts are padded on the left, and replies, which end in the last columns, on the right.
    """
    # The last token predicts nothing that is trained on.
    inputs = input_ids[:, :-1]
    padding = attention_mask.long().argmax(dim=1, keepdim=True)  # (B, 1) columns before each text
    # Each text is moved to the front of its row. No token sees what comes after it, so that padding at the end
    # needs no mask, which recurrent models would not heed.
    columns = torch.arange(inputs.shape[1], device=inputs.device)
    inputs = inputs.gather(1, (columns + padding) % len(columns))
    with mixed_precision(language_model.device):
        hidden = language_model.base_model(input_ids=inputs, use_cache=False).last_hidden_state
    predicting = columns[-actions:] - padding  # (B, T)
    return hidden.gather(1, predicting[..., None].expand(-1, -1, hidden.shape[-1])).to(language_model.dtype)


def log_distribution(
    language_model: PreTrainedModel, hidden: torch.Tensor, temperature: float, nucleus: torch.Tensor | None = None
) -> torch.Tensor:
    """Log-probabilities (N, V) of the sampling distribution at hidden states (N, H), natural logarithm.

    `nucleus` (N, V), if any, marks the tokens that can be sampled; the others get minus infinity.
    """
    logits = language_model.get_output_embeddings()(hidden)
    if temperature != 1:  # a division by 1 is a pass over (N, V) for nothing
        logits = logits / temperature
    if nucleus is not None:
        logits = logits.masked_fill(~nucleus, float("-inf"))
    return logits.log_softmax(dim=-1)


def top_p_nucleus(log_probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """The smallest set of most probable tokens that holds at least `top_p`, as (N, V) of booleans.

    Holtzman et al. 2020, equation 2; the most probable token is always in.
    """
    ordered, order = log_probabilities.exp().sort(dim=-1, descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(before, dtype=torch.bool).scatter(-1, order, before < top_p)


def _check_head(language_model: PreTrainedModel) -> None:
    """Raise UserError where the logits are not the output layer's of the last hidden states."""
    kind = type(language_model).__name__
    text, _ = probe_strings(language_model)
    probe = torch.tensor([text], device=language_model.device)

    @torch.no_grad()
    def headed() -> torch.Tensor:
        hidden = language_model.base_model(input_ids=probe, use_cache=False).last_hidden_state[0]
        return language_model.get_output_embeddings()(hidden).float()

    logits = plain_logits(language_model, text)
    if logits.isfinite().all() and not works(headed, logits, tolerance(logits)):
        raise UserError(
            f"{kind}: models that scale or cap their logits, or make them by more than one layer, are neither "
            "sampled from nor tuned on rewards here; choose another kind"
        )
