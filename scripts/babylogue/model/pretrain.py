"""Pre-training: one plain loop over packed batches, with checkpoints by words seen."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from ..errors import UserError
from ..logs import logger, progress
from .architecture import build_model
from .batches import Batch, TokenisedTexts, epoch_batches
from .checkpoints import save_model
from .settings import PretrainSettings, checkpoint_name


def loss_of_batch(model, batch: Batch) -> torch.Tensor:
    """Mean negative log-likelihood per predicted token, natural logarithm; scalar."""
    hidden = model.model(
        input_ids=batch.input_ids, position_ids=batch.position_ids, attention_mask=batch.attention_mask()
    ).last_hidden_state  # (R, T, H)
    predicts, targets = batch.targets()
    # The output layer, the dearest of a small model, runs on the predicting positions alone.
    return cross_entropy(model.lm_head(hidden[predicts]).float(), targets)


@torch.no_grad()
def validation_loss(model, texts: TokenisedTexts, settings: PretrainSettings, device: torch.device) -> float:
    """Loss per token over the validation texts."""
    model.eval()
    total, count = 0.0, 0
    order = np.arange(min(len(texts), settings.validation_texts))
    for batch in epoch_batches(
        texts,
        row_tokens=settings.row_tokens,
        batch_rows=settings.batch_rows,
        pad=model.config.pad_token_id,
        order=order,
    ):
        batch = batch.to(device)
        tokens = int(batch.targets()[0].sum())
        total += float(loss_of_batch(model, batch)) * tokens
        count += tokens
    model.train()
    return total / count


def learning_rate(share: float, settings: PretrainSettings) -> float:
    """Linear warm-up, then a cosine, over the share of the word budget that has been seen."""
    if share < settings.warmup_share:
        return settings.learning_rate * share / settings.warmup_share
    after = min(1.0, (share - settings.warmup_share) / (1 - settings.warmup_share))
    low = settings.final_learning_rate_share
    return settings.learning_rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * after)))


def _optimiser(model, settings: PretrainSettings) -> torch.optim.AdamW:
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), fused=True)


def pretrain(
    tokenizer,
    train: TokenisedTexts,
    validation: TokenisedTexts,
    settings: PretrainSettings,
    *,
    seed: int,
    folder: Callable[[str], Path],
    device: torch.device,
) -> pd.DataFrame:
    """Train a model from scratch and write its checkpoints.

    Args:
        folder: where the checkpoint of a name goes.

    Returns:
        The log, one row a validation: words, epoch, step, loss (mean since the row before),
        validation_loss (nats a token), learning_rate, tokens_per_s.

    Raises:
        UserError: there is no text to train on, or the loss is no longer finite.
    """
    if not len(train) or not len(validation):
        raise UserError("corpus: no triplets in the pretrain or the validation part; add transcripts")
    torch.manual_seed(seed)
    model = build_model(settings.architecture, tokenizer).to(device)
    optimiser = _optimiser(model, settings)
    logger.info(
        "%.2fM parameters, %d texts of %d words", model.num_parameters() / 1e6, len(train), train.words.sum()
    )

    every = settings.words / settings.validations
    validate_at = sorted({round(every * (i + 1)) for i in range(settings.validations)} | set(settings.checkpoints))
    rows: list[dict] = []
    words = step = epoch = tokens = 0
    losses: list[float] = []
    best = math.inf
    start = time.perf_counter()
    with progress(total=settings.words, description="words seen", unit="w") as bar:
        while words < settings.words:
            order = np.random.default_rng([seed, epoch]).permutation(len(train))
            for batch in epoch_batches(
                train,
                row_tokens=settings.row_tokens,
                batch_rows=settings.batch_rows,
                pad=tokenizer.pad_token_id,
                order=order,
            ):
                rate = learning_rate((words + batch.words) / settings.words, settings)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                batch = batch.to(device)
                with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
                    loss = loss_of_batch(model, batch)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_gradient_norm)
                optimiser.step()

                losses.append(float(loss.detach()))
                if not math.isfinite(losses[-1]):
                    raise UserError(
                        f"the loss is {losses[-1]} at step {step}, {words:,} words; lower learning_rate"
                    )
                words += batch.words
                step += 1
                tokens += int((batch.texts >= 0).sum())
                bar.update(batch.words)
                reached = [at for at in validate_at if at <= words]
                if reached:
                    validate_at = validate_at[len(reached) :]
                    measured = validation_loss(model, validation, settings, device)
                    rows.append(
                        {
                            "words": words,
                            "epoch": words / int(train.words.sum()),
                            "step": step,
                            "loss": float(np.mean(losses)),
                            "validation_loss": measured,
                            "learning_rate": rate,
                            "tokens_per_s": tokens / (time.perf_counter() - start),
                        }
                    )
                    logger.info(
                        "%(words)d words: loss %(loss).3f, validation loss %(validation_loss).3f", rows[-1]
                    )
                    losses = []
                    if measured < best:
                        best = measured
                        save_model(model, tokenizer, folder("best"))
                    for at in set(reached) & set(settings.checkpoints):
                        save_model(model, tokenizer, folder(checkpoint_name(at)))
                if words >= settings.words:
                    break
            epoch += 1
    save_model(model, tokenizer, folder("final"))
    return pd.DataFrame(rows)
