"""The formulas of PPO as functions of tensors: no model, no state.

Shapes: B replies, T action columns, N actions (the true entries of a mask), V tokens. `actions` (B, T) marks
what was sampled; entries outside it count for nothing, in sums, means and gradients. Logarithms are natural.

Sources: GAE, Schulman et al. 2016 (arXiv 1506.02438); PPO, Schulman et al. 2017 (1707.06347); KL reward and
adaptive coefficient, Ziegler et al. 2019 (1909.08593); k1 and k3, Schulman 2020 ("Approximating KL divergence").
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch


def masked_mean(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of `x` (B, T) over the true entries of `mask` (B, T), a scalar."""
    return torch.where(mask, x, 0).sum() / mask.sum()


def whiten(x: torch.Tensor, mask: torch.Tensor, *, shift_mean: bool = True) -> torch.Tensor:
    """`x` (B, T) scaled to variance 1 over `mask` and, with `shift_mean`, to mean 0; zero outside the mask.

    The variance is the population's. Without `shift_mean` the mean stays as it was.
    """
    mean = masked_mean(x, mask)
    variance = masked_mean((x - mean) ** 2, mask)
    whitened = (x - mean) * torch.rsqrt(variance + 1e-8)
    return torch.where(mask, whitened if shift_mean else whitened + mean, 0)


def kl_k1(log_probs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """log p - log q of each sampled token, p the policy and q the reference: unbiased for KL(p, q), any sign."""
    return log_probs - reference


def kl_k3(log_probs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """q / p - 1 - log(q / p) of each sampled token: unbiased for KL(p, q), never negative."""
    log_ratio = reference - log_probs
    return torch.expm1(log_ratio) - log_ratio


def kl_abs(log_probs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """|log p - log q| of each sampled token: no estimate of a KL, used by the published confidence run."""
    return (log_probs - reference).abs()


KL_PENALTIES = {"k1": kl_k1, "k3": kl_k3, "abs": kl_abs}


def kl_full(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """sum_v p_v (log p_v - log q_v), exactly, of distributions (..., V) with the same support; shape (...)."""
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), 0).sum(dim=-1)


def entropy(log_p: torch.Tensor) -> torch.Tensor:
    """-sum_v p_v log p_v of distributions (..., V), nats; shape (...). Tokens at minus infinity count for 0."""
    # Filled before the product, so that the gradient is not 0 * infinity either.
    return -(log_p.exp() * log_p.masked_fill(log_p == float("-inf"), 0)).sum(dim=-1)


LENGTH_BANDWIDTH = 0.2  # of the logarithm of a length: 2 tokens tell little of 3, and 12 much of 14


def without_length(scores: torch.Tensor, expected: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Scores (B,) less what replies of such a length (B,), in tokens, earn beyond what is `expected` (B,) of them.

    What is expected knows the prompt, or prompts that call for long replies and earn much would make length pay.
    What a length earns is the mean of the other replies (Nadaraya 1964, Watson 1964) with a Gaussian kernel on the
    logarithm of the length, since it is no line, and with one average reply added to them, so that a reply with
    none like it keeps its score. The overall mean stays. Singhal et al. 2024 (arXiv 2310.03716) show how much of
    what is learnt from rewards is length alone.
    """
    x = lengths.to(scores.dtype).log()
    weights = torch.exp(-0.5 * ((x[:, None] - x) / LENGTH_BANDWIDTH) ** 2).fill_diagonal_(0)  # (B, B)
    surplus = scores - expected
    of_length = weights @ (surplus - surplus.mean()) / (weights.sum(dim=1) + 1)
    return scores - of_length + of_length.mean()


def token_rewards(
    scores: torch.Tensor, kl: torch.Tensor, coefficient: float, actions: torch.Tensor
) -> torch.Tensor:
    """Reward of each action (B, T): -coefficient * kl (B, T), and the reply's score (B,) at its last action.

    Ziegler et al. 2019, equation 2, with the KL paid token by token.
    """
    last = actions.sum(dim=1, keepdim=True) - 1  # (B, 1)
    rewards = torch.where(actions, -coefficient * kl, 0)
    return rewards.scatter_add(1, last, scores[:, None].to(rewards.dtype))


def advantages_and_returns(
    rewards: torch.Tensor, values: torch.Tensor, actions: torch.Tensor, *, gamma: float, gae_lambda: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantages and value targets, (B, T) each, zero outside the mask.

    delta_t = r_t + gamma V_{t+1} - V_t;  A_t = delta_t + gamma lambda A_{t+1};  target_t = A_t + V_t
    (Schulman et al. 2016, equations 12 and 16). The value after a reply's last action is 0: the episode is over.
    """
    values = torch.where(actions, values, 0)
    advantages = torch.zeros_like(values)
    following_value = following_advantage = torch.zeros_like(values[:, 0])  # (B,)
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + gamma * following_value - values[:, t]
        advantage = torch.where(actions[:, t], delta + gamma * gae_lambda * following_advantage, 0)
        advantages[:, t] = advantage
        following_value, following_advantage = values[:, t], advantage
    return advantages, torch.where(actions, advantages + values, 0)


class PolicyLoss(NamedTuple):
    """The clipped loss and what it says about the size of the step, scalars."""

    loss: torch.Tensor
    clip_share: torch.Tensor  # share of actions at which the clipped term decides
    max_ratio: torch.Tensor  # largest ratio of new to old probability


def policy_loss(
    log_probs: torch.Tensor,
    old_log_probs: torch.Tensor,
    advantages: torch.Tensor,
    actions: torch.Tensor,
    clip_range: float,
) -> PolicyLoss:
    """-mean min(ratio A, clip(ratio, 1 - c, 1 + c) A) over the actions (Schulman et al. 2017, equation 7)."""
    # Zero outside the mask before exp, so that no infinity meets a zero gradient.
    ratio = torch.where(actions, log_probs - old_log_probs, 0).exp()
    free = -advantages * ratio
    clipped = -advantages * ratio.clamp(1 - clip_range, 1 + clip_range)
    return PolicyLoss(
        loss=masked_mean(torch.maximum(free, clipped), actions),
        clip_share=masked_mean((clipped > free).to(ratio.dtype), actions).detach(),
        max_ratio=torch.where(actions, ratio, 0).max().detach(),
    )


def value_loss(
    values: torch.Tensor,
    old_values: torch.Tensor,
    returns: torch.Tensor,
    actions: torch.Tensor,
    clip_range: float,
) -> torch.Tensor:
    """0.5 mean max((V - R)^2, (clip(V, V_old - c, V_old + c) - R)^2) over the actions, a scalar.

    Schulman et al. 2017, equation 9, with the clipping of the authors' implementation.
    """
    clipped = torch.clamp(values, old_values - clip_range, old_values + clip_range)
    return 0.5 * masked_mean(torch.maximum((values - returns) ** 2, (clipped - returns) ** 2), actions)


def value_error(values: torch.Tensor, returns: torch.Tensor, actions: torch.Tensor) -> float:
    """Root of the mean squared difference of values and returns over the actions, in units of the reward."""
    return float(masked_mean((values - returns) ** 2, actions).sqrt())


def explained_variance(values: torch.Tensor, returns: torch.Tensor, actions: torch.Tensor) -> float:
    """1 - Var(R - V) / Var(R) over the actions; NaN if the returns do not vary."""
    error, target = (returns - values)[actions], returns[actions]
    variance = target.var(correction=0)
    return float(1 - error.var(correction=0) / variance) if variance > 0 else float("nan")


class FixedKL:
    """The weight of the KL penalty, which stays."""

    def __init__(self, coefficient: float):
        self.coefficient = coefficient

    def update(self, kl: float, episodes: int) -> None:
        """Take note of a batch: its mean KL in nats a reply, and its number of episodes."""

    def state_dict(self) -> dict[str, float]:
        """What a training that goes on needs of it."""
        return {"coefficient": self.coefficient}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Go on from there."""
        self.coefficient = state["coefficient"]


class AdaptiveKL(FixedKL):
    """A coefficient steered towards a KL target (Ziegler et al. 2019, section 2.2).

    error = clip(KL / target - 1, -0.2, 0.2);  coefficient *= 1 + error * episodes / horizon
    """

    def __init__(self, coefficient: float, target: float, horizon: int):
        super().__init__(coefficient)
        self.target = target
        self.horizon = horizon

    def update(self, kl: float, episodes: int) -> None:
        error = min(max(kl / self.target - 1, -0.2), 0.2)
        self.coefficient *= 1 + error * episodes / self.horizon
