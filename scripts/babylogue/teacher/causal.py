"""A causal language model behind one fixed prefix, whose keys and values are computed once."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..errors import UserError

MIN_ROWS = 8  # fewer rows than this use a CPU badly: rather pad them


def precision(device: str) -> torch.dtype:
    """What models are computed in: bfloat16 on CUDA, float32 on the CPU, where bfloat16 is slow."""
    return torch.bfloat16 if device.startswith("cuda") else torch.float32


def load_causal(folder: str | Path, device: str | None = None):
    """Model and tokenizer of a folder, in the device's `precision`.

    `device` None takes CUDA where there is one. Raises UserError for a folder that holds no such model.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=precision(device), use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{folder} holds no causal language model: {str(error).splitlines()[0]}") from None
    return model.to(device).eval().requires_grad_(False), tokenizer


class PrefixModel:
    """A model that has read `prefix_ids`; every row that it reads afterwards continues that prefix."""

    def __init__(self, model, prefix_ids: Sequence[int]):
        """Raises UserError for an architecture whose logits are more than its last hidden states and a head."""
        self.device = model.device
        self.prefix_length = len(prefix_ids)
        self._decoder, self._head = model.base_model, model.get_output_embeddings()
        self._softcap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
        with torch.inference_mode():
            ids = torch.tensor([list(prefix_ids)], device=self.device)
            output = self._decoder(input_ids=ids, use_cache=True)
            own = model(input_ids=ids, logits_to_keep=1).logits[:, -1]
            if not torch.allclose(self.logits(output.last_hidden_state[:, -1]), own.float(), rtol=1e-2, atol=1e-2):
                raise UserError(
                    f"{model.name_or_path}: models of type {model.config.model_type} are not supported here"
                )
        self._cache = output.past_key_values

    def logits(self, hidden):
        """Next-token logits (..., vocabulary), float32, of hidden states (..., hidden)."""
        logits = self._head(hidden).float()
        return logits if self._softcap is None else torch.tanh(logits / self._softcap) * self._softcap

    def read(self, rows: Sequence[Sequence[int]]):
        """Read ragged rows of token ids after the prefix.

        Rows are padded on the left, so that each row's end is the last column: returns hidden states (rows, width,
        hidden), cache, mask (rows, prefix + width) and each row's next position (rows,).
        """
        width = max(len(row) for row in rows)
        ids = np.zeros((len(rows), width), dtype=np.int64)
        mask = np.zeros((len(rows), self.prefix_length + width), dtype=np.int64)
        mask[:, : self.prefix_length] = 1
        for index, row in enumerate(rows):
            ids[index, width - len(row) :] = row
            mask[index, self.prefix_length + width - len(row) :] = 1
        mask = torch.from_numpy(mask).to(self.device)
        positions = (mask.cumsum(dim=1) - 1)[:, self.prefix_length :]  # (rows, width)
        cache = copy.deepcopy(self._cache)
        cache.batch_repeat_interleave(len(rows))
        output = self._decoder(
            input_ids=torch.from_numpy(ids).to(self.device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        return output.last_hidden_state, output.past_key_values, mask, positions[:, -1] + 1

    def step(self, tokens, cache, mask, positions):
        """Read one more token (rows,) of every row: next-token logits (rows, vocabulary), cache."""
        output = self._decoder(
            input_ids=tokens[:, None],
            attention_mask=mask,
            position_ids=positions[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        return self.logits(output.last_hidden_state[:, -1]), output.past_key_values


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Indices of rows in batches of similar length: at most `batch_size` rows and about a quarter of padding."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if (
            not batches
            or len(batches[-1]) == batch_size
            or (len(batches[-1]) >= MIN_ROWS and lengths[index] > 1.25 * lengths[batches[-1][0]])
        ):
            batches.append([])
        batches[-1].append(index)
    return batches


def nucleus_sample(logits, uniforms, temperature: float, top_p: float):
    """One token of each row by top-p sampling (Holtzman et al. 2020, section 3.1), from given random numbers.

    The kept set is the smallest set of most probable tokens whose mass reaches `top_p`. `logits` (rows,
    vocabulary); `uniforms` (rows,) in [0, 1): the inverse of the kept set's distribution function is read at
    them, so that a draw depends on its own row alone. Returns token ids (rows,).
    """
    scaled = logits / temperature
    total = scaled.logsumexp(dim=-1, keepdim=True)
    # A few hundred tokens nearly always hold the mass; sorting the whole vocabulary is the costly exception.
    size = min(256, scaled.shape[-1])
    top, ids = scaled.topk(size, dim=-1)
    mass = (top - total).exp().cumsum(dim=-1)
    if size < scaled.shape[-1] and bool((mass[:, -1] < top_p).any()):
        top, ids = scaled.sort(dim=-1, descending=True)
        mass = (top - total).exp().cumsum(dim=-1)
    kept = (mass < top_p).sum(dim=-1, keepdim=True).clamp(max=mass.shape[-1] - 1)  # (rows, 1), last kept rank
    target = uniforms[:, None].to(mass) * mass.gather(1, kept)
    rank = torch.searchsorted(mass, target, right=True).minimum(kept)
    return ids.gather(1, rank)[:, 0]
