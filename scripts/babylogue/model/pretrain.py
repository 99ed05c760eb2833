"""Pre-training: one plain loop over packed batches, with checkpoints by words seen, that survives being killed."""

import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from ..errors import UserError
from ..logs import logger, progress
from ..tokenizer.loading import load_tokenizer
from .architecture import build_model
from .batches import Batch, epoch_batches
from .checkpoints import save_model
from .curves import Curves
from .device import prepare_device
from .parallel import add_up, processes, rank
from .settings import PretrainSettings, checkpoint_name
from .state import TrainingState, content_digest
from .throughput import matrix_peak
from .tokens import TEXTS, TOKENS, TokenisedTexts, read_tokens

_CHECK_EVERY = 50  # steps; reading a loss makes a GPU wait


@dataclass
class _Position:
    """Where the training stands, and what it has to tell."""

    words: int = 0
    step: int = 0
    epoch: int = 0
    batch: int = 0  # of the epoch, the next one
    best: float = math.inf  # lowest validation loss so far
    losses: list[float] = field(default_factory=list)  # since the last row of the log
    log: list[dict] = field(default_factory=list)


def loss_of_batch(model, batch: Batch) -> torch.Tensor:
    """Mean negative log-likelihood per predicted token, natural logarithm; scalar.

    Of a share of a batch its part of the mean, so that the shares' losses add up to the batch's.
    """
    device = batch.input_ids.device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
        hidden = model.model(
            input_ids=batch.input_ids, position_ids=batch.position_ids, attention_mask=batch.attention_mask()
        ).last_hidden_state  # (R, T, H)
        # The output layer, the dearest of a small model, runs on the predicting positions alone.
        logits = model.lm_head(hidden.flatten(0, 1).index_select(0, batch.predicts))
    return cross_entropy(logits.float(), batch.targets(), reduction="sum") / batch.predicted


@torch.no_grad()
def validation_loss(model, texts: TokenisedTexts, settings: PretrainSettings) -> float:
    """Loss per token over the validation texts."""
    model.eval()
    total, count = 0.0, 0
    for batch in _batches(texts, np.arange(min(len(texts), settings.validation_texts)), model, settings):
        loss = loss_of_batch(model, batch)
        add_up(loss)
        total += float(loss) * batch.predicted
        count += batch.predicted
    model.train()
    return total / count


def learning_rate(share: float, settings: PretrainSettings) -> float:
    """Linear warm-up, then a cosine, over the share of the word budget that has been seen."""
    if share < settings.warmup_share:
        return settings.learning_rate * share / settings.warmup_share
    after = min(1.0, (share - settings.warmup_share) / (1 - settings.warmup_share))
    low = settings.final_learning_rate_share
    return settings.learning_rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * after)))


def pretrain_from_files(
    tokenizer: Path,
    train: Path,
    validation: Path,
    settings: PretrainSettings,
    seed: int,
    state: Path,
    events: Path,
    code: str,
    threads: int,
) -> tuple[pd.DataFrame, dict[str, Path]]:
    """`pretrain` with the folders of a tokenizer and of tokenised texts, for one process or each of several.

    Args:
        state: the folder of the training's state.
        events: the folder of TensorBoard's curves.
        code: a fingerprint of the code; another one's state is refused, as is one of other settings or files.
        threads: of this process, on a CPU.
    """
    device = prepare_device(threads)
    made_with = {
        "pretrain": settings.model_dump(),
        "seed": seed,
        "code": code,
        "tokenizer": content_digest(tokenizer / "tokenizer.json"),
        "train": content_digest(train / TOKENS, train / TEXTS),
        "validation": content_digest(validation / TOKENS, validation / TEXTS),
    }
    return pretrain(
        load_tokenizer(tokenizer),
        read_tokens(train),
        read_tokens(validation),
        settings,
        seed=seed,
        state=TrainingState(state, made_with),
        device=device,
        events=events,
    )


def pretrain(
    tokenizer,
    train: TokenisedTexts,
    validation: TokenisedTexts,
    settings: PretrainSettings,
    *,
    seed: int,
    state: TrainingState,
    device: torch.device,
    events: Path | None = None,
) -> tuple[pd.DataFrame, dict[str, Path]]:
    """Train a model from scratch, or go on from `state`, which ends in the same weights to the bit on a CPU.

    With `events` the log is also written there for TensorBoard, where that is installed.

    Returns:
        The log, one row a validation: words, epoch, step, loss (mean since the row before), validation_loss (nats
        a token), learning_rate, tokens_per_s, share_of_peak (6 x parameters x tokens_per_s over the machine's
        matrix products), checkpoint (the name of the one that was written then);
        checkpoint -> its folder, in the state's.

    Raises:
        UserError: there is no text to train on, the loss is no longer finite, or the disk is full.
    """
    if not len(train) or not len(validation):
        raise UserError("corpus: no triplets in the pretrain or the validation part; add transcripts")
    folder = state.folder / "checkpoints"
    torch.manual_seed(seed)
    model = build_model(settings.architecture, tokenizer).to(device)
    optimiser = _optimiser(model, settings)
    at = _restored(state, model, optimiser) or _Position()
    curves = Curves(events, at.words) if events and rank() == 0 else None
    if settings.compile:
        model.model.compile()
    parameters, corpus_words = model.num_parameters(), int(train.words.sum())
    logger.info("%.2fM parameters, %d texts of %d words", parameters / 1e6, len(train), corpus_words)

    operations_per_token = 6 * parameters
    peak = matrix_peak(device, torch.bfloat16 if device.type == "cuda" else torch.float32) * processes()
    every = settings.words / settings.validations
    stops = {round(every * (number + 1)) for number in range(settings.validations)} | {*settings.checkpoints}
    unread: list[tuple[int, int, int, torch.Tensor]] = []  # step, epoch, batch, loss
    tokens, since = 0, time.perf_counter()
    with progress(total=settings.words, initial=at.words, description="words seen", unit="w") as bar:
        while at.words < settings.words:
            order = np.random.default_rng([seed, at.epoch]).permutation(len(train))
            for batch in _batches(train, order, model, settings, skip=at.batch):
                rate = learning_rate((at.words + batch.words) / settings.words, settings)
                loss = _step(model, optimiser, batch, rate, settings)
                before, at.words = at.words, at.words + batch.words
                at.step += 1
                at.batch += 1
                unread.append((at.step, at.epoch, at.batch, loss))
                tokens += batch.tokens
                bar.update(batch.words)

                reached = [words for words in stops if before < words <= at.words]
                done = at.words >= settings.words
                save = done or state.is_due() or any(words in settings.checkpoints for words in reached)
                if reached or save or len(unread) == _CHECK_EVERY:
                    at.losses += _finite(unread, at.log, folder)
                    unread = []
                    bar.set_postfix_str(_standing(at, rate), refresh=False)
                if reached:
                    speed = tokens / (time.perf_counter() - since)
                    row = {
                        "words": at.words,
                        "epoch": at.words / corpus_words,
                        "step": at.step,
                        "loss": float(np.mean(at.losses)),
                        "validation_loss": validation_loss(model, validation, settings),
                        "learning_rate": rate,
                        "tokens_per_s": speed,
                        "share_of_peak": operations_per_token * speed / peak,
                    }
                    names = [checkpoint_name(words) for words in reached if words in settings.checkpoints]
                    if done:
                        names.append("final")
                    if row["validation_loss"] < at.best:
                        at.best = row["validation_loss"]
                        names.append("best")
                    for name in names if rank() == 0 else ():
                        save_model(model, tokenizer, folder / name)
                    at.log.append(row | {"checkpoint": " ".join(names)})
                    at.losses = []
                    _report(row)
                    if curves:
                        curves.add(row)
                    tokens, since = 0, time.perf_counter()
                if save and rank() == 0:
                    state.save(at.step, _state(model, optimiser, at))
                if done:
                    break
            else:
                at.epoch, at.batch = at.epoch + 1, 0
    return pd.DataFrame(at.log), {name: folder / name for name in settings.checkpoint_names()}


def _batches(texts: TokenisedTexts, order: np.ndarray, model, settings: PretrainSettings, skip: int = 0):
    batches = epoch_batches(
        texts,
        row_tokens=settings.row_tokens,
        batch_rows=settings.batch_rows,
        pad=model.config.pad_token_id,
        order=order,
        skip=skip,
    )
    return (batch.share(rank(), processes()).to(model.device) for batch in batches)


def _step(model, optimiser, batch: Batch, rate: float, settings: PretrainSettings) -> torch.Tensor:
    """One step of the optimiser; the loss before it."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    loss = loss_of_batch(model, batch)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    loss = loss.detach()
    add_up(loss, *(parameter.grad for parameter in model.parameters()))
    torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_gradient_norm)
    optimiser.step()
    return loss


def _optimiser(model, settings: PretrainSettings) -> torch.optim.AdamW:
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=settings.epsilon, fused=True)


def _finite(unread: list[tuple[int, int, int, torch.Tensor]], log: list[dict], folder: Path) -> list[float]:
    """The losses of the last steps as numbers."""
    values = torch.stack([loss for *_, loss in unread]).tolist()
    for (step, epoch, batch, _), value in zip(unread, values, strict=True):
        if not math.isfinite(value):
            kept = [row["checkpoint"] for row in log if row["checkpoint"]]
            good = f"the last good checkpoint is {folder / kept[-1].split()[0]}" if kept else "no checkpoint yet"
            raise UserError(
                f"the loss is {value} at step {step} (epoch {epoch + 1}, batch {batch}); "
                f"{good}; lower pretrain.learning_rate and delete {folder.parent} to start anew"
            )
    return values


def _state(model, optimiser, at: _Position) -> dict:
    return {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "random": torch.get_rng_state(),
        "position": asdict(at),
    }


def _restored(state: TrainingState, model, optimiser) -> _Position | None:
    """Put the last state, if there is one, into model and optimiser; where the training stood."""
    saved = state.load()
    if saved is None:
        return None
    model.load_state_dict(saved["model"])
    optimiser.load_state_dict(saved["optimiser"])
    torch.set_rng_state(saved["random"])
    at = _Position(**saved["position"])
    logger.info("going on from step %d, %d words", at.step, at.words)
    return at


def _standing(at: _Position, rate: float) -> str:
    """What the progress bar says besides words and time left."""
    told = [f"loss {at.losses[-1]:.3f}", f"learning rate {rate:.2g}"]
    if at.log:
        last = at.log[-1]
        told += [
            f"validation loss {last['validation_loss']:.3f}",
            f"{last['tokens_per_s']:.0f} tokens/s",
            f"{last['share_of_peak']:.0%} of peak",
        ]
    return ", ".join(told)


def _report(row: dict) -> None:
    logger.info(
        "%(words)d words: loss %(loss).3f, validation loss %(validation_loss).3f, "
        "%(tokens_per_s).0f tokens a second, %(share_of_peak).0f %% of the matrix peak",
        row | {"share_of_peak": 100 * row["share_of_peak"]},
    )
