"""PPO from rollout to update, as one loop (Schulman et al. 2017; KL in the reward, Ziegler et al. 2019)."""

import copy
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..errors import UserError
from ..logs import logger, progress
from . import objective
from .corpus import corpus_batches
from .guard import Best, Guard, weights
from .policy import Policy, action_states, log_distribution
from .records import LOG_COLUMNS, PPOResult, describe_rollout
from .rollouts import Rollout, encode_prompts, sample, stop_tokens
from .settings import PPOSettings

Reward = Callable[[list[str], list[str]], np.ndarray]
"""Prompts and replies (without tags) to one reward each, (B,)."""

REFERENCE_ROWS = 64  # replies scored by the reference at a time: bounds the memory for (actions, V) tables


@dataclass
class Targets:
    """What a rollout's update aims at; fixed while its minibatches are worked through. (B, T) each."""

    values: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor


def train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    reward: Reward,
    settings: PPOSettings,
    *,
    seed: int,
    corpus_texts: Sequence[str] | None = None,
    held_out: Callable[[PreTrainedModel], float] | None = None,
    report: Callable[[dict], None] = lambda row: None,
) -> PPOResult:
    """Tune `model`, in place, to write replies that `reward` likes; the reference is a copy of it at the start.

    `prompts` are turns such as `*MOT: what is that ?`; the child's tag is added here. `held_out` gives the
    dialogue accuracy of a model in percent. `corpus_texts` are needed by the language-model loss only.
    Deterministic for a seed (on a CPU with the same number of threads).

    `report` gets each row of the log (`records.LOG_COLUMNS`) as it is made. Row `step` is about the policy after
    that many updates: its rollout, its held-out accuracy where evaluated, and the update that then follows.

    Raises `UserError` for prompts, texts or rewards that cannot be used.
    """
    if not prompts:
        raise UserError("PPO has no prompts: choose another part of the corpus")
    if settings.language_model_coefficient and not corpus_texts:
        raise UserError("language_model_coefficient needs corpus texts: provide them, or set it to 0")
    encoded = encode_prompts(tokenizer, prompts, model.config.max_position_embeddings - settings.max_new_tokens)
    stops = stop_tokens(tokenizer)
    rng = np.random.default_rng(seed)
    generator = torch.Generator(model.device).manual_seed(seed)

    policy = Policy(model.requires_grad_(True))
    reference = copy.deepcopy(model).requires_grad_(False)
    optimiser = torch.optim.Adam(policy.parameters(), lr=settings.learning_rate, fused=True)
    controller = _kl_controller(settings)
    guard, best = Guard(settings.guard), Best(settings.held_out_tolerance)
    log: list[dict] = []
    samples: list[dict] = []
    recent_rewards: list[float] = []
    stopped = None

    corpus = None
    if settings.language_model_coefficient:
        corpus = corpus_batches(
            tokenizer,
            corpus_texts,
            size=settings.minibatch_size,
            max_tokens=model.config.max_position_embeddings,
            device=model.device,
            rng=rng,
        )
    batches = _batches(len(prompts), settings.batch_size, rng)
    # One rollout more than updates: the last one judges the final policy.
    for step in progress(range(settings.steps + 1), description="PPO", unit="step"):
        row: dict = {"step": step, "episodes": (step + 1) * settings.batch_size}
        log.append(row)

        with _timed(row, "seconds_generation"):
            batch = next(batches)
            rollout = sample(
                policy,
                tokenizer,
                [encoded[index] for index in batch],
                stops=stops,
                max_new_tokens=settings.max_new_tokens,
                temperature=settings.temperature,
                top_p=settings.top_p,
                generator=generator,
            )

        with _timed(row, "seconds_reward"):
            asked = [prompts[index] for index in batch]
            rewards = checked_rewards(reward, asked, rollout.replies)
        for prompt, reply, value, finished in zip(
            asked, rollout.replies, rewards.tolist(), rollout.finished.tolist(), strict=True
        ):
            samples.append({"step": step, "prompt": prompt, "reply": reply, "reward": value, "finished": finished})

        with _timed(row, "seconds_training"):
            scores = penalised(rewards, rollout, settings)
            reference_log_probs, kl_full = measure_reference(policy, reference, rollout, settings)
        row |= describe_rollout(rollout, scores, reference_log_probs, kl_full)
        row["kl_coefficient"] = controller.coefficient
        recent_rewards.append(row["reward_mean"])

        last = step == settings.steps
        evaluated = last or step % settings.evaluate_every == 0
        row["held_out_accuracy"] = math.nan
        if evaluated and held_out is not None:
            with _timed(row, "seconds_held_out"), torch.no_grad():
                row["held_out_accuracy"] = float(held_out(model))
        stopped = guard.check(row)
        if evaluated and not stopped:
            best.offer(step, float(np.mean(recent_rewards)), row["held_out_accuracy"], model)
            recent_rewards.clear()

        if not (last or stopped):
            with _timed(row, "seconds_training"):
                targets = _targets(policy, rollout, scores, reference_log_probs, controller.coefficient, settings)
                row["explained_variance"] = objective.explained_variance(
                    targets.values, targets.returns, rollout.actions
                )
                row |= update(policy, optimiser, rollout, targets, settings, rng, corpus)
            row["learning_rate"] = optimiser.param_groups[0]["lr"]
            controller.update(row["kl_k1"], settings.batch_size)
            stopped = guard.check({name: row[name] for name in ("gradient_norm", "ratio_max", "clip_share")})
        report(row)
        if stopped:
            logger.warning("PPO stopped at step %d: %s; best is step %s", step, stopped, best.step)
            break

    return PPOResult(
        final=weights(model),
        best=best.state or weights(reference),
        best_step=best.step or 0,
        stopped=stopped,
        log=pd.DataFrame(log).reindex(columns=list(LOG_COLUMNS)),
        samples=pd.DataFrame(samples),
    )


def update(
    policy: Policy,
    optimiser: torch.optim.Optimizer,
    rollout: Rollout,
    targets: Targets,
    settings: PPOSettings,
    rng: np.random.Generator,
    corpus: Iterator[dict[str, torch.Tensor]] | None = None,
) -> dict[str, float]:
    """One optimiser step a minibatch, over `epochs_per_batch` reshuffled passes; means of what was measured.

    Ends early, without applying the step, at a gradient that is not finite; the mean norm then is not either.
    """
    measured: dict[str, list[float]] = defaultdict(list)
    for _ in range(settings.epochs_per_batch):
        order = rng.permutation(len(rollout.replies))
        for start in range(0, len(order), settings.minibatch_size):
            rows = order[start : start + settings.minibatch_size]
            loss, parts = minibatch_loss(policy, rollout, targets, rows, settings)
            if corpus is not None:
                corpus_loss = policy.language_model(**next(corpus)).loss
                loss = loss + settings.language_model_coefficient * corpus_loss
                parts["language_model_loss"] = corpus_loss.detach()
            optimiser.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(policy.parameters(), settings.max_gradient_norm)
            for name, value in (parts | {"gradient_norm": norm}).items():
                measured[name].append(float(value))
            if not math.isfinite(measured["gradient_norm"][-1]):
                return _summary(measured)
            optimiser.step()
    return _summary(measured)


def minibatch_loss(
    policy: Policy, rollout: Rollout, targets: Targets, rows: Sequence[int], settings: PPOSettings
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Policy loss + value loss - entropy bonus of some rows (Schulman et al. 2017, equation 9), and its parts.

    All means are over the sampled tokens of the rows.
    """
    part = rollout.select(rows)
    actions, length = part.actions, part.actions.shape[1]
    index = torch.as_tensor(rows, device=policy.device)
    values, advantages, returns = (
        x[index][:, :length] for x in (targets.values, targets.advantages, targets.returns)
    )
    hidden = action_states(policy.language_model, part.input_ids, part.attention_mask, length)  # (b, t, H)
    # The vocabulary is wide: distributions (n, V) are made at the n sampled tokens only.
    log_p = log_distribution(
        policy.language_model,
        hidden[actions],
        settings.temperature,
        None if part.nucleus is None else part.nucleus[actions],
    )
    taken = log_p.gather(1, part.tokens[actions][:, None])[:, 0]  # (n,)
    log_probs = torch.zeros_like(part.log_probs).masked_scatter(actions, taken)  # (b, t)

    clipped = objective.policy_loss(log_probs, part.log_probs, advantages, actions, settings.clip_range)
    value_loss = objective.value_loss(policy.values(hidden), values, returns, actions, settings.value_clip_range)
    loss = clipped.loss + settings.value_coefficient * value_loss
    if settings.entropy_coefficient:
        loss = loss - settings.entropy_coefficient * objective.entropy(log_p).mean()
    parts = {
        "policy_loss": clipped.loss.detach(),
        "value_loss": value_loss.detach(),
        "clip_share": clipped.clip_share,
        "ratio_max": clipped.max_ratio,
    }
    return loss, parts


@torch.no_grad()
def _targets(
    policy: Policy,
    rollout: Rollout,
    scores: torch.Tensor,
    reference_log_probs: torch.Tensor,
    kl_coefficient: float,
    settings: PPOSettings,
) -> Targets:
    """Rewards, values, advantages (whitened) and returns of a rollout."""
    actions = rollout.actions
    kl = objective.KL_PENALTIES[settings.kl_penalty](rollout.log_probs, reference_log_probs)
    rewards = objective.token_rewards(scores, kl, kl_coefficient, actions)
    if settings.whiten_rewards:
        rewards = objective.whiten(rewards, actions, shift_mean=False)
    values = policy.values(rollout.hidden)
    advantages, returns = objective.advantages_and_returns(
        rewards, values, actions, gamma=settings.gamma, gae_lambda=settings.gae_lambda
    )
    return Targets(values=values, advantages=objective.whiten(advantages, actions), returns=returns)


@torch.no_grad()
def measure_reference(
    policy: Policy, reference: PreTrainedModel, rollout: Rollout, settings: PPOSettings
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
        log_q = log_distribution(reference, hidden[actions], settings.temperature, nucleus)  # (n, V)
        log_p = log_distribution(policy.language_model, part.hidden[actions], settings.temperature, nucleus)
        taken = log_q.gather(1, part.tokens[actions][:, None])[:, 0]
        reference_log_probs[chunk.start : chunk.stop, :length] = torch.zeros_like(part.log_probs).masked_scatter(
            actions, taken
        )
        kl += float(objective.kl_full(log_p, log_q).sum())
    return reference_log_probs, kl / rows


def checked_rewards(reward: Reward, prompts: list[str], replies: list[str]) -> np.ndarray:
    """The reward's vector (B,) in float64, checked."""
    rewards = np.asarray(reward(prompts, replies), dtype=np.float64)
    if rewards.shape != (len(replies),):
        raise UserError(
            f"the reward gave shape {rewards.shape} for {len(replies)} replies: it must give one number each"
        )
    for prompt, reply, value in zip(prompts, replies, rewards, strict=True):
        if not math.isfinite(value):
            raise UserError(f"the reward of reply {reply!r} to {prompt!r} is {value}: it must be finite")
    return rewards


def penalised(rewards: np.ndarray, rollout: Rollout, settings: PPOSettings) -> torch.Tensor:
    """What each reply earns (B,): its reward, or the penalty if it has not ended."""
    scores = torch.as_tensor(rewards, dtype=rollout.log_probs.dtype, device=rollout.log_probs.device)
    if settings.unfinished_reward is None:
        return scores
    return torch.where(rollout.finished, scores, settings.unfinished_reward)


def _kl_controller(settings: PPOSettings) -> objective.KLController:
    if settings.kl_target is None:
        return objective.FixedKL(settings.kl_coefficient)
    return objective.AdaptiveKL(settings.kl_coefficient, settings.kl_target, settings.kl_horizon)


def _batches(prompts: int, size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Endless batches of prompt indices; each prompt once before any comes again."""
    waiting: list[int] = []
    while True:
        while len(waiting) < size:
            waiting.extend(rng.permutation(prompts).tolist())
        yield waiting[:size]
        waiting = waiting[size:]


def _summary(measured: dict[str, list[float]]) -> dict[str, float]:
    """Means over the minibatches; of the ratio, the largest."""
    return {
        name: max(values) if name == "ratio_max" else float(np.mean(values)) for name, values in measured.items()
    }


@contextmanager
def _timed(row: dict, name: str):
    """Add the seconds spent inside to a column."""
    start = time.perf_counter()
    yield
    row[name] = row.get(name, 0.0) + time.perf_counter() - start
