"""Log-probabilities of completions given contexts: the one scorer under every suite.

The rules are those of the BabyLM 2025 evaluation pipeline (sentence_zero_shot), so that decisions agree item
by item: the full string is tokenised, a token counts if it ends after the context's last character, special
tokens never count.
"""

import math
from collections.abc import Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch

from ..errors import UserError
from ..logs import progress
from ..model.context import context_tokens
from .loading import load_model
from .trees import ANY_WORD, Row, Tokens, batches, pack, stretches
from .words import word_beginnings

__all__ = ["Scored", "Scorer", "load_model"]

CHARACTERS_AT_ONCE = 2**18  # of the strings that are tokenised and sorted together, whatever the file's length
LOGIT_VALUES = 2**26  # logits held at once (256 MiB in float32), whatever the vocabulary
CACHED_VALUES = 2**19  # logits that are normalised at once on a CPU: what its cache holds, twice as fast


class Scored(NamedTuple):
    """Scores of one item's candidates, arrays [candidates]; 0.0 where nothing is scored."""

    log_probability: np.ndarray
    """Sum of natural log-probabilities of the scored tokens, float64."""
    tokens: np.ndarray
    """How many tokens were scored, int64."""
    word_after: np.ndarray | None = None
    """Natural log-probability that a word begins after the string, float64; None if it was not asked for."""

    def mean(self) -> np.ndarray:
        """Log-probability a scored token, float64."""
        return self.log_probability / np.maximum(self.tokens, 1)

    def word_corrected(self) -> "Scored":
        """With the beginning-of-word correction (words.py) in the sum, and so in the mean."""
        return self._replace(log_probability=self.log_probability + self.word_after)


class Scorer:
    """Scores completions with a causal language model, in batches sorted by length.

    `bos` None leaves the special tokens in front to the tokenizer; True has the tokenizer's beginning of sequence
    there in any case; False takes all away, and then, as with a tokenizer that puts none, the first token of a
    string has no prediction and is not scored. `word_correction` asks for what `Scored.word_corrected` needs, in
    the same pass. `batch_tokens` bounds the padded tokens of one forward pass, and with them the memory: on a CPU
    the default is the fastest, a GPU wants more.

    Raises UserError for a model that is no causal language model, for a tokenizer without a beginning of sequence
    where one is asked for, and with `word_correction` for one whose tokens do not mark the beginning of a word.
    """

    def __init__(
        self,
        model,
        tokenizer,
        *,
        bos: bool | None = None,
        word_correction: bool = False,
        batch_tokens: int = 2048,
    ):
        if model.get_output_embeddings() is None:
            raise UserError(f"{type(model).__name__}: scoring needs a causal language model with an output layer")
        if bos and tokenizer.bos_token_id is None:
            raise UserError(f"{tokenizer.name_or_path or 'tokenizer'}: it has no beginning-of-sequence token")
        self.model = model
        self.tokenizer = tokenizer
        self.bos = bos
        self.max_positions = context_tokens(model)
        self.vocabulary = model.get_input_embeddings().weight.shape[0]
        self.batch_tokens = max(1, min(batch_tokens, LOGIT_VALUES // self.vocabulary))
        self.beginnings = None
        if word_correction:
            beginnings = word_beginnings(tokenizer)
            self.beginnings = torch.from_numpy(beginnings[beginnings < self.vocabulary]).to(model.device)

    def log_probabilities(
        self,
        contexts: Sequence[Sequence[str]],
        candidates: Sequence[Sequence[str]],
        names: Sequence[str] | None = None,
    ) -> list[Scored]:
        """Score each item's candidates: full string i = contexts[i] + candidates[i], candidate part scored.

        Any number of candidates an item; `names` are the items' names in error messages (default: their number).
        Raises UserError for a string longer than the model's positions or a token outside its vocabulary.
        """
        names = names if names is not None else range(len(candidates))
        characters = [
            sum(map(len, context)) + sum(map(len, own)) for context, own in zip(contexts, candidates, strict=True)
        ]
        scored = []
        with self._progress(len(candidates)) as bar:
            for part in stretches(characters, CHARACTERS_AT_ONCE):
                items = self._tokenise(contexts[part], candidates[part], names[part])
                rows = [pack(item, word_after=self.beginnings is not None) for item in items]
                found = [self._unscored(len(item)) for item in items]
                for index, values in self._predict(rows, names[part], bar):
                    found[index] = self._summed(rows[index], values, len(items[index]))
                scored += found
        return scored

    def next_token_log_probabilities(
        self, texts: Sequence[str], tokens: Sequence[int], names: Sequence[str]
    ) -> np.ndarray:
        """Natural log-probability of token id `tokens[i]` right after `texts[i]`, float64 [texts].

        Special tokens in front are kept, those at the end left out: after an end of sequence nothing follows.
        `names` are the texts' in error messages. Raises UserError for a text longer than the model's positions.
        """
        result = np.zeros(len(texts))
        with self._progress(len(texts)) as bar:
            for part in stretches(list(map(len, texts)), CHARACTERS_AT_ONCE):
                rows = []
                for (ids, ends, _), token in zip(self._encode(texts[part]), tokens[part], strict=True):
                    last = max((place for place, end in enumerate(ends, start=1) if end), default=len(ids))
                    rows.append(pack([Tokens([*ids[:last], token], [last])]) if last else None)
                for index, values in self._predict(rows, names[part], bar):
                    result[part.start + index] = values[0]
        return result

    def _encode(self, texts: Sequence[str]):
        """Yield (ids, end offset of each token, special-token mask), lists [length], of each full string."""
        encoding = self.tokenizer(
            list(texts),
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            return_attention_mask=False,
            verbose=False,
        )
        for ids, offsets, special in zip(
            encoding["input_ids"], encoding["offset_mapping"], encoding["special_tokens_mask"], strict=True
        ):
            yield ids, [end for _, end in offsets], special

    def _tokenise(self, contexts, candidates, names) -> list[list[Tokens]]:
        """The strings of each item, [items][candidates]."""
        full = [
            context + candidate
            for item_contexts, item_candidates in zip(contexts, candidates, strict=True)
            for context, candidate in zip(item_contexts, item_candidates, strict=True)
        ]
        encoded = self._encode(full)
        items = []
        for item_contexts, name in zip(contexts, names, strict=True):
            strings = []
            for context in item_contexts:
                ids, ends, special = next(encoded)
                if self.bos is not None:
                    front = next((place for place, mark in enumerate(special) if not mark), len(ids))
                    if not self.bos:
                        ids, ends = ids[front:], ends[front:]
                    elif self.tokenizer.bos_token_id not in ids[:front]:
                        ids, ends = [self.tokenizer.bos_token_id, *ids], [0, *ends]
                if ids and max(ids) >= self.vocabulary:
                    raise UserError(
                        f"item {name}: token id {max(ids)} is outside the model's vocabulary of "
                        f"{self.vocabulary}; model and tokenizer do not belong together"
                    )
                start = len(context)
                strings.append(Tokens(ids, [place for place, end in enumerate(ends) if end > start and place]))
            items.append(strings)
        return items

    def _progress(self, items: int):
        return progress(total=items, description="scoring", unit="item")

    def _unscored(self, candidates: int) -> Scored:
        nothing = np.zeros(candidates)
        return Scored(nothing, np.zeros(candidates, dtype=np.int64), None if self.beginnings is None else nothing)

    def _summed(self, row: Row, log_probabilities: list[float], candidates: int) -> Scored:
        """Sums over the tokens of each candidate from the predictions [n] of the item's row."""
        sums, tokens, word_after = [0.0] * candidates, [0] * candidates, [0.0] * candidates
        for owner, target, value in zip(row.owners, row.targets, log_probabilities, strict=True):
            if target == ANY_WORD:
                word_after[owner] = value
            else:
                sums[owner] += value
                tokens[owner] += 1
        return Scored(np.array(sums), np.array(tokens), None if self.beginnings is None else np.array(word_after))

    def _predict(self, rows: list[Row | None], names, bar):
        """Yield (row index, natural log-probabilities [n] of its targets) in the order of batches."""
        live = [index for index, row in enumerate(rows) if row is not None]
        bar.update(len(rows) - len(live))
        if self.max_positions is not None:
            for index in live:
                if (longest := max(rows[index].positions) + 1) > self.max_positions:
                    raise UserError(
                        f"item {names[index]}: {longest} tokens, but the model takes at most "
                        f"{self.max_positions}; leave it out or use a model with a longer context"
                    )
        for batch in batches([len(rows[index]) for index in live], self.batch_tokens):
            members = [live[index] for index in batch]
            values = self._forward([rows[index] for index in members])
            start = 0
            for index in members:
                own = values[start : start + len(rows[index].queries)]
                start += len(own)
                if not all(map(math.isfinite, own)):
                    raise UserError(f"item {names[index]}: the model's log-probability is not a finite number")
                yield index, own
            bar.update(len(members))

    @torch.inference_mode()
    def _forward(self, rows: list[Row]) -> list[float]:
        """Natural log-probabilities of the targets of all rows, one after the other."""
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
        queries = [place + number * width for number, row in enumerate(rows) for place in row.queries]
        targets = np.array([target for row in rows for target in row.targets])
        needed, place = np.unique(queries, return_inverse=True)
        with only_positions(self.model.get_output_embeddings(), torch.from_numpy(needed).to(device)):
            output = self.model(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=mask,
                position_ids=torch.from_numpy(positions).to(device),
                use_cache=False,
            )
        logits = output.logits[0].float()  # [needed, vocabulary]
        values = self._target_values(
            logits, torch.from_numpy(place).to(device), torch.from_numpy(targets).to(device)
        )
        return values.tolist()

    def _target_values(self, logits: torch.Tensor, place: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Log-probabilities [n] of `targets` [n] from the rows `place` [n] of `logits` [needed, vocabulary]."""
        rows = max(1, CACHED_VALUES // self.vocabulary) if logits.device.type == "cpu" else len(logits)
        normalisers = torch.cat([part.logsumexp(dim=-1) for part in logits.split(rows)])
        values = logits[place, targets.clamp(min=0)]
        if self.beginnings is not None:
            after = targets == ANY_WORD
            values[after] = logits[place[after]].index_select(1, self.beginnings).logsumexp(dim=-1)
        return values - normalisers[place]


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
