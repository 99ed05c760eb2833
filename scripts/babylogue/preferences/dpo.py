"""Direct preference optimisation by trl, watched on training and held-out pairs, that survives being killed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from datasets import Dataset, disable_progress_bars
from transformers import PrinterCallback, TrainerCallback
from trl import DPOConfig, DPOTrainer

from ..errors import UserError
from ..logs import logger, progress
from ..model.checkpoints import no_space_is_a_user_error, publish, save_model
from ..model.state import TrainingState, content_digest
from ..scoring.architecture import CHECKPOINTING, context_length
from ..scoring.loading import load_model
from .accuracy import pair_accuracy
from .settings import DPOSettings, epoch_name

PARTS = ("train", "heldout")
STATE = "checkpoint-{}"
"""What the trainer calls its own states."""
# Ours -> trl's name, and what it is multiplied by.
_REWARDS = {
    "reward_accuracy": ("rewards/accuracies", 100.0),
    "reward_margin": ("rewards/margins", 1.0),
    "reward_chosen": ("rewards/chosen", 1.0),
    "reward_rejected": ("rewards/rejected", 1.0),
}


def dpo_from_files(
    parent: Path, pairs: Path, settings: DPOSettings, *, seed: int, state: Path, code: str
) -> tuple[pd.DataFrame, dict[str, Path]]:
    """`train_dpo` with the parquet file of a pair set.

    Args:
        state: the folder of the training's state.
        code: a fingerprint of the code; another one's state is refused, as is one of other settings or files.
    """
    made_with = {
        "dpo": settings.model_dump(),
        "seed": seed,
        "code": code,
        "parent": content_digest(parent),
        "pairs": content_digest(pairs),
    }
    kept = TrainingState(state, made_with, name=STATE)
    return train_dpo(parent, pd.read_parquet(pairs), settings, seed=seed, state=kept)


def train_dpo(
    parent: Path, pairs: pd.DataFrame, settings: DPOSettings, *, seed: int, state: TrainingState
) -> tuple[pd.DataFrame, dict[str, Path]]:
    """Tune the model folder `parent` on pairs, or go on from `state`, which ends in the same weights on a CPU.

    Every checkpoint of the settings is written; one of an epoch that early stopping leaves out is the model as it
    stopped. The reference model's log-probabilities are computed once, and again when the training goes on.

    Args:
        pairs: prompt, chosen, rejected, part.
        state: a folder of states.

    Returns:
        The log, one row an evaluation: step, epoch, and with the prefix train_ (a sample of the training pairs as
        large as the held-out set) and heldout_: accuracy (percent of pairs whose chosen reply is the more probable
        one), loss, reward_accuracy (percent whose chosen reply has the higher reward; none has at step 0),
        reward_margin, reward_chosen and reward_rejected (means, nats; a reward is beta times the gain in
        log-probability over the reference model, the end of the text included).
        checkpoint -> its folder, in the state's.

    Raises:
        UserError: there are no training or no held-out pairs, or the disk is full.
    """
    train, heldout = (pairs[pairs["part"] == part] for part in PARTS)
    if train.empty or heldout.empty:
        raise UserError(
            f"pairs.{settings.pairs}: {len(train)} training and {len(heldout)} held-out pairs; "
            "add transcripts or loosen its filters"
        )
    sample = train.sample(min(len(train), len(heldout)), random_state=seed)
    model, tokenizer = load_model(parent)
    folder, resumed = state.folder / "checkpoints", state.newest()
    if resumed:
        logger.info("going on from %s", resumed)
    logger.info("%d pairs to learn from; first, what the reference model says of each", len(train))
    disable_progress_bars()  # one for every way in which trl turns the pairs over
    watched = dict(zip(PARTS, map(_short_first, (sample, heldout)), strict=True))
    with no_space_is_a_user_error(state.folder):
        trainer = _Trainer(
            model=model,
            args=_arguments(settings, seed, state.folder, model, start=not resumed),
            train_dataset=_dataset(train),
            eval_dataset={part: _dataset(own) for part, own in watched.items()},
            processing_class=tokenizer,
            callbacks=[_Watch(tokenizer, settings, state, folder)],
            watched=watched,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    save_model(model, tokenizer, folder / "final")
    for epoch in settings.checkpoints:
        if epoch > trainer.state.epoch:
            logger.info("stopped before epoch %d: %s is the model as it stopped", epoch, epoch_name(epoch))
            publish(folder / "final", folder / epoch_name(epoch))
    rows = evaluation_rows(trainer.state.log_history)
    return pd.DataFrame(rows), {name: folder / name for name in settings.checkpoint_names()}


def evaluation_rows(history: list[dict]) -> list[dict]:
    """The rows of the log out of what the trainer noted."""
    rows: dict[int, dict] = {}
    for noted in history:
        for part in PARTS:
            if f"eval_{part}_loss" in noted:
                row = rows.setdefault(noted["step"], {"step": noted["step"], "epoch": noted.get("epoch", 0.0)})
                row |= {f"{part}_{name}": noted[f"eval_{part}_{name}"] for name in ("accuracy", "loss", *_REWARDS)}
    return list(rows.values())


def loss_types(settings: DPOSettings) -> dict[str, list]:
    """trl's names and weights of the losses that are added up."""
    preference = (
        "sigmoid_norm" if settings.length_normalised else "robust" if settings.label_smoothing else "sigmoid"
    )
    if not settings.sft_weight:
        return {"loss_type": [preference]}
    return {"loss_type": [preference, "sft"], "loss_weights": [1.0, settings.sft_weight]}


def _arguments(settings: DPOSettings, seed: int, folder: Path, model, *, start: bool) -> DPOConfig:
    on_gpu = torch.cuda.is_available()
    arguments = DPOConfig(
        output_dir=str(folder),
        seed=seed,
        **loss_types(settings),
        beta=settings.beta,
        label_smoothing=settings.label_smoothing,
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        # The same batches as those of the reference, so that no reward differs from 0 at step 0 by rounding.
        per_device_eval_batch_size=2 * settings.batch_size,
        precompute_ref_batch_size=2 * settings.batch_size,
        warmup_steps=settings.warmup_share,
        precompute_ref_log_probs=True,
        max_length=context_length(model),
        **{CHECKPOINTING: False},
        bf16=on_gpu,
        use_cpu=not on_gpu,
        # _Watch says when.
        eval_on_start=start,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # the trainer would put a batch on each GPU that it sees
    return arguments


def _short_first(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs by length, so that batches hold little padding."""
    length = sum(pairs[name].str.len() for name in ("prompt", "chosen", "rejected"))
    return pairs.loc[length.sort_values(kind="stable").index]


def _dataset(pairs: pd.DataFrame) -> Dataset:
    replies = {name: [f" {reply}" for reply in pairs[name]] for name in ("chosen", "rejected")}
    return Dataset.from_dict({"prompt": pairs["prompt"].tolist()} | replies)


class _Trainer(DPOTrainer):
    """trl's, with the accuracy by log-probability among what an evaluation tells, and means over pairs."""

    def __init__(self, *arguments, watched: Mapping[str, pd.DataFrame], **named):
        super().__init__(*arguments, **named)
        self.watched = watched

    def evaluation_loop(self, dataloader, *arguments, metric_key_prefix: str = "eval", **named):
        output = super().evaluation_loop(dataloader, *arguments, metric_key_prefix=metric_key_prefix, **named)
        pairs, batch = len(dataloader.dataset), self.args.eval_batch_size
        # trl gives every batch the same weight, the last and smaller one too.
        weights = [min(batch, pairs - first) for first in range(0, pairs, batch)]
        for ours, (theirs, factor) in _REWARDS.items():
            mean = np.average(self._metrics["eval"][theirs], weights=weights)
            output.metrics[f"{metric_key_prefix}_{ours}"] = factor * float(mean)
        part = metric_key_prefix.removeprefix("eval_")
        accuracy = pair_accuracy(self.model, self.processing_class, self.watched[part])
        output.metrics[f"{metric_key_prefix}_accuracy"] = accuracy
        return output


class _Watch(TrainerCallback):
    """Says when to evaluate, save and stop, and keeps checkpoints.

    What it knows of earlier evaluations stands in the trainer's history, and so in its states.
    """

    def __init__(self, tokenizer, settings: DPOSettings, state: TrainingState, folder: Path):
        self.tokenizer, self.settings, self.kept, self.folder = tokenizer, settings, state, folder
        self.bar = None

    def on_train_begin(self, args, state, control, **kwargs):
        self.bar = progress(total=state.max_steps, initial=state.global_step, description="DPO", unit="step")

    def on_step_end(self, args, state, control, *, model, **kwargs):
        self.bar.update()
        if state.epoch in self.settings.checkpoints:
            save_model(model, self.tokenizer, self.folder / epoch_name(int(state.epoch)))
        number = self.settings.evaluations
        due = {max(1, round(state.max_steps * done / number)) for done in range(1, number + 1)}
        control.should_evaluate = control.should_log = state.global_step in due
        control.should_save = self.kept.is_due() and state.global_step < state.max_steps

    def on_evaluate(self, args, state, control, *, model, **kwargs):
        rows = evaluation_rows(state.log_history)
        if "heldout_accuracy" not in rows[-1]:
            return  # that was the training pairs' turn
        logger.info(
            "step %(step)d: chosen reply more probable in %(train_accuracy).1f %% of training pairs and "
            "%(heldout_accuracy).1f %% of held-out pairs",
            rows[-1],
        )
        accuracies = [row["heldout_accuracy"] for row in rows]
        without_gain = len(rows) - 1 - int(np.argmax(accuracies))  # the first of equals
        if not without_gain:
            save_model(model, self.tokenizer, self.folder / "best")
        patience = self.settings.patience
        if patience is not None and without_gain >= patience:
            control.should_training_stop = True
            control.should_save = False  # the trainer would go on from a state at which it has stopped

    def on_save(self, args, state, control, **kwargs):
        self.kept.saved(state.global_step)

    def on_train_end(self, args, state, control, **kwargs):
        self.bar.close()
