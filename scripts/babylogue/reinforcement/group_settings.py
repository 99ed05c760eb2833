"""Settings of GRPO and RLOO, whose baseline is a group of replies to one prompt in place of a value head."""

from pydantic import Field, model_validator

from .settings import RolloutSettings


class GroupSettings(RolloutSettings):
    """What both methods share."""

    replies: int = Field(32_000, gt=0)
    """Replies rewarded in all, as `prompts` are in PPO; prompts are repeated, reshuffled, as often as it takes."""
    group_size: int = Field(4, gt=1)
    """Replies to each prompt of a rollout, which are each other's baseline; divides batch_size."""
    epochs_per_batch: int = Field(1, gt=0)
    """Passes over each rollout."""
    clip_range: float = Field(0.2, gt=0)
    """Probability ratios (GRPO: of a token; RLOO: of a reply) count within 1 - clip_range to 1 + clip_range."""

    temperature: float = Field(1.0, gt=0)
    """Divides the logits of policy and reference, in sampling and in the loss alike."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus that replies are sampled from. Below 1 the loss, and what the log says of KL and entropy, still are
    of the whole distribution: trl has no other."""

    @model_validator(mode="after")
    def _consistent(self):
        self.divides_batch("minibatch_size", "group_size")
        for name in ("max_ratio", "max_value_error"):
            if getattr(self.guard, name) is not None:
                raise ValueError(f"guard: {name} can be watched in PPO alone; leave it at null")
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
