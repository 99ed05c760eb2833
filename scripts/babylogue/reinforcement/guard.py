"""The guard that stops a degenerating run, and the choice of the checkpoint that is kept as `best`."""

import math
from collections import defaultdict, deque
from collections.abc import Mapping

import torch
from transformers import PreTrainedModel

from .settings import GuardSettings

# Quantity in the log, its bound in the settings, what it is called in the reason.
UPPER_BOUNDS = (
    ("kl_k1", "max_kl", "KL from the reference (nats a reply)"),
    ("empty_share", "max_empty_share", "share of empty replies"),
    ("identical_share", "max_identical_share", "share of the most frequent reply"),
    ("unfinished_share", "max_unfinished_share", "share of unfinished replies"),
    ("ratio_max", "max_ratio", "largest probability ratio"),
    ("clip_share", "max_clip_share", "share of clipped tokens"),
)
LOWER_BOUNDS = (("entropy", "min_entropy", "entropy (nats a token)"),)
FINITE = ("reward_mean", "kl_k1", "entropy", "gradient_norm")


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
        for bounds, word, sign in ((UPPER_BOUNDS, "above", 1), (LOWER_BOUNDS, "below", -1)):
            for quantity, setting, name in bounds:
                bound = getattr(self.settings, setting)
                if bound is None or quantity not in row:
                    continue
                recent = self._recent[quantity]
                recent.append(row[quantity])
                mean = sum(recent) / len(recent)
                if len(recent) == recent.maxlen and sign * (mean - bound) > 0:
                    over = f"over the last {recent.maxlen} steps" if recent.maxlen > 1 else "in this step"
                    return f"{name} is {mean:.3g} {over}, {word} {setting} {bound:g}"
        return self._check_accuracy(row.get("held_out_accuracy", math.nan))

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

    The rule: of the evaluations that no guard event preceded, and whose held-out accuracy is not below the
    start's by more than `tolerance` percentage points, the one with the highest mean reward since the
    evaluation before it (the later of equals). The start itself, whose accuracy is the yardstick, is kept only
    as long as no evaluation qualifies. Without held-out data the reward decides alone.
    """

    def __init__(self, tolerance: float):
        self.tolerance = tolerance
        self.step: int | None = None
        self.state: dict[str, torch.Tensor] = {}
        self._start_accuracy = math.nan
        self._reward = -math.inf

    def offer(self, step: int, reward: float, accuracy: float, model: PreTrainedModel) -> bool:
        """Judge an evaluation (`accuracy` in percent, NaN if none); the first is the start. Whether it is kept."""
        if self.step is None:
            self._start_accuracy = accuracy
            self._keep(step, model)
            return True
        if accuracy < self._start_accuracy - self.tolerance or reward < self._reward:
            return False
        self._reward = reward
        self._keep(step, model)
        return True

    def _keep(self, step: int, model: PreTrainedModel) -> None:
        self.step = step
        self.state = weights(model)


def weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """A copy of the model's weights in main memory."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
