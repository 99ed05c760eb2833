"""Settings of the division of the tune part."""

from pydantic import Field

from ..settings import Settings


class TuningSettings(Settings):
    """How the tune part is divided, once, for all pair sets and for the rollouts of PPO, GRPO and RLOO."""

    validation_share: float = Field(0.1, gt=0, lt=1)
    """Share of the exchanges (a caregiver's turn and the child's reply) whose children are validation children,
    whole children. Their pairs are the held-out part of every set but given ones, and rollouts use no turn that is
    said to them."""
    rollout_share: float = Field(0.5, ge=0, lt=1)
    """Share of the different caregiver turns, of at least 4 tokens, that are reserved as prompts of rollouts: no
    natural pair has them as its prompt. With 0 all turns are for pairs, and rewarded models have no prompts."""
    seed: int = 0
    """Seed of the choice of children and turns."""
