"""Direct preference optimisation by trl, watched on held-out pairs by the project's own scorer."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import DPOConfig, DPOTrainer

from ..errors import UserError
from ..logs import logger, progress
from ..model.checkpoints import save_model
from ..scoring.loading import load_model
from .accuracy import pair_accuracy
from .settings import DPOSettings


class _Watch(TrainerCallback):
    """Evaluates at even steps, keeps the best model, stops without gain, and reports progress."""

    def __init__(self, model, tokenizer, heldout: pd.DataFrame, settings: DPOSettings, best: Path):
        self.model, self.tokenizer, self.heldout, self.settings, self.best = (
            model,
            tokenizer,
            heldout,
            settings,
            best,
        )
        self.rows: list[dict] = []
        self.best_accuracy = -1.0
        self.without_gain = 0
        self.latest: dict = {}
        self.bar = None

    def _evaluate(self, step: int, epoch: float) -> None:
        self.model.eval()
        accuracy = pair_accuracy(self.model, self.tokenizer, self.heldout)
        self.model.train()
        self.rows.append({"step": step, "epoch": epoch, "heldout_accuracy": accuracy, **self.latest})
        logger.info("step %d: accuracy on held-out pairs %.1f %%", step, accuracy)
        if accuracy > self.best_accuracy:
            self.best_accuracy, self.without_gain = accuracy, 0
            save_model(self.model, self.tokenizer, self.best)
        else:
            self.without_gain += 1

    def on_train_begin(self, args, state, control, **kwargs):
        self.bar = progress(total=state.max_steps, description="DPO", unit="step")
        self._evaluate(0, 0.0)

    def on_log(self, args, state, control, logs=None, **kwargs):
        names = {"loss": "loss", "rewards/accuracies": "reward_accuracy", "rewards/margins": "reward_margin"}
        names |= {"rewards/chosen": "reward_chosen", "rewards/rejected": "reward_rejected"}
        self.latest |= {ours: logs[theirs] for theirs, ours in names.items() if theirs in logs}

    def on_step_end(self, args, state, control, **kwargs):
        self.bar.update()
        # The trainer logs before this callback's next step; evaluate on what it logged last.
        every = max(1, round(state.max_steps / self.settings.evaluations))
        if state.global_step % every == 0 or state.global_step == state.max_steps:
            self._evaluate(state.global_step, state.epoch)
            control.should_training_stop |= self.without_gain >= self.settings.patience

    def on_train_end(self, args, state, control, **kwargs):
        self.bar.close()


def train_dpo(
    parent: Path, pairs: pd.DataFrame, settings: DPOSettings, *, seed: int, folder: Callable[[str], Path]
) -> pd.DataFrame:
    """Tune the model folder `parent` on pairs and write the checkpoints `best` and `final`.

    Args:
        pairs: prompt, chosen, rejected, part.
        folder: where the checkpoint of a name goes.

    Returns:
        The log, one row an evaluation: step, epoch, heldout_accuracy (percent), and the trainer's last loss
        and rewards (nats) on training pairs.

    Raises:
        UserError: there are no training or no held-out pairs.
    """
    train, heldout = (pairs[pairs["part"] == part] for part in ("train", "heldout"))
    if train.empty or heldout.empty:
        raise UserError(
            f"pairs.{settings.pairs}: {len(train)} training and {len(heldout)} held-out pairs; "
            "add transcripts or loosen its filters"
        )
    model, tokenizer = load_model(parent)
    on_gpu = torch.cuda.is_available()
    steps = max(1, round(len(train) / settings.batch_size * settings.epochs))
    watch = _Watch(model, tokenizer, heldout, settings, folder("best"))
    with tempfile.TemporaryDirectory() as scratch:
        trainer = DPOTrainer(
            model=model,
            args=DPOConfig(
                output_dir=scratch,
                seed=seed,
                beta=settings.beta,
                learning_rate=settings.learning_rate,
                max_steps=steps,
                per_device_train_batch_size=settings.batch_size,
                warmup_steps=round(settings.warmup_share * steps),
                precompute_ref_log_probs=True,
                precompute_ref_batch_size=2 * settings.batch_size,
                max_length=model.config.max_position_embeddings,
                gradient_checkpointing=False,
                bf16=on_gpu,
                use_cpu=not on_gpu,
                save_strategy="no",
                logging_steps=max(1, steps // (4 * settings.evaluations)),
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_dict(
                {
                    "prompt": train["prompt"].tolist(),
                    "chosen": [f" {reply}" for reply in train["chosen"]],
                    "rejected": [f" {reply}" for reply in train["rejected"]],
                }
            ),
            processing_class=tokenizer,
            callbacks=[watch],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    save_model(model, tokenizer, folder("final"))
    return pd.DataFrame(watch.rows)
