"""The guard that stops a degenerating run, and the choice of the checkpoint that is kept as `best`."""

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import torch
from transformers import PreTrainedModel

from .settings import GuardSettings, RolloutSettings

# Quantity in the log, its bound in the settings (max_: from above, min_: from below), what the reason calls it.
BOUNDS = (
    ("kl_k1", "max_kl", "KL from the reference (nats a reply)"),
    ("entropy", "min_entropy", "entropy (nats a token)"),
    ("reply_tokens", "min_reply_tokens", "mean length of replies (tokens)"),
    ("reply_tokens", "max_reply_tokens", "mean length of replies (tokens)"),
    ("empty_share", "max_empty_share", "share of empty replies"),
    ("repeated_share", "max_repeated_share", "share of replies that repeat themselves"),
    ("identical_share", "max_identical_share", "share of the most frequent reply"),
    ("unfinished_share", "max_unfinished_share", "share of unfinished replies"),
    ("ratio_max", "max_ratio", "largest probability ratio"),
    ("clip_share", "max_clip_share", "share of clipped tokens"),
    ("value_error", "max_value_error", "error of the values (units of the reward)"),
)
FINITE = ("reward_mean", "kl_k1", "entropy", "value_error", "gradient_norm")
UPDATE = ("ratio_max", "clip_share", "value_error", "gradient_norm")
"""What is known only after an update."""
HELD_OUT = ("held_out_accuracy", "held_out_words", "held_out_distinct_2")
"""What is measured at an evaluation beside the reward; NaN if it cannot be."""


class Guard:
    """Watches the rows of a run's log; quantities are averaged over `window_steps` rows before they count."""

    def __init__(self, settings: GuardSettings):
        self.settings = settings
        self._recent: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=settings.window_steps))
        self._start_accuracy: float | None = None

    def check(self, row: Mapping[str, float]) -> str | None:
        """Why the run must stop, or None. Quantities that the row lacks are not judged.

        The reason names the quantity, its value and its bound. A quantity that is not finite is always fatal.
        """
        for quantity in FINITE:
            if quantity in row and not math.isfinite(row[quantity]):
                return f"{quantity} is {row[quantity]}, not a finite number"
        reasons = []
        for quantity, setting, name in BOUNDS:
            if quantity not in row:
                continue
            recent = self._recent[setting]
            recent.append(row[quantity])
            mean = sum(recent) / len(recent)
            if len(recent) == recent.maxlen and self._breaks(setting, mean):
                over = f"over the last {recent.maxlen} steps" if recent.maxlen > 1 else "in this step"
                side, bound = "above" if setting.startswith("max_") else "below", getattr(self.settings, setting)
                reasons.append(f"{name} is {mean:.3g} {over}, {side} {setting} {bound:g}")
        if reason := self._check_accuracy(row.get("held_out_accuracy", math.nan)):
            reasons.append(reason)
        return "; ".join(reasons) or None

    def tolerates(self, row: Mapping[str, float]) -> bool:
        """Whether the row is within every bound by itself, before any average."""
        return not any(quantity in row and self._breaks(setting, row[quantity]) for quantity, setting, _ in BOUNDS)

    def state_dict(self) -> dict[str, Any]:
        """What it remembers of the rows so far, as plain values."""
        recent = {setting: list(values) for setting, values in self._recent.items()}
        return {"recent": recent, "start_accuracy": self._start_accuracy}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Remember what another one did."""
        for setting, values in state["recent"].items():
            self._recent[setting].extend(values)
        self._start_accuracy = state["start_accuracy"]

    def _breaks(self, setting: str, value: float) -> bool:
        bound = getattr(self.settings, setting)
        if bound is None:
            return False
        return value > bound if setting.startswith("max_") else value < bound

    def _check_accuracy(self, accuracy: float) -> str | None:
        if math.isnan(accuracy):
            return None
        if self._start_accuracy is None:
            self._start_accuracy = accuracy
        drop, bound = self._start_accuracy - accuracy, self.settings.max_held_out_drop
        if bound is not None and drop > bound:
            return f"held-out accuracy is {drop:.2f} points below the start's, above max_held_out_drop {bound:g}"
        return None


class Best:
    """Keeps the weights of the best evaluation so far.

    The rule: of the evaluations that no guard event preceded, whose own rollout is within the guard's bounds,
    and whose accuracy on held-out pairs and replies to held-out prompts are within the settings' tolerances of
    the start's, the one with the highest reward on held-out prompts (the later of equals), the start, which is the
    yardstick, among them. Without held-out prompts it is the mean reward since the evaluation before, and the
    start, which has none, is kept only as long as no evaluation qualifies. What the start lacks is not judged.
    """

    def __init__(self, settings: RolloutSettings):
        self.step: int | None = None
        self.weights: dict[str, torch.Tensor] = {}
        self._settings = settings
        self._start: dict[str, float] = {}
        self._reward = -math.inf

    def offer(self, row: Mapping[str, float], reward: float, model: PreTrainedModel) -> bool:
        """Judge an evaluation, a row of the log; the first is the start. Whether it is kept."""
        if self.step is None:
            self._start = {quantity: row[quantity] for quantity in HELD_OUT}
        elif reward < self._reward or not self._tolerates(row):
            return False
        self.step, self._reward = row["step"], reward
        self.weights = weights(model)
        return True

    def state_dict(self) -> dict[str, Any]:
        """What it keeps and remembers, for a state on disk."""
        return {"step": self.step, "weights": self.weights, "start": self._start, "reward": self._reward}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Keep and remember what another one did."""
        self.step, self.weights = state["step"], state["weights"]
        self._start, self._reward = state["start"], state["reward"]

    def _tolerates(self, row: Mapping[str, float]) -> bool:
        changes = {quantity: row[quantity] - start for quantity, start in self._start.items()}
        if changes["held_out_accuracy"] < -self._settings.held_out_tolerance:
            return False
        for quantity, share in (
            ("held_out_words", self._settings.length_tolerance),
            ("held_out_distinct_2", self._settings.diversity_tolerance),
        ):
            # Turned around, so that what can no longer be measured, as of one-word replies, is not tolerated.
            within = abs(changes[quantity]) <= (share or 0) * self._start[quantity]
            if share is not None and not math.isnan(self._start[quantity]) and not within:
                return False
        return True


class Watch:
    """Guard and best over a run: what each row of its log leads to."""

    def __init__(self, settings: RolloutSettings):
        self.guard, self.best = Guard(settings.guard), Best(settings)
        self._rewards: list[float] = []  # means of the rollouts since the last evaluation

    def judge(self, row: dict, model: PreTrainedModel, *, evaluated: bool) -> str | None:
        """Why the run must stop at a rollout, or None. The column checkpoint says so where the model is kept."""
        self._rewards.append(row["reward_mean"])
        reason = self.guard.check(row)
        if evaluated and not reason:
            start, reward = self.best.step is None, row["held_out_reward"]
            if math.isnan(reward):
                reward = -math.inf if start else fmean(self._rewards)
            good = start or self.guard.tolerates(row)
            if good and self.best.offer(row, reward, model):
                row["checkpoint"] = "best"
            self._rewards.clear()
        return reason

    def state_dict(self) -> dict[str, Any]:
        """What all of it remembers, for a state on disk."""
        return {"guard": self.guard.state_dict(), "best": self.best.state_dict(), "rewards": self._rewards}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Remember what another one did."""
        self.guard.load_state_dict(state["guard"])
        self.best.load_state_dict(state["best"])
        self._rewards = list(state["rewards"])


def weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """A copy of the model's weights in main memory."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
