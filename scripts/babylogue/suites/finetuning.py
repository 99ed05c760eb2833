"""Fine-tuning a causal model as a classifier of pairs of texts, as the BabyLM 2025 pipeline does (finetune)."""

from copy import deepcopy
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from transformers import get_cosine_with_min_lr_schedule_with_warmup

from ..errors import UserError
from ..logs import progress
from ..scoring.architecture import context_length

SEED = 42
LEARNING_RATE = 3e-5
WEIGHT_DECAY = 0.01
WARMUP_SHARE = 0.06
FINAL_LEARNING_RATE_SHARE = 0.1
DROPOUT = 0.1
LAYER_NORM_EPS = 1e-5
MAX_TOKENS = 512


class Classifier(nn.Module):
    """A model's body with a fresh head on one pooled position of each text."""

    def __init__(self, body: nn.Module, labels: int, pooling: Literal["first", "last"]):
        super().__init__()
        self.body = body
        self.pooling = pooling
        width = body.config.hidden_size
        self.head = nn.Sequential(
            nn.LayerNorm(width, LAYER_NORM_EPS, elementwise_affine=False),
            nn.Linear(width, width),
            nn.GELU(),
            nn.LayerNorm(width, LAYER_NORM_EPS, elementwise_affine=False),
            nn.Dropout(DROPOUT),
            nn.Linear(width, labels),
        )

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits [texts, labels] from ids and mask [texts, length], padded on the right."""
        hidden = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        last = attention_mask.sum(dim=1) - 1
        position = torch.zeros_like(last) if self.pooling == "first" else last
        return self.head(hidden[torch.arange(len(hidden), device=hidden.device), position])


def fine_tune(
    model,
    tokenizer,
    train: pd.DataFrame,
    valid: pd.DataFrame,
    *,
    pooling: Literal["first", "last"],
    labels: int,
    batch_size: int,
    epochs: int,
) -> np.ndarray:
    """Predicted label of each row of `valid` after each epoch, [epochs, rows].

    `train` and `valid` have the columns group, first, second and label; the model itself stays as it is. Raises
    UserError where there are fewer training rows than a batch holds.
    """
    if len(train) < batch_size:
        task = train["group"].iloc[0]
        raise UserError(f"{task}: {len(train)} training items, fewer than a batch of {batch_size}")
    torch.manual_seed(SEED)
    classifier = Classifier(deepcopy(model.base_model), labels, pooling).to(model.device)

    longest = min(MAX_TOKENS, context_length(model))
    # In a causal model the first position sees itself alone: without the rest its output is the same, much sooner.
    kept = 1 if pooling == "first" else longest

    def collate(rows: list[tuple[list[int], int]]):
        ids, own_labels = zip(*rows, strict=True)
        width = max(map(len, ids))
        padded = torch.zeros(len(ids), width, dtype=torch.long)
        mask = torch.zeros_like(padded)
        for row, own in enumerate(ids):
            padded[row, : len(own)] = torch.tensor(own)
            mask[row, : len(own)] = 1
        return padded.to(model.device), mask.to(model.device), torch.tensor(own_labels, device=model.device)

    def batches(items: pd.DataFrame, training: bool) -> DataLoader:
        ids = tokenizer(items["first"].tolist(), items["second"].tolist(), truncation=True, max_length=longest)
        rows = list(zip([own[:kept] for own in ids["input_ids"]], items["label"], strict=True))
        return DataLoader(rows, batch_size, shuffle=training, drop_last=training, collate_fn=collate)

    loader, others = batches(train, training=True), batches(valid, training=False)
    steps = epochs * len(loader)
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = get_cosine_with_min_lr_schedule_with_warmup(
        optimiser, int(WARMUP_SHARE * steps), steps, min_lr_rate=FINAL_LEARNING_RATE_SHARE
    )
    predictions = []
    with progress(total=steps, description=f"fine-tuning, {pooling} token", unit="step") as bar:
        for _ in range(epochs):
            classifier.train()
            for ids, mask, own_labels in loader:
                loss = cross_entropy(classifier(ids, mask), own_labels)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                schedule.step()
                bar.update(1)
            classifier.eval()
            with torch.inference_mode():
                found = [classifier(ids, mask).argmax(dim=1).cpu() for ids, mask, _ in others]
            predictions.append(torch.cat(found).numpy())
    return np.array(predictions)
