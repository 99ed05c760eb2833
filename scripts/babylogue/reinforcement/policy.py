"""The policy: a causal language model, the distribution that replies are sampled from, and a value head."""

import torch
from torch import nn
from transformers import PreTrainedModel

from ..errors import UserError


class Policy(nn.Module):
    """A causal language model with a linear value head on its last hidden state.

    The head starts at zero, so that the first value estimates are one number, 0 or that of `start_values`,
    whatever the language model. Dropout is off for good: sampling and loss must see the same distribution.

    Raises `UserError` for a model whose logits are not its output embedding applied to its last hidden state
    (scaled or capped logits): the head is applied at chosen positions only, which needs that form.
    """

    def __init__(self, language_model: PreTrainedModel):
        super().__init__()
        self.language_model = language_model.eval()
        embedding = language_model.get_output_embeddings().weight  # (V, H)
        self.value_head = nn.Linear(embedding.shape[1], 1, device=embedding.device, dtype=embedding.dtype)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)
        _check_head(language_model)

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


def positions(attention_mask: torch.Tensor) -> torch.Tensor:
    """Position of each token in its own text (B, L) under left padding; padding is at 0."""
    return (attention_mask.long().cumsum(dim=1) - 1).clamp(min=0)


def mixed_precision(device: torch.device) -> torch.autocast:
    """Runs the transformer in bfloat16 on a GPU; the output layer and the value head stay in float32.

    Sampling, loss and reference share it, so that ratios of their probabilities are of one precision.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def action_states(
    language_model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor, actions: int
) -> torch.Tensor:
    """Hidden states (B, T, H) from which the last `actions` = T tokens of `input_ids` (B, L) are predicted."""
    # The last token predicts nothing that is trained on.
    inputs, mask = input_ids[:, :-1], attention_mask[:, :-1]
    with mixed_precision(language_model.device):
        output = language_model.base_model(
            input_ids=inputs, attention_mask=mask, position_ids=positions(mask), use_cache=False
        )
    return output.last_hidden_state[:, -actions:].to(language_model.dtype)


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
    device = language_model.device
    probe = torch.zeros(1, 2, dtype=torch.long, device=device)
    with torch.no_grad():
        logits = language_model(input_ids=probe).logits
        hidden = language_model.base_model(input_ids=probe).last_hidden_state
        plain = language_model.get_output_embeddings()(hidden)
    if not torch.allclose(logits, plain, rtol=1e-3, atol=1e-3):
        kind = type(language_model).__name__
        raise UserError(f"PPO cannot train a {kind} that scales or caps its logits: choose a parent model without")
