"""Settings of GRPO and RLOO, whose baseline is a group of replies to one prompt in place of a value head."""

from pydantic import Field, model_validator

from ..settings import Settings
from .settings import GuardSettings


class GroupSettings(Settings):
    """What both methods share; a step is one rollout, as in PPO."""

    replies: int = Field(32_000, gt=0)
    """Replies rewarded in all, as `prompts` are in PPO; prompts are repeated, reshuffled, as often as it takes."""
    group_size: int = Field(4, gt=1)
    """Replies to each prompt of a rollout, which are each other's baseline; divides batch_size."""
    batch_size: int = Field(16, gt=0)
    """Replies in a rollout."""
    minibatch_size: int = Field(4, gt=0)
    """Replies in an optimiser step; divides batch_size."""
    epochs_per_batch: int = Field(1, gt=0)
    """Passes over each rollout."""
    learning_rate: float = Field(1.41e-5, gt=0)
    """Learning rate of Adam, constant."""
    max_gradient_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm."""
    clip_range: float = Field(0.2, gt=0)
    """Probability ratios (GRPO: of a token; RLOO: of a reply) count within 1 - clip_range to 1 + clip_range."""

    max_new_tokens: int = Field(20, gt=0)
    """Longest reply in tokens, the token that ends it (speaker tag or end of sequence) included."""
    temperature: float = Field(1.0, gt=0)
    """Divides the logits of policy and reference, in sampling and in the loss alike."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus that replies are sampled from. Below 1 the loss, and what the log says of KL and entropy, still are
    of the whole distribution: trl has no other."""
    unfinished_reward: float | None = -1.0
    """Reward of a reply that does not end within max_new_tokens, in place of its own; null keeps its own."""

    evaluate_every: int = Field(50, gt=0)
    """Steps between evaluations: held-out accuracy, and the choice of `best`."""
    held_out_tolerance: float = Field(0.7, ge=0)
    """Percentage points that the held-out accuracy of `best` may lie below the start's."""
    guard: GuardSettings = GuardSettings()
    """What ends a run early; a bound on the probability ratio, which trl does not tell, watches nothing."""

    @model_validator(mode="after")
    def _consistent(self):
        for name in ("minibatch_size", "group_size"):
            if self.batch_size % getattr(self, name):
                raise ValueError(f"{name} {getattr(self, name)} does not divide batch_size {self.batch_size}")
        if self.replies < self.batch_size:
            raise ValueError(f"replies {self.replies} is less than one batch of {self.batch_size}")
        return self

    @property
    def steps(self) -> int:
        """Rollouts that the policy is updated on."""
        return self.replies // self.batch_size

    @property
    def updates(self) -> int:
        """Optimiser steps on each rollout."""
        return self.batch_size // self.minibatch_size * self.epochs_per_batch


class GRPOSettings(GroupSettings):
    """Group relative policy optimisation (Shao et al. 2024), as trl has it: advantages are rewards standardised
    within their group, and the loss is a mean over the tokens of a rollout (Yu et al. 2025)."""

    beta: float = Field(0.04, ge=0)
    """Weight of the KL divergence from the reference in the loss, by k3 at each token."""


class RLOOSettings(GroupSettings):
    """REINFORCE leave-one-out (Ahmadian et al. 2024): an advantage is a reward less the mean of the others in its
    group."""

    beta: float = Field(0.05, ge=0)
    """Weight of the KL divergence from the reference, by k1 summed over a reply, that is taken off its reward."""
