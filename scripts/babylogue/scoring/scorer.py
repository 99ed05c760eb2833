"""Log-probabilities of completions given contexts: the one scorer under every suite.

The rules are those of the BabyLM 2025 evaluation pipeline (sentence_zero_shot), so that decisions agree item
by item: the full string is tokenised, a token counts if it ends after the context's last character, special
tokens never count.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch

from ..errors import UserError
from ..logs import progress
from ..model.context import prompt_room
from .architecture import (
    PREFIX,
    original_context,
    plain_logits,
    probe_strings,
    tolerance,
    vocabulary_size,
    window,
    works,
)
from .loading import load_model
from .trees import ANY_WORD, Row, Tokens, batches, pack, rows_apart, stretches
from .words import Correction, word_beginnings

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
    the same pass, in one of the forms of words.py. `batch_tokens` bounds the padded tokens of one forward pass,
    and with them the memory: on a CPU the default is the fastest, a GPU wants more.

    Strings share rows and batches where made-up ones then have the values of a plain forward pass (`packs` and
    `pads` say so), and within the model's windows of attention; others are read one at a time.

    Raises UserError for a model that is no causal language model or cannot be run, for a tokenizer without a
    beginning of sequence where one is asked for, and with `word_correction` for one whose tokens do not mark the
    beginning of a word.
    """

    def __init__(
        self,
        model,
        tokenizer,
        *,
        bos: bool | None = None,
        word_correction: Correction | None = None,
        batch_tokens: int = 2048,
    ):
        if model.get_output_embeddings() is None:
            raise UserError(f"{type(model).__name__}: scoring needs a causal language model with an output layer")
        if bos and tokenizer.bos_token_id is None:
            raise UserError(f"{tokenizer.name_or_path or 'tokenizer'}: it has no beginning-of-sequence token")
        self.model = model
        self.tokenizer = tokenizer
        self.bos = bos
        self.max_positions = prompt_room(model, 0)
        self.vocabulary = vocabulary_size(model)
        self.batch_tokens = max(1, min(batch_tokens, LOGIT_VALUES // self.vocabulary))
        self.beginnings = None
        if word_correction:
            beginnings = word_beginnings(tokenizer, word_correction)
            self.beginnings = torch.from_numpy(beginnings[beginnings < self.vocabulary]).to(model.device)
        self._original_context = original_context(model.config)
        self._longest_packed = min(window(model.config), self._original_context)
        self.packs = self.pads = False
        self._try_layouts()

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
                scored += self._score(items, names[part], bar.update)
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
                rows, indices = [], []
                for index, ((ids, ends, _), token) in enumerate(
                    zip(self._encode(texts[part]), tokens[part], strict=True), start=part.start
                ):
                    last = max((place for place, end in enumerate(ends, start=1) if end), default=len(ids))
                    if last:
                        rows.append(pack([Tokens([*ids[:last], token], [last])]))
                        indices.append(index)
                bar.update(part.stop - part.start - len(rows))
                for number, values in self._predict(rows, [names[index] for index in indices]):
                    result[indices[number]] = values[0]
                    bar.update()
        return result

    def _try_layouts(self) -> None:
        """Set `packs` and `pads`, by what gives made-up strings the values of a plain forward pass of each.

        Raises UserError for a model that cannot be run, and for one whose tokens see what follows them.
        """
        first, second = (Tokens(ids, list(range(1, len(ids)))) for ids in probe_strings(self.model))
        beginning = Tokens(first.ids[:PREFIX], first.scored[: PREFIX - 1])
        logits = [plain_logits(self.model, string.ids[:-1]) for string in (first, second)]
        # A beginning has the values that it has where its string goes on.
        plain = [(logits[0], first), (logits[1], second), (logits[0][: PREFIX - 1], beginning)]
        expected = torch.stack([_log_probability(values, string.ids) for values, string in plain])
        if not expected.isfinite().all():
            return  # the weights are at fault; scoring names the item
        allowed = max(map(tolerance, logits))

        def is_exact(packs: bool, pads: bool) -> bool:
            self.packs, self.pads = packs, pads

            def scores() -> torch.Tensor:
                scored = self._score([[first, second], [beginning]], ["probe"] * 2, lambda items: None)
                return torch.from_numpy(np.concatenate([item.log_probability for item in scored]))

            return works(scores, expected, allowed)

        # No other layout is needed where no row can be too long to be packed.
        packs = len(pack([first, second])) <= self._longest_packed and is_exact(packs=True, pads=False)
        pads = (packs and math.isinf(self._longest_packed)) or is_exact(packs=False, pads=True)
        if not (packs or pads or is_exact(packs=False, pads=False)):
            kind = type(self.model).__name__
            raise UserError(
                f"{kind}: this kind of model cannot be scored: it does not predict each token from those before it"
            )
        self.packs, self.pads = packs, pads

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

    def _score(self, items: list[list[Tokens]], names, done: Callable[[int], object]) -> list[Scored]:
        """Scores of tokenised items [items][candidates]; `done` is told how many more items are scored."""
        rows: list[Row] = []
        owners: list[int] = []  # of each row, the item that it belongs to
        for number, item in enumerate(items):
            own_rows = self._rows(item)
            rows += own_rows
            owners += [number] * len(own_rows)
        waiting = Counter(owners)
        done(len(items) - len(waiting))
        sums, tokens, after = ([[0] * len(item) for item in items] for _ in range(3))
        for index, values in self._predict(rows, [names[number] for number in owners]):
            number, row = owners[index], rows[index]
            for candidate, target, value in zip(row.owners, row.targets, values, strict=True):
                if target == ANY_WORD:
                    after[number][candidate] = value
                else:
                    sums[number][candidate] += value
                    tokens[number][candidate] += 1
            waiting[number] -= 1
            done(not waiting[number])
        return [
            Scored(
                np.array(sums[number], dtype=float),
                np.array(tokens[number], dtype=np.int64),
                None if self.beginnings is None else np.array(after[number], dtype=float),
            )
            for number in range(len(items))
        ]

    def _rows(self, item: list[Tokens]) -> list[Row]:
        """The rows that the strings of an item are read in."""
        word_after = self.beginnings is not None
        if not self.packs:
            return rows_apart(item, word_after=word_after)
        row = pack(item, word_after=word_after)
        if row is None:
            return []
        return [row] if self._fits_packed(row) else rows_apart(item, word_after=word_after)

    def _fits_packed(self, row: Row) -> bool:
        """Whether the mask and positions of a packed row say all that the model goes by.

        Windows are not applied where a mask is given, and some count the places of the row, not the positions.
        """
        return self.packs and len(row) <= self._longest_packed

    def _predict(self, rows: list[Row], names):
        """Yield (row index, natural log-probabilities [n] of its targets) in the order of batches."""
        for row, name in zip(rows, names, strict=True):
            if (longest := max(row.positions) + 1) > self.max_positions:
                raise UserError(
                    f"item {name}: {longest} tokens, but the model takes at most "
                    f"{self.max_positions}; leave it out or use a model with a longer context"
                )
        for members, packed in self._batches(rows):
            try:
                values = self._forward([rows[index] for index in members], packed)
            except IndexError as error:  # the table of positions ends before max_position_embeddings
                raise UserError(
                    f"item {names[members[0]]}: {len(rows[members[0]])} tokens, more than the model has positions "
                    "for; leave it out or use a model with a longer context"
                ) from error
            start = 0
            for index in members:
                own = values[start : start + len(rows[index].queries)]
                start += len(own)
                if not all(map(math.isfinite, own)):
                    raise UserError(f"item {names[index]}: the model's log-probability is not a finite number")
                yield index, own

    def _batches(self, rows: list[Row]) -> Iterator[tuple[list[int], bool]]:
        """Yield (indices of the rows of a batch, the longest first, whether it is packed)."""
        packed, padded, alone = [], [], []
        for index, row in enumerate(rows):
            if self._fits_packed(row):
                packed.append(index)
            elif self.pads and len(row) <= self._original_context:
                padded.append(index)
            else:
                alone.append(index)
        for indices in (packed, padded):
            for batch in batches([len(rows[index]) for index in indices], self.batch_tokens):
                yield [indices[place] for place in batch], indices is packed
        yield from (([index], False) for index in alone)

    @torch.inference_mode()
    def _forward(self, rows: list[Row], packed: bool) -> list[float]:
        """Natural log-probabilities of the targets of all rows, one after the other.

        Rows that are not packed get neither a mask nor positions: the model has them as in a plain forward pass,
        and no token sees the padding, which is at the end.
        """
        width = max(len(row) for row in rows)
        device = self.model.device
        ids = np.zeros((len(rows), width), dtype=np.int64)
        positions = np.zeros_like(ids)
        branch = np.full_like(ids, -1)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row.ids
            positions[number, : len(row)] = row.positions
            branch[number, : len(row)] = row.branch
        own = {}
        if packed:
            mask = None
            if (branch > 0).any():
                mask = tree_mask(torch.from_numpy(branch).to(device), self.model.dtype)
            else:
                # Plain causal rows: padding is at the end, where no real token sees it.
                positions[:] = np.arange(width)
            own = {"attention_mask": mask, "position_ids": torch.from_numpy(positions).to(device)}
        queries = [place + number * width for number, row in enumerate(rows) for place in row.queries]
        targets = np.array([target for row in rows for target in row.targets])
        needed, place = np.unique(queries, return_inverse=True)
        with only_positions(self.model.get_output_embeddings(), torch.from_numpy(needed).to(device)):
            output = self.model(input_ids=torch.from_numpy(ids).to(device), use_cache=False, **own)
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


def _log_probability(logits: torch.Tensor, ids: list[int]) -> torch.Tensor:
    """Sum of the log-probabilities of all tokens but the first, float64, from logits [length - 1, vocabulary]."""
    targets = torch.tensor(ids[1:], device=logits.device)[:, None]
    return logits.double().log_softmax(dim=-1).gather(1, targets).sum().cpu()


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
