"""Settings of rollouts and of PPO: sampling, objective, optimiser, and the guard of a run."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from ..settings import Settings, sorted_by_key
from .schedules import Schedule, Scheduled, all_values, value_at

_Weights = Annotated[dict[str, Scheduled], Field(min_length=1), AfterValidator(sorted_by_key)]
RewardSetting = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[_Weights, Tag("<weights>")],
    Discriminator(lambda value: "<weights>" if isinstance(value, dict) else "<name>"),
]
"""A reward's name, or weights by name, a weighted sum."""


class GuardSettings(Settings):
    """Bounds that end a run, each on the mean over `window_steps` steps; null leaves a quantity unwatched."""

    window_steps: int = Field(10, gt=0)
    """Steps that a quantity is averaged over before it is held against its bound: one batch alone is noisy."""
    max_kl: float | None = Field(25.0, gt=0)
    """Largest KL divergence from the reference model, nats a reply."""
    min_entropy: float | None = Field(0.5, ge=0)
    """Smallest entropy of the sampling distribution, nats a token."""
    min_reply_tokens: float | None = Field(None, ge=0)
    """Smallest mean length of a batch's replies, tokens without the one that ends them."""
    max_reply_tokens: float | None = Field(None, gt=0)
    """Largest mean length of a batch's replies, likewise."""
    max_empty_share: float | None = Field(0.5, ge=0, le=1)
    """Largest share of replies in a batch without any word."""
    max_repeated_share: float | None = Field(0.5, ge=0, le=1)
    """Largest share of replies in a batch that say two neighbouring words again (`no no no`)."""
    max_identical_share: float | None = Field(0.5, ge=0, le=1)
    """Largest share of a batch that its most frequent reply may take."""
    max_unfinished_share: float | None = Field(0.8, ge=0, le=1)
    """Largest share of replies in a batch that do not end within max_new_tokens."""
    max_ratio: float | None = Field(None, gt=1)
    """Largest probability ratio of new to old policy in a step's minibatches."""
    max_clip_share: float | None = Field(None, ge=0, le=1)
    """Largest share of tokens whose policy loss is clipped."""
    max_value_error: float | None = Field(None, gt=0)
    """Largest root mean squared error of the values before an update, in units of the reward."""
    max_held_out_drop: float | None = Field(None, ge=0)
    """Largest fall of the held-out accuracy below the start's, percentage points; each evaluation by itself."""


class RolloutSettings(Settings):
    """What every method that rewards sampled replies has; a step is one rollout and the updates on it."""

    batch_size: int = Field(16, gt=0)
    """Replies in a rollout."""
    minibatch_size: int = Field(4, gt=0)
    """Replies in an optimiser step; divides batch_size."""
    learning_rate: float = Field(1.41e-5, gt=0)
    """Learning rate of Adam, constant."""
    max_gradient_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm."""
    max_new_tokens: int = Field(20, gt=0)
    """Longest reply in tokens, the token that ends it (speaker tag or end of sequence) included."""
    unfinished_reward: float | None = -1.0
    """Reward of a reply that does not end within max_new_tokens, in place of its own; null keeps its own."""
    length_control: bool = True
    """Whether an update leaves out of a rollout's rewards what the length of its replies explains, so that a
    reward that likes short or long ones does not teach length."""
    held_out_prompts: float = Field(0.2, ge=0, lt=1)
    """Share of the prompts that no rollout has; what replies to them earn, at each evaluation, chooses `best`.
    With 0 it is what the rollouts earned."""
    evaluate_every: int = Field(50, gt=0)
    """Steps between evaluations: held-out reward and accuracy, and the choice of `best`."""
    held_out_tolerance: float = Field(0.7, ge=0)
    """Percentage points that the held-out accuracy of `best` may lie below the start's: its standard error
    (0.7 for 5,000 pairs)."""
    length_tolerance: float | None = Field(0.3, ge=0)
    """Share by which the mean length of replies to held-out prompts, in words, may differ from the start's in
    `best`; null: by any."""
    diversity_tolerance: float | None = Field(0.3, ge=0)
    """Likewise for their distinct-2, the share of different pairs of neighbouring words."""
    guard: GuardSettings = GuardSettings()
    """What ends a run early."""

    def divides_batch(self, *names: str) -> None:
        """Raises ValueError if one of these settings does not divide batch_size."""
        for name in names:
            if self.batch_size % getattr(self, name):
                raise ValueError(f"{name} {getattr(self, name)} does not divide batch_size {self.batch_size}")


class PPOSettings(RolloutSettings):
    """Proximal policy optimisation of replies (Schulman et al. 2017; KL reward of Ziegler et al. 2019)."""

    prompts: int = Field(32_000, gt=0)
    """Episodes: one sampled reply to one prompt each; prompts are repeated, reshuffled, as often as it takes."""
    epochs_per_batch: int = Field(4, gt=0)
    """Passes over each rollout."""
    reply: Literal["turn", "published"] = "turn"
    """What a rollout samples after a prompt: the child's turn, which its tag opens and the next one ends; or, as
    published, max_new_tokens tokens after the bare prompt, all trained on and rewarded for the child's first turn
    among them. Held-out prompts are answered with a turn either way."""
    temperature: Scheduled = 1.0
    """Divides the logits of policy and reference, in sampling and in the loss alike; above 0; or a schedule."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus that replies are sampled from. Below 1, the nucleus of each sampled position is kept, and
    log-probabilities, entropy and KL are of the distribution renormalised over it."""

    gamma: float = Field(1.0, ge=0, le=1)
    """Discount factor a token."""
    gae_lambda: float = Field(0.95, ge=0, le=1)
    """Lambda of generalised advantage estimation: 0 is one-step, 1 is Monte Carlo."""
    clip_range: float = Field(0.2, gt=0)
    """Probability ratios count within 1 - clip_range to 1 + clip_range."""
    value_start: Literal["mean", "zero"] = "mean"
    """What the values are before any update: the mean return of the first rollout, or 0. From 0 a reward that is
    positive in the mean favours the last tokens of a reply, and so short replies, until the values have grown; a
    negative one long replies."""
    value_clip_range: float = Field(0.2, gt=0)
    """Value estimates count within this distance of those at sampling."""
    value_coefficient: float = Field(0.1, ge=0)
    """Weight of the value loss."""
    entropy_coefficient: Scheduled = 0.0
    """Weight of the entropy bonus (nats a token), or a schedule."""
    language_model_coefficient: float = Field(0.0, ge=0)
    """Weight of the language-model loss (nats a token) on minibatch_size corpus texts; 0 leaves it out."""

    kl_penalty: Literal["k1", "k3", "abs"] = "k1"
    """Estimate of the KL divergence that is taken off each token's reward: the log-ratio of policy to reference
    (k1), Schulman's unbiased positive k3, or the absolute log-ratio (the published confidence run)."""
    kl_coefficient: Scheduled = 0.2
    """Weight of the KL penalty, at the start if it adapts; or, with kl_target null, a schedule."""
    kl_target: float | None = Field(6.0, gt=0)
    """KL in nats a reply that the coefficient is steered to; null keeps the coefficient fixed."""
    kl_horizon: int = Field(10_000, gt=0)
    """Episodes over which the coefficient adapts: larger is slower."""
    whiten_rewards: bool = False
    """Whether per-token rewards are scaled to unit variance in each batch."""

    @field_validator("temperature")
    @classmethod
    def _above_zero(cls, temperature: float | Schedule) -> float | Schedule:
        if (lowest := min(all_values(temperature))) == 0:
            raise ValueError(f"the temperature must be above 0, not {lowest:g}")
        return temperature

    @model_validator(mode="after")
    def _consistent(self):
        if isinstance(self.kl_coefficient, Schedule) and self.kl_target is not None:
            raise ValueError(
                "kl_coefficient: a schedule needs kl_target: null, or the coefficient would adapt as well"
            )
        if self.kl_coefficient == 0 and self.kl_target is not None:
            raise ValueError("kl_coefficient: 0 can adapt to no kl_target; raise it, or set kl_target: null")
        self.divides_batch("minibatch_size")
        if self.prompts < self.batch_size:
            raise ValueError(f"prompts {self.prompts} is less than one batch of {self.batch_size}")
        return self

    @property
    def steps(self) -> int:
        """Rollouts that the policy is updated on."""
        return self.prompts // self.batch_size

    def at(self, step: int) -> Self:
        """The settings of a step, with a number in the place of every schedule."""
        scheduled = ("temperature", "entropy_coefficient", "kl_coefficient")
        return self.model_copy(update={name: value_at(getattr(self, name), step) for name in scheduled})
