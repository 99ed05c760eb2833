"""GRPO and RLOO by trl, with PPO's rewards, guard, log and choice of `best`; they survive being killed."""

import copy
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from ..dialogue import CHILD, speaker_tag
from ..errors import UserError
from ..logs import logger, progress
from ..model.checkpoints import no_space_is_a_user_error
from ..model.state import TrainingState
from ..preferences.accuracy import pair_accuracy
from ..scoring.architecture import CHECKPOINTING, context_length
from ..tokenizer.loading import encode_open
from .continuing import way_of
from .group_settings import GroupSettings, GRPOSettings, RLOOSettings
from .guard import UPDATE, Watch, weights
from .measures import checked_rewards, held_out_replies, measure_reference, penalised, trained_on
from .policy import Policy
from .records import PPOResult, describe_rollout, log_table, sample_rows
from .rewards.base import Reward
from .rollouts import Rollout, encode_prompts, observe, stop_tokens

STATE = "checkpoint-{}"
"""What the trainer calls its own states."""
RECORDS = "records.pt"
"""What we lay into them: rows of the log, samples, what guard and `best` remember."""
_TRAINERS = {GRPOSettings: (GRPOTrainer, GRPOConfig), RLOOSettings: (RLOOTrainer, RLOOConfig)}
# Ours -> trl's name of what an optimiser step tells.
_MEASURED = {
    "policy_loss": "loss",
    "clip_share": "clip_ratio/region_mean",
    "gradient_norm": "grad_norm",
    "learning_rate": "learning_rate",
}


class _Stopped(Exception):
    """The run leaves its bounds; says which."""


def train_group_policy(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    reward: Reward,
    settings: GRPOSettings | RLOOSettings,
    *,
    seed: int,
    state: TrainingState,
    heldout: pd.DataFrame,
    held_out_prompts: Sequence[str] = (),
) -> PPOResult:
    """Tune `model`, in place, to write replies that `reward` likes, or go on from `state`.

    Replies end where they do in PPO, at a speaker tag or the end of sequence, which is trained on with them. Rows
    of the log are about what they are about in PPO; what trl does not tell is missing, policy_loss is its whole
    loss, and RLOO's clip_share is of replies. On a CPU a seed decides everything, and a run that was killed ends
    as it would have ended.

    Args:
        model: from a model folder, which trl reads once more as the reference.
        prompts: turns such as `*MOT: what is that ?`; the child's tag is added here, as to `held_out_prompts`.
        heldout: pairs (prompt, chosen, rejected) that the run is watched on.
        state: a folder of states named `STATE`.

    Raises:
        UserError: no prompt leaves room for a reply, a reward cannot be used, or the disk is full.
    """
    if not prompts:
        raise UserError("the run has no prompts: choose another part of the corpus, or lower max_new_tokens")
    if not way_of(model).padding:
        raise UserError(
            f"a {type(model).__name__} cannot be tuned by GRPO or RLOO, since padding on the left changes what it "
            "predicts: tune it by PPO, or choose another parent"
        )
    if encode_open(tokenizer, prompts[:1]) != [tokenizer(prompts[0])["input_ids"]]:
        raise UserError(
            "the tokenizer puts a special token at the end of every text, and GRPO and RLOO cannot leave it out "
            "of prompts: tune this model by PPO, or choose another parent"
        )
    train, last = _datasets(prompts, settings, seed)
    rollouts = _Rollouts(model, tokenizer, reward, settings, state, heldout, held_out_prompts, seed)
    if resumed := state.newest():
        logger.info("going on from %s", resumed)
        rollouts.restore(resumed)
    own_ends = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = rollouts.stops  # where trl ends a reply
    trainer_class, configuration = _TRAINERS[type(settings)]
    stopped = None
    try:
        with no_space_is_a_user_error(state.folder):
            arguments = configuration(**_arguments(settings, seed, state.folder))
            arguments._n_gpu = min(1, arguments.n_gpu)  # the trainer would put a batch on each GPU that it sees
            trainer = trainer_class(
                model=model,
                reward_funcs=rollouts.rewards,
                args=arguments,
                train_dataset=train,
                eval_dataset=last,
                processing_class=tokenizer,
                callbacks=[rollouts],
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
            trainer.evaluate()  # one rollout more than updates, which judges the final policy
    except _Stopped as reason:
        stopped = str(reason)
    finally:
        model.generation_config.eos_token_id = own_ends
    return PPOResult(
        final=weights(model),
        best=rollouts.watch.best.weights or weights(rollouts.reference),
        best_step=rollouts.watch.best.step or 0,
        stopped=stopped,
        log=log_table(rollouts.rows),
        samples=pd.DataFrame(rollouts.samples),
    )


def _datasets(prompts: Sequence[str], settings: GroupSettings, seed: int) -> tuple[Dataset, Dataset]:
    """The prompts of the rollouts in their order, each once before any comes again; and those of the last."""
    size = settings.batch_size // settings.group_size
    rng, needed = np.random.default_rng(seed), (settings.steps + 1) * size
    passes = [rng.permutation(len(prompts)) for _ in range(math.ceil(needed / len(prompts)))]
    turns = [prompts[index] for index in np.concatenate(passes)[:needed]]
    whole = Dataset.from_dict({"prompt": [f"{turn} {speaker_tag(CHILD)}" for turn in turns], "turn": turns})
    return whole.select(range(needed - size)), whole.select(range(needed - size, needed))


def _arguments(settings: GroupSettings, seed: int, folder: Path) -> dict:
    on_gpu = torch.cuda.is_available()
    return {
        "output_dir": str(folder),
        "seed": seed,
        "num_train_epochs": 1,
        "shuffle_dataset": False,  # _datasets has done it, so that a state needs to know the step alone
        "generation_batch_size": settings.batch_size,
        "per_device_train_batch_size": settings.minibatch_size,
        "per_device_eval_batch_size": settings.batch_size,
        "num_generations": settings.group_size,
        "num_iterations": settings.epochs_per_batch,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "constant",
        "max_grad_norm": settings.max_gradient_norm,
        "epsilon": settings.clip_range,
        "beta": settings.beta,
        "max_completion_length": settings.max_new_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "disable_dropout": True,
        CHECKPOINTING: False,
        "bf16": on_gpu,  # autocast, as in PPO
        "use_cpu": not on_gpu,
        "eval_strategy": "no",
        "save_strategy": "no",  # _Rollouts says when
        "logging_strategy": "steps",
        "logging_steps": 1,
        "report_to": [],
        "disable_tqdm": True,
    }


class _Rollouts(TrainerCallback):
    """Rewards each rollout, writes its row, and says when to save and when to stop.

    trl asks for rewards once a rollout, before the updates on it: the row is about the policy of that moment.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        reward: Reward,
        settings: GRPOSettings | RLOOSettings,
        state: TrainingState,
        heldout: pd.DataFrame,
        held_out_prompts: Sequence[str],
        seed: int,
    ):
        self.policy, self.reference = Policy(model), copy.deepcopy(model).requires_grad_(False)
        self.tokenizer, self.reward, self.settings = tokenizer, reward, settings
        self.kept, self.heldout, self.held_out_prompts, self.seed = state, heldout, held_out_prompts, seed
        self.stops = stop_tokens(tokenizer)
        self.watch = Watch(settings)
        self.rows: list[dict] = []
        self.samples: list[dict] = []
        self.updates: dict[str, list[float]] = defaultdict(list)
        self.bar = None

    def rewards(self, completion_ids: list[list[int]], turn: list[str], **_) -> list[float]:
        """What each reply earns, for trl."""
        step = len(self.rows)
        row: dict = {"step": step, "episodes": (step + 1) * self.settings.batch_size}
        rollout = observe(
            self.policy,
            self.tokenizer,
            encode_prompts(self.tokenizer, turn, context_length(self.policy.language_model)),
            completion_ids,
            stops=self.stops,
            temperature=self.settings.temperature,
        )
        started = time.perf_counter()
        rewards, terms = checked_rewards(self.reward, turn, rollout.replies, step)
        row |= {"seconds_reward": time.perf_counter() - started, "temperature": self.settings.temperature} | terms
        scores = penalised(rewards, rollout, self.settings)
        self.samples += sample_rows(step, turn, rollout, rewards, scores, held_out=False)
        distances = measure_reference(self.policy, self.reference, rollout, self.settings.temperature)
        row |= describe_rollout(rollout, scores, *distances)
        row["kl_coefficient"] = self.settings.beta
        model, evaluated = self.policy.language_model, self._evaluated(step)
        if evaluated:
            started = time.perf_counter()
            with torch.no_grad():
                measured, said = held_out_replies(
                    self.policy, self.tokenizer, self.held_out_prompts, self.reward, self.settings,
                    step=step, seed=self.seed,
                )  # fmt: skip
                row |= measured | {"held_out_accuracy": pair_accuracy(model, self.tokenizer, self.heldout)}
            self.samples += said
            row["seconds_held_out"] = time.perf_counter() - started
        self.rows.append(row)
        self._stop_for(self.watch.judge(row, model, evaluated=evaluated))
        return self._without_length(scores, rollout).tolist()

    def restore(self, folder: Path) -> None:
        """Know what was known when a state was saved."""
        known = torch.load(folder / RECORDS, map_location="cpu", weights_only=True)
        self.rows, self.samples = known["rows"], known["samples"]
        self.watch.load_state_dict(known["watch"])

    def on_train_begin(self, args, state, control, **kwargs):
        method = "GRPO" if isinstance(self.settings, GRPOSettings) else "RLOO"
        self.bar = progress(total=self.settings.steps, initial=len(self.rows), description=method, unit="step")

    def on_pre_optimizer_step(self, args, state, control, *, model, **kwargs):
        norm = torch.nn.utils.get_total_norm([own.grad for own in model.parameters() if own.grad is not None])
        if not math.isfinite(norm):
            self.rows[-1]["gradient_norm"] = float(norm)
            self._stop_for(self.watch.guard.check({"gradient_norm": float(norm)}))

    def on_step_end(self, args, state, control, **kwargs):
        # Between rollouts, since trl's states do not hold one.
        whole = state.global_step % self.settings.updates == 0 and state.global_step < state.max_steps
        control.should_save = whole and self.kept.is_due()

    def on_log(self, args, state, control, *, logs, **kwargs):
        state.log_history.clear()  # the rows have what is needed, and every state would hold it
        if "grad_norm" not in logs:
            return
        for ours, theirs in _MEASURED.items():
            self.updates[ours].append(float(logs[theirs]))
        if state.global_step % self.settings.updates == 0:
            told = {name: float(np.mean(values)) for name, values in self.updates.items()}
            self.updates.clear()
            self.rows[-1] |= told
            self.bar.update()
            self._stop_for(self.watch.guard.check({name: told[name] for name in UPDATE if name in told}))

    def on_save(self, args, state, control, **kwargs):
        known = {"rows": self.rows, "samples": self.samples, "watch": self.watch.state_dict()}
        torch.save(known, self.kept.folder / STATE.format(state.global_step) / RECORDS)
        self.kept.saved(state.global_step)

    def on_train_end(self, args, state, control, **kwargs):
        self.bar.close()

    def _without_length(self, scores: torch.Tensor, rollout: Rollout) -> torch.Tensor:
        """What is trained on (B,); a group whose replies earn the same stays without advantages."""
        groups = scores.view(-1, self.settings.group_size)  # trl has a group's replies side by side
        expected = groups.mean(dim=1, keepdim=True).expand_as(groups)
        aims = trained_on(scores, expected.flatten(), rollout, self.settings)
        tied = (groups == groups[:, :1]).all(dim=1, keepdim=True).expand_as(groups).flatten()
        return torch.where(tied, scores, aims)

    def _evaluated(self, step: int) -> bool:
        return step == self.settings.steps or step % self.settings.evaluate_every == 0

    def _stop_for(self, reason: str | None) -> None:
        if reason:
            self.rows[-1]["stopped"] = reason
            logger.warning(
                "stopped at step %d: %s; best is step %s", len(self.rows) - 1, reason, self.watch.best.step or 0
            )
            raise _Stopped(reason)
