"""What a PPO run records: the columns of its log, and its result."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import numpy as np
import pandas as pd
import torch

from ..dialogue import words
from . import objective
from .rollouts import Rollout

LOG_COLUMNS = {
    "step": "updates that the policy has had",
    "episodes": "replies rewarded so far, this rollout's included",
    "reward_mean": "mean reward of the rollout, after the penalty for unfinished replies",
    "reward_std": "standard deviation of the same",
    "length_effect": "standard deviation of what length control took off the rewards; missing without an update",
    "kl_k1": "KL from the reference by k1, nats a reply",
    "kl_k3": "KL from the reference by k3, nats a reply",
    "kl_full": "KL from the reference over the whole vocabulary at the sampled positions, nats a reply",
    "kl_coefficient": "weight of the KL penalty",
    "entropy_coefficient": "weight of the entropy bonus",
    "temperature": "temperature of the rollout and of its update",
    "entropy": "entropy of the sampling distribution, nats a token",
    "reply_tokens": "mean length of the replies, without the token that ends them",
    "empty_share": "share of replies without any word",
    "repeated_share": "share of replies that say two neighbouring words again",
    "unfinished_share": "share of replies that did not end within max_new_tokens",
    "identical_share": "share of the most frequent reply",
    "held_out_reward": "mean reward, likewise, of replies to held-out prompts; missing between evaluations",
    "held_out_words": "mean length of the same replies in words; missing between evaluations",
    "held_out_distinct_2": "their distinct-2; missing between evaluations",
    "held_out_accuracy": "dialogue accuracy on held-out pairs, percent; missing between evaluations",
    "value_error": "root mean squared error of the values before the update, units of the reward",
    "explained_variance": "share of the returns' variance that the values explain",
    "policy_loss": "clipped policy loss, mean over minibatches",
    "value_loss": "clipped value loss, mean over minibatches",
    "language_model_loss": "loss on corpus texts, nats a token; missing if it is off",
    "clip_share": "share of tokens whose policy loss is clipped, mean over minibatches",
    "ratio_max": "largest ratio of new to old probability in any minibatch",
    "gradient_norm": "norm of the gradient before clipping, mean over minibatches",
    "learning_rate": "learning rate of the update",
    "seconds_generation": "seconds spent sampling",
    "seconds_reward": "seconds spent in the reward",
    "seconds_held_out": "seconds spent on held-out prompts and pairs; missing between evaluations",
    "seconds_training": "seconds spent in the reference model and the update",
    "checkpoint": "`best` where the policy was kept as such; the last such row is the checkpoint's",
    "stopped": "the guard's reason, in the last row of a run that it stopped",
}
"""Columns of `PPOResult.log` in order, and after them, of a weighted sum, weight_{term} and reward_{term} (mean,
from 0 to 1). A row is about one policy: its rollout, and the update that follows from it (missing in the last
row)."""

SAMPLE_COLUMNS = ("step", "held_out", "prompt", "reply", "reward", "finished", "earned")
"""Of a reply: whether its prompt is a held-out one, the reward as it was given, whether the reply ended, and what
it earned, the reward or the penalty for unfinished ones."""


@dataclass
class PPOResult:
    """What a run leaves: two state dicts of the language model, in main memory, and its records."""

    final: dict[str, torch.Tensor]
    """Weights when the run ended, or was stopped."""
    best: dict[str, torch.Tensor]
    """Weights that the rule of `guard.Best` kept."""
    best_step: int
    """Updates that `best` had had."""
    stopped: str | None
    """The guard's reason, or None if the run came to its end."""
    log: pd.DataFrame
    """One row a step, columns LOG_COLUMNS and those of a sum's terms."""
    samples: pd.DataFrame
    """Every reply, columns SAMPLE_COLUMNS."""


def log_table(rows: Sequence[dict]) -> pd.DataFrame:
    """A run's rows as its log: LOG_COLUMNS, missing where a row has none, then the columns of a sum's terms."""
    table = pd.DataFrame(rows)
    return table.reindex(columns=list(dict.fromkeys([*LOG_COLUMNS, *table.columns])))


def sample_rows(
    step: int,
    prompts: Sequence[str],
    rollout: Rollout,
    rewards: np.ndarray,
    scores: torch.Tensor,
    *,
    held_out: bool,
) -> list[dict]:
    """Rows of the samples: `rewards` (B,) as they were given, `scores` (B,) with the penalty."""
    columns = prompts, rollout.replies, rewards.tolist(), rollout.finished.tolist(), scores.tolist()
    return [dict(zip(SAMPLE_COLUMNS, (step, held_out, *own), strict=True)) for own in zip(*columns, strict=True)]


def describe_rollout(
    rollout: Rollout, scores: torch.Tensor, reference_log_probs: torch.Tensor, kl_full: float
) -> dict[str, float]:
    """The rollout's columns of the log.

    `scores` (B,) are the rewards with the penalty for unfinished replies, `reference_log_probs` (B, T) are 0 where
    masked, `kl_full` is in nats a reply.
    """
    replies = len(rollout.replies)
    log_probs, actions = rollout.log_probs, rollout.actions
    lengths = actions.sum(dim=1) - rollout.end_token.long()
    said = [words(reply) for reply in rollout.replies]
    return {
        "reward_mean": float(scores.mean()),
        "reward_std": float(scores.std(correction=0)),
        # Both estimates are 0 where masked, as the log-probabilities are.
        "kl_k1": float(objective.kl_k1(log_probs, reference_log_probs).sum(dim=1).mean()),
        "kl_k3": float(objective.kl_k3(log_probs, reference_log_probs).sum(dim=1).mean()),
        "kl_full": kl_full,
        "entropy": float(objective.masked_mean(rollout.entropies, actions)),
        "reply_tokens": float(lengths.double().mean()),
        "empty_share": sum(not own for own in said) / replies,
        "repeated_share": sum(map(repeats_itself, said)) / replies,
        "unfinished_share": float((~rollout.finished).double().mean()),
        "identical_share": Counter(rollout.replies).most_common(1)[0][1] / replies,
    }


def describe_held_out(samples: Sequence[Mapping]) -> dict[str, float]:
    """The log's columns on replies to held-out prompts, rows of the samples; NaN of none."""
    said = [words(row["reply"]) for row in samples]
    return {
        "held_out_reward": fmean(row["earned"] for row in samples) if samples else math.nan,
        "held_out_words": fmean(map(len, said)) if said else math.nan,
        "held_out_distinct_2": distinct_2(said),
    }


def distinct_2(said: Sequence[Sequence[str]]) -> float:
    """Share of different ones among the pairs of neighbouring words of replies; a reply is its words.

    NaN if there is no pair. (Li et al. 2016, section 5.4, take the share of the words, not of the pairs.)
    """
    pairs = [pair for own in said for pair in pairwise(own)]
    return len(set(pairs)) / len(pairs) if pairs else math.nan


def repeats_itself(said: Sequence[str]) -> bool:
    """Whether two neighbouring words come again: the bigrams of seq-rep-2 (Welleck et al. 2020, section 6)."""
    pairs = list(pairwise(said))
    return len(set(pairs)) < len(pairs)
