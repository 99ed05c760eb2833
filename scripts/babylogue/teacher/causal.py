"""A causal language model behind one fixed prefix, whose keys and values are computed once."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM

from ..errors import UserError
from ..scoring.architecture import plain_logits, probe_strings, read_on, tolerance, window, works
from ..tokenizer.loading import load_tokenizer

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
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=precision(device), use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{folder} holds no causal language model: {str(error).splitlines()[0]}") from None
    return model.to(device).eval().requires_grad_(False), load_tokenizer(folder)


class PrefixModel:
    """A model that has read `prefix_ids`; every row that it reads afterwards continues that prefix."""

    def __init__(self, model, prefix_ids: Sequence[int]):
        """Raises UserError for an architecture whose logits are more than its last hidden states and a head.

        And for one that cannot go on from what it has read.
        """
        self.device = model.device
        self.prefix_length = len(prefix_ids)
        self._decoder, self._head = model.base_model, model.get_output_embeddings()
        self._softcap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
        with torch.inference_mode():
            ids = torch.tensor([list(prefix_ids)], device=self.device)
            try:
                _, self._cache = read_on(self._decoder, None, input_ids=ids)
            except Exception as error:  # of any type, by architecture
                raise _unsupported(model) from error
        first, second = probe_strings(model)
        if not self._reads_as_plain(model, prefix_ids, [first, first[::-1]]):
            raise _unsupported(model)
        self._pads = self._reads_as_plain(model, prefix_ids, [first, second])
        self._window = window(model.config)

    @torch.inference_mode()
    def _reads_as_plain(self, model, prefix_ids: Sequence[int], rows: Sequence[list[int]]) -> bool:
        """Whether rows, their last token read by itself, have the predictions of plain texts."""
        plain = torch.stack([plain_logits(model, [*prefix_ids, *row])[-2:] for row in rows])

        def attempt():
            hidden, cache, mask, positions = self.read([row[:-1] for row in rows])
            last = torch.tensor([row[-1] for row in rows], device=self.device)
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            # In another order, as rows are left out when they end.
            order = torch.arange(len(rows), device=self.device).flip(0)
            cache.batch_select_indices(order)
            logits, _ = self.step(last[order], cache, mask[order], positions[order])
            return torch.stack([self.logits(hidden[:, -1]), logits.flip(0)], dim=1)

        return works(attempt, plain, tolerance(plain))

    def reads_together(self, lengths: Sequence[int]) -> bool:
        """Whether rows of these lengths can be read in one batch, the shorter ones padded.

        Not by every architecture, nor beyond a window of attention, from which the padding pushes the prefix out.
        """
        return len(set(lengths)) == 1 or (self._pads and self.prefix_length + max(lengths) <= self._window)

    def batches(self, lengths: Sequence[int], batch_size: int) -> list[list[int]]:
        """Indices of rows that can be read together: of similar lengths, or of one where the model wants that."""
        if not lengths or self.reads_together(lengths):
            return batches_by_length(lengths, batch_size)
        return [
            [indices[place] for place in range(start, min(start + batch_size, len(indices)))]
            for length in sorted(set(lengths))
            for indices in [[index for index, own in enumerate(lengths) if own == length]]
            for start in range(0, len(indices), batch_size)
        ]

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
        output, cache = read_on(
            self._decoder,
            cache,
            input_ids=torch.from_numpy(ids).to(self.device),
            attention_mask=mask,
            position_ids=positions,
        )
        return output.last_hidden_state, cache, mask, positions[:, -1] + 1

    def step(self, tokens, cache, mask, positions):
        """Read one more token (rows,) of every row: next-token logits (rows, vocabulary), cache."""
        output, cache = read_on(
            self._decoder,
            cache,
            input_ids=tokens[:, None],
            attention_mask=mask,
            position_ids=positions[:, None],
        )
        return self.logits(output.last_hidden_state[:, -1]), cache


def _unsupported(model) -> UserError:
    kind = model.config.model_type
    return UserError(
        f"{model.name_or_path}: models of type {kind} are not supported here, since they change their logits or "
        "cannot go on from a prefix; take a transformer"
    )


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
