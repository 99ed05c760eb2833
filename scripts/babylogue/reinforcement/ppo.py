"""PPO from rollout to update, as one loop (Schulman et al. 2017; KL in the reward, Ziegler et al. 2019).

It survives being killed. The random numbers of a step depend on the seed and the step alone: none are kept.
"""

import copy
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..errors import UserError
from ..logs import logger, progress
from ..model.state import TrainingState
from ..scoring.architecture import context_length
from . import objective
from .corpus import corpus_batches
from .guard import UPDATE, Watch, weights
from .measures import checked_rewards, held_out_replies, measure_reference, penalised, trained_on
from .policy import Policy, action_states, log_distribution, mixed_precision
from .records import PPOResult, describe_rollout, log_table, sample_rows
from .rewards.base import Reward
from .rollouts import Rollout, as_published, encode_prompts, sample, stop_tokens
from .settings import PPOSettings


@dataclass
class _Position:
    """Where the training stands, and what it has to tell."""

    step: int = 0  # the next one
    stopped: str | None = None
    log: list[dict] = field(default_factory=list)
    samples: list[dict] = field(default_factory=list)


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
    held_out_prompts: Sequence[str] = (),
    state: TrainingState | None = None,
    report: Callable[[dict], None] = lambda row: None,
) -> PPOResult:
    """Tune `model`, in place, to write replies that `reward` likes; the reference is a copy of it at the start.

    `prompts` and `held_out_prompts` are turns such as `*MOT: what is that ?`; the child's tag is added here.
    `held_out` gives the dialogue accuracy of a model in percent. `corpus_texts` are needed by the language-model
    loss only.
    Deterministic for a seed (on a CPU with the same number of threads), if `reward` draws nothing at random, or
    draws it from torch's own generator.

    With `state` it goes on from what that holds, which ends in the same weights and the same log to the bit on a
    CPU, if the reward of a reply does not depend on replies before it; `model` must be the parent again.

    `report` gets each row of the log (`records.LOG_COLUMNS`) as it is made. Row `step` is about the policy after
    that many updates: its rollout, its held-out accuracy where evaluated, and the update that then follows.

    Raises `UserError` for prompts, texts or rewards that cannot be used, and when the disk is full.
    """
    if not prompts:
        raise UserError("PPO has no prompts: choose another part of the corpus")
    if settings.language_model_coefficient and not corpus_texts:
        raise UserError("language_model_coefficient needs corpus texts: provide them, or set it to 0")
    published, room = settings.reply == "published", context_length(model) - settings.max_new_tokens
    encoded = encode_prompts(tokenizer, prompts, room, bare=published)
    stops = [] if published else stop_tokens(tokenizer)
    generator = torch.Generator(model.device)

    policy = Policy(model.requires_grad_(True))
    reference = copy.deepcopy(model).requires_grad_(False)
    optimiser = torch.optim.Adam(policy.parameters(), lr=settings.learning_rate, fused=True)
    controller = _kl_controller(settings)
    watch = Watch(settings)
    parts = {"policy": policy, "optimiser": optimiser, "controller": controller, "watch": watch}
    at = _restored(state, parts) or _Position()

    batches = _batches(len(prompts), settings.batch_size, seed, at.step)
    # One rollout more than updates: the last one judges the final policy.
    steps = range(at.step, at.step if at.stopped else settings.steps + 1)
    for step in progress(steps, total=settings.steps + 1, initial=at.step, description="PPO", unit="step"):
        row: dict = {"step": step, "episodes": (step + 1) * settings.batch_size}
        rng = np.random.default_rng([seed, step])
        for seeded in (generator, torch):  # torch's own is for a reward that samples
            seeded.manual_seed(int(rng.integers(2**63)))
        now = settings.at(step)
        row |= {"temperature": now.temperature, "entropy_coefficient": now.entropy_coefficient}
        if now.kl_target is None:
            controller.coefficient = now.kl_coefficient

        with _timed(row, "seconds_generation"):
            batch = next(batches)
            rollout = sample(
                policy,
                tokenizer,
                [encoded[index] for index in batch],
                stops=stops,
                max_new_tokens=settings.max_new_tokens,
                temperature=now.temperature,
                top_p=settings.top_p,
                generator=generator,
            )
            if published:
                rollout = as_published(tokenizer, rollout)

        with _timed(row, "seconds_reward"):
            asked = [prompts[index] for index in batch]
            rewards, terms = checked_rewards(reward, asked, rollout.replies, step)
            scores = penalised(rewards, rollout, settings)
        row |= terms
        at.samples += sample_rows(step, asked, rollout, rewards, scores, held_out=False)

        with _timed(row, "seconds_training"):
            reference_log_probs, kl_full = measure_reference(policy, reference, rollout, now.temperature)
        row |= describe_rollout(rollout, scores, reference_log_probs, kl_full)
        row["kl_coefficient"] = controller.coefficient

        last = step == settings.steps
        evaluated = last or step % settings.evaluate_every == 0
        if evaluated:
            with _timed(row, "seconds_held_out"), torch.no_grad():
                measured, said = held_out_replies(
                    policy, tokenizer, held_out_prompts, reward, settings, step=step, seed=seed
                )
                at.samples += said
                row |= measured | {"held_out_accuracy": float(held_out(model)) if held_out else math.nan}
        at.stopped = watch.judge(row, model, evaluated=evaluated)

        if not (last or at.stopped):
            with _timed(row, "seconds_training"):
                kl = objective.KL_PENALTIES[settings.kl_penalty](rollout.log_probs, reference_log_probs)
                if step == 0 and settings.value_start == "mean":
                    policy.start_values(_mean_return(rollout, scores, settings))
                aims = trained_on(scores, _expected(policy, rollout, settings), rollout, settings)
                row["length_effect"] = float((scores - aims).std(correction=0))
                targets = _targets(policy, rollout, aims, kl, controller.coefficient, settings)
                estimated = targets.values, targets.returns, rollout.actions
                row["value_error"] = objective.value_error(*estimated)
                row["explained_variance"] = objective.explained_variance(*estimated)
                corpus = _corpus(tokenizer, corpus_texts, settings, model, rng)
                row |= update(policy, optimiser, rollout, targets, now, rng, corpus)
            row["learning_rate"] = optimiser.param_groups[0]["lr"]
            controller.update(float(kl.sum(dim=1).mean()), settings.batch_size)
            at.stopped = watch.guard.check({name: row[name] for name in UPDATE})
        if at.stopped:
            row["stopped"] = at.stopped
        at.log.append(row)
        at.step += 1
        report(row)
        if state is not None and (last or at.stopped or state.is_due()):
            state.save(at.step, _state(at, parts))
        if at.stopped:
            break
    if at.stopped:
        logger.warning(
            "PPO stopped at step %d: %s; best is step %s", at.step - 1, at.stopped, watch.best.step or 0
        )

    return PPOResult(
        final=weights(model),
        best=watch.best.weights or weights(reference),
        best_step=watch.best.step or 0,
        stopped=at.stopped,
        log=log_table(at.log),
        samples=pd.DataFrame(at.samples),
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
                with mixed_precision(policy.device):
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
def _expected(policy: Policy, rollout: Rollout, settings: PPOSettings) -> torch.Tensor:
    """What the prompts let expect (B,); 0 where values are of whitened rewards, which are in another unit."""
    values = policy.values(rollout.hidden[:, 0])
    return torch.zeros_like(values) if settings.whiten_rewards else values


def _token_rewards(
    rollout: Rollout, scores: torch.Tensor, kl: torch.Tensor, kl_coefficient: float, settings: PPOSettings
) -> torch.Tensor:
    """Each token's reward (B, T), whitened if so set; `kl` (B, T) is taken off."""
    rewards = objective.token_rewards(scores, kl, kl_coefficient, rollout.actions)
    if settings.whiten_rewards:
        rewards = objective.whiten(rewards, rollout.actions, shift_mean=False)
    return rewards


def _mean_return(rollout: Rollout, scores: torch.Tensor, settings: PPOSettings) -> torch.Tensor:
    """The mean return of a rollout's tokens, of a policy that is the reference: the best single value."""
    none = torch.zeros_like(rollout.log_probs)
    rewards = _token_rewards(rollout, scores, none, 0.0, settings)
    _, returns = objective.advantages_and_returns(
        rewards, none, rollout.actions, gamma=settings.gamma, gae_lambda=1.0
    )
    return objective.masked_mean(returns, rollout.actions)


@torch.no_grad()
def _targets(
    policy: Policy,
    rollout: Rollout,
    scores: torch.Tensor,
    kl: torch.Tensor,
    kl_coefficient: float,
    settings: PPOSettings,
) -> Targets:
    """Values, advantages (whitened) and returns of a rollout; `kl` (B, T) is taken off the tokens' rewards."""
    rewards = _token_rewards(rollout, scores, kl, kl_coefficient, settings)
    values = policy.values(rollout.hidden)
    advantages, returns = objective.advantages_and_returns(
        rewards, values, rollout.actions, gamma=settings.gamma, gae_lambda=settings.gae_lambda
    )
    return Targets(values=values, advantages=objective.whiten(advantages, rollout.actions), returns=returns)


def _kl_controller(settings: PPOSettings) -> objective.FixedKL:
    if settings.kl_target is None:
        return objective.FixedKL(settings.kl_coefficient)
    return objective.AdaptiveKL(settings.kl_coefficient, settings.kl_target, settings.kl_horizon)


def _corpus(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str] | None,
    settings: PPOSettings,
    model: PreTrainedModel,
    rng: np.random.Generator,
) -> Iterator[dict[str, torch.Tensor]] | None:
    """Minibatches for the language-model loss; None if it is off."""
    if not settings.language_model_coefficient:
        return None
    return corpus_batches(
        tokenizer,
        texts,
        size=settings.minibatch_size,
        max_tokens=context_length(model),
        device=model.device,
        rng=rng,
    )


def _batches(prompts: int, size: int, seed: int, step: int) -> Iterator[list[int]]:
    """Endless batches of prompt indices from that of `step` on; each prompt once before any comes again."""
    passes, seen = divmod(step * size, prompts)
    waiting: list[int] = []
    for number in count(passes):
        # The last number tells these streams from the steps'.
        order = np.random.default_rng([seed, number, 1]).permutation(prompts).tolist()
        waiting += order[seen:] if number == passes else order
        while len(waiting) >= size:
            yield waiting[:size]
            del waiting[:size]


def _state(at: _Position, parts: Mapping[str, Any]) -> dict[str, Any]:
    return {"position": vars(at)} | {name: part.state_dict() for name, part in parts.items()}


def _restored(state: TrainingState | None, parts: Mapping[str, Any]) -> _Position | None:
    """Put the last state, if there is one, into the training's parts; where it stood."""
    saved = state.load() if state is not None else None
    if saved is None:
        return None
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    at = _Position(**saved["position"])
    logger.info("going on from step %d", at.step)
    return at


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
