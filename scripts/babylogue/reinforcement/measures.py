"""What is measured of a policy: what its replies earn, and how far it is from the reference."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..dialogue import words
from ..errors import UserError
from ..scoring.architecture import context_length
from . import objective
from .policy import Policy, action_states, log_distribution
from .records import describe_held_out, sample_rows
from .rewards.base import Reward
from .rewards.multi import measured
from .rollouts import Rollout, encode_prompts, sample, stop_tokens
from .settings import RolloutSettings

HELD_OUT_REPLIES = 200  # at an evaluation, to all held-out prompts together, if four to each are enough for it
REFERENCE_ROWS = 64  # replies scored by the reference at a time: bounds the memory for (actions, V) tables


@torch.no_grad()
def measure_reference(
    policy: Policy, reference: PreTrainedModel, rollout: Rollout, temperature: float
) -> tuple[torch.Tensor, float]:
    """Reference log-probability of each action (B, T), 0 where masked, and the mean full KL in nats a reply."""
    rows = len(rollout.replies)
    reference_log_probs = torch.zeros_like(rollout.log_probs)
    kl = 0.0
    for start in range(0, rows, REFERENCE_ROWS):
        chunk = range(start, min(start + REFERENCE_ROWS, rows))
        part = rollout.select(chunk)
        actions, length = part.actions, part.actions.shape[1]
        nucleus = None if part.nucleus is None else part.nucleus[actions]
        hidden = action_states(reference, part.input_ids, part.attention_mask, length)
        log_q = log_distribution(reference, hidden[actions], temperature, nucleus)  # (n, V)
        log_p = log_distribution(policy.language_model, part.hidden[actions], temperature, nucleus)
        taken = log_q.gather(1, part.tokens[actions][:, None])[:, 0]
        reference_log_probs[chunk.start : chunk.stop, :length] = torch.zeros_like(part.log_probs).masked_scatter(
            actions, taken
        )
        kl += float(objective.kl_full(log_p, log_q).sum())
    return reference_log_probs, kl / rows


def checked_rewards(
    reward: Reward, prompts: list[str], replies: list[str], step: int | None
) -> tuple[np.ndarray, dict[str, float]]:
    """The reward's vector (B,) in float64, checked, and what the log says of the terms of a sum.

    A sum has the weights of the step, or, for None, the means of their schedules.
    """
    values, terms = measured(reward, prompts, replies, step)
    rewards = np.asarray(values, dtype=np.float64)
    if rewards.shape != (len(replies),):
        raise UserError(
            f"the reward gave shape {rewards.shape} for {len(replies)} replies: it must give one number each"
        )
    for prompt, reply, value in zip(prompts, replies, rewards, strict=True):
        if not math.isfinite(value):
            raise UserError(f"the reward of reply {reply!r} to {prompt!r} is {value}: it must be finite")
    return rewards, terms


def penalised(rewards: np.ndarray, rollout: Rollout, settings: RolloutSettings) -> torch.Tensor:
    """What each reply earns (B,): its reward, or the penalty if it has not ended."""
    scores = torch.as_tensor(rewards, dtype=rollout.log_probs.dtype, device=rollout.log_probs.device)
    if settings.unfinished_reward is None:
        return scores
    return torch.where(rollout.finished, scores, settings.unfinished_reward)


def trained_on(
    scores: torch.Tensor, expected: torch.Tensor, rollout: Rollout, settings: RolloutSettings
) -> torch.Tensor:
    """What the update aims at (B,): what each reply earns, with `length_control` without what its length explains.

    `expected` (B,) is what the prompt lets expect. A penalty, and the floor of replies without words, far from all
    else and at one end of the lengths, have no part in it.
    """
    if not settings.length_control:
        return scores
    said = torch.tensor([bool(words(reply)) for reply in rollout.replies], device=scores.device)
    if settings.unfinished_reward is not None:
        said &= rollout.finished
    if not said.any():
        return scores
    lengths = rollout.actions.sum(dim=1)
    return scores.masked_scatter(
        said, objective.without_length(scores[said], expected[said].to(scores.dtype), lengths[said])
    )


def held_out_replies(
    policy: Policy,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    reward: Reward,
    settings: RolloutSettings,
    *,
    step: int,
    seed: int,
) -> tuple[dict[str, float], list[dict]]:
    """The log's columns on replies to held-out prompts, and the replies as rows of the samples.

    They are drawn from the policy as it is, at temperature 1, by random numbers that depend on the seed alone, and
    scheduled weights of a reward are at their mean, so that evaluations differ by the policy.
    """
    generator = torch.Generator(policy.device).manual_seed(seed)
    room, samples = context_length(policy.language_model), []
    everything = list(prompts) * min(4, max(1, HELD_OUT_REPLIES // max(1, len(prompts))))
    for first in range(0, len(everything), settings.batch_size):
        asked = everything[first : first + settings.batch_size]
        rollout = sample(
            policy,
            tokenizer,
            encode_prompts(tokenizer, asked, room),
            stops=stop_tokens(tokenizer),
            max_new_tokens=settings.max_new_tokens,
            temperature=1.0,
            top_p=1.0,
            generator=generator,
        )
        rewards, _ = checked_rewards(reward, asked, rollout.replies, None)
        scores = penalised(rewards, rollout, settings)
        samples += sample_rows(step, asked, rollout, rewards, scores, held_out=True)
    return describe_held_out(samples), samples
