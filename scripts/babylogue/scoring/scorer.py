"""Log-probabilities of completions given contexts: the one scorer under every suite.

The rules are those of the BabyLM 2025 evaluation pipeline (sentence_zero_shot), so that decisions agree item
by item: the full string is tokenised, a token counts if it ends after the context's last character, special
tokens never count.
"""

from collections.abc import Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from ..errors import UserError
from ..logs import progress
from .loading import load_model
from .trees import Row, Tokens, batches, pack

__all__ = ["Scored", "Scorer", "load_model"]

STRINGS_PER_CALL = 4096  # strings handed to the tokenizer at once, to bound the memory of its offsets
LOGIT_VALUES = 2**26  # logits held at once (256 MiB in float32), whatever the vocabulary


class Scored(NamedTuple):
    """Scores of one item's candidates, both arrays [candidates]."""

    log_probability: np.ndarray
    """Sum of natural log-probabilities of the scored tokens, float64; 0.0 where nothing is scored."""
    tokens: np.ndarray
    """How many tokens were scored, int64."""


class Scorer:
    """Scores completions with a causal language model, in batches sorted by length.

    `bos=False` takes away the special tokens that the tokenizer puts in front; then, as with a tokenizer that
    puts none, the first token of a string has no prediction and is not scored. `batch_tokens` bounds the padded
    tokens of one forward pass, and with them the memory.
    """

    def __init__(self, model, tokenizer, *, bos: bool = True, batch_tokens: int = 8192):
        if model.get_output_embeddings() is None:
            raise UserError(f"{type(model).__name__}: scoring needs a causal language model with an output layer")
        self.model = model
        self.tokenizer = tokenizer
        self.bos = bos
        self.max_positions = getattr(model.config, "max_position_embeddings", None)
        self.vocabulary = model.get_input_embeddings().weight.shape[0]
        self.batch_tokens = max(1, min(batch_tokens, LOGIT_VALUES // self.vocabulary))

    def log_probabilities(
        self,
        contexts: Sequence[Sequence[str]],
        candidates: Sequence[Sequence[str]],
        names: Sequence[str] | None = None,
    ) -> list[Scored]:
        """Score each item's candidates: full string i = contexts[i] + candidates[i], candidate part scored.

        Any number of candidates an item; `names` are the items' names in error messages (default: their index).
        Raises UserError for a string longer than the model's positions or a token outside its vocabulary.
        """
        names = names if names is not None else [f"item {index}" for index in range(len(contexts))]
        sizes = [len(item) for item in candidates]
        ends = np.cumsum([0, *sizes])
        strings = self._tokenise(
            [text for item in contexts for text in item],
            [text for item in candidates for text in item],
            np.repeat(np.arange(len(sizes)), sizes),
            names,
        )
        rows = [pack(strings[start:end]) for start, end in pairwise(ends)]
        results = [Scored(np.zeros(size), np.zeros(size, dtype=np.int64)) for size in sizes]
        for index, log_probabilities in self._predict(rows, names):
            owners = rows[index].owners
            results[index] = Scored(
                np.bincount(owners, weights=log_probabilities, minlength=sizes[index]),
                np.bincount(owners, minlength=sizes[index]),
            )
        return results

    def next_token_log_probabilities(self, texts: Sequence[str], tokens: Sequence[int]) -> np.ndarray:
        """Natural log-probability of token id `tokens[i]` right after `texts[i]`, float64 [texts].

        Special tokens in front are kept, those at the end left out: after an end of sequence nothing follows.
        """
        names = [f"text {index}" for index in range(len(texts))]
        strings = []
        for ids, ends, _ in self._encode(texts):
            last = int(np.flatnonzero(ends)[-1]) + 1 if ends.any() else len(ids)
            strings.append(ids[:last])
        rows = [
            pack([Tokens(np.append(ids, token), np.array([len(ids)]))]) if len(ids) else None
            for ids, token in zip(strings, tokens, strict=True)
        ]
        result = np.zeros(len(texts))
        for index, log_probabilities in self._predict(rows, names):
            result[index] = log_probabilities[0]
        return result

    def _encode(self, texts: Sequence[str]):
        """Yield (ids, end offset of each token, special-token mask), arrays [length], of each full string."""
        for start in range(0, len(texts), STRINGS_PER_CALL):
            encoding = self.tokenizer(
                list(texts[start : start + STRINGS_PER_CALL]),
                return_offsets_mapping=True,
                return_special_tokens_mask=True,
                return_attention_mask=False,
                verbose=False,
            )
            for ids, offsets, special in zip(
                encoding["input_ids"], encoding["offset_mapping"], encoding["special_tokens_mask"], strict=True
            ):
                ends = np.array([end for _, end in offsets], dtype=np.int64)
                yield np.array(ids, dtype=np.int64), ends, np.array(special, dtype=bool)

    def _tokenise(self, contexts, candidates, items, names) -> list[Tokens]:
        full = [context + candidate for context, candidate in zip(contexts, candidates, strict=True)]
        strings = []
        for (ids, ends, special), context, item in zip(self._encode(full), contexts, items, strict=True):
            if not self.bos:
                kept = np.argmin(special & (ends == 0)) if len(ids) and not special.all() else len(ids)
                ids, ends = ids[kept:], ends[kept:]
            if len(ids) and ids.max() >= self.vocabulary:
                raise UserError(
                    f"{names[item]}: token id {ids.max()} is outside the model's vocabulary of {self.vocabulary}; "
                    "model and tokenizer do not belong together"
                )
            scored = np.flatnonzero(ends > len(context))
            strings.append(Tokens(ids, scored[scored > 0]))
        return strings

    def _predict(self, rows: list[Row | None], names):
        """Yield (row index, natural log-probabilities [n] of its targets, float64) in the order of batches."""
        live = [index for index, row in enumerate(rows) if row is not None]
        if self.max_positions is not None:
            for index in live:
                if (longest := int(rows[index].positions.max()) + 1) > self.max_positions:
                    raise UserError(
                        f"{names[index]}: {longest} tokens, but the model takes at most {self.max_positions}; "
                        "leave the suite out or use a model with a longer context"
                    )
        with progress(total=len(live), description="scoring", unit="item") as bar:
            for batch in batches([len(rows[index]) for index in live], self.batch_tokens):
                members = [live[index] for index in batch]
                values = self._forward([rows[index] for index in members])
                for index, own in zip(members, values, strict=True):
                    if not np.isfinite(own).all():
                        raise UserError(f"{names[index]}: the model's log-probability is not a finite number")
                    yield index, own
                bar.update(len(members))

    @torch.inference_mode()
    def _forward(self, rows: list[Row]) -> list[np.ndarray]:
        width = max(len(row) for row in rows)
        device = self.model.device
        ids = np.zeros((len(rows), width), dtype=np.int64)
        positions = np.zeros_like(ids)
        branch = np.full_like(ids, -1)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row.ids
            positions[number, : len(row)] = row.positions
            branch[number, : len(row)] = row.branch
        mask = None
        if (branch > 0).any():
            mask = tree_mask(torch.from_numpy(branch).to(device), self.model.dtype)
        else:
            # Plain causal rows: padding is at the end, where no real token sees it.
            positions[:] = np.arange(width)
        queries = np.concatenate([row.queries + number * width for number, row in enumerate(rows)])
        targets = np.concatenate([row.targets for row in rows])
        needed, place = np.unique(queries, return_inverse=True)
        with only_positions(self.model.get_output_embeddings(), torch.from_numpy(needed).to(device)):
            output = self.model(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=mask,
                position_ids=torch.from_numpy(positions).to(device),
                use_cache=False,
            )
        logits = output.logits[0].float()  # [needed, vocabulary]
        place = torch.from_numpy(place).to(device)
        values = logits[place, torch.from_numpy(targets).to(device)] - logits.logsumexp(dim=-1)[place]
        values = values.double().cpu().numpy()
        return np.split(values, np.cumsum([len(row.queries) for row in rows])[:-1])


def tree_mask(branch: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Additive attention mask [rows, 1, length, length] from branch numbers [rows, length] (-1 = padding).

    A token sees earlier tokens of the prefix (branch 0) and of its own branch. Additive, since eager attention
    adds it; a padded token sees the prefix and padding, so no row of the softmax is empty.
    """
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    visible = causal & ((branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None]))
    mask = torch.zeros(visible.shape, dtype=dtype, device=branch.device)
    return mask.masked_fill_(~visible, torch.finfo(dtype).min)[:, None]


@contextmanager
def only_positions(head: torch.nn.Module, needed: torch.Tensor):
    """Within the block, `head` (the output layer) sees only the flat positions `needed` of [rows, length].

    Logits are then [1, needed, vocabulary]; a hook rather than a call of the layer keeps whatever the model does
    to its logits afterwards (scaling, soft caps).
    """

    def select(_module, arguments):
        hidden = arguments[0]
        return (hidden.reshape(-1, hidden.shape[-1])[needed][None], *arguments[1:])

    handle = head.register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()
