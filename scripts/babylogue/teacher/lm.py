"""A teacher: a pre-trained language model that writes child replies and says how probable replies are."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..logs import progress
from ..tokenizer.loading import encode_open
from .causal import PrefixModel, load_causal, nucleus_sample
from .draws import own_generator
from .prompts import FEW_SHOT, encoded_exchange, lines, one_turn, plain
from .settings import RepliesSettings


class TeacherModel:
    """A language model under the few-shot prompt of `prompts.FEW_SHOT`, which it reads once."""

    def __init__(self, folder: str | Path, batch_size: int = 128, device: str | None = None):
        """Load the model folder; `device` None takes CUDA where there is one. Raises UserError (`load_causal`)."""
        model, self.tokenizer = load_causal(folder, device)
        self.batch_size = batch_size
        self._model = PrefixModel(model, encode_open(self.tokenizer, [FEW_SHOT])[0])
        self._newline = self._encode("a\n")[-1]
        vocabulary = model.get_output_embeddings().weight.shape[0]
        texts = self.tokenizer.batch_decode([[token] for token in range(len(self.tokenizer))])
        ends_line = [token for token, text in enumerate(texts) if "\n" in text]
        ends_sentence = [token for token, text in enumerate(texts) if set(".?!") & set(text)]
        if self.tokenizer.eos_token_id is not None:
            ends_line.append(self.tokenizer.eos_token_id)
        self._ends_line = torch.zeros(vocabulary, dtype=torch.bool, device=self._model.device)
        self._ends_line[ends_line] = True
        self._ends_sentence = torch.zeros_like(self._ends_line)
        self._ends_sentence[ends_sentence] = True

    def write(self, keys: Sequence[tuple[str, int]], settings: RepliesSettings) -> Iterator[pd.DataFrame]:
        """Replies to prompts by number, (prompt, sample), as tables with `cache.COLUMNS`, a batch at a time.

        A reply depends on its own prompt, its sample number and the seed alone.
        """
        tails = {prompt: self._encode(lines(prompt)) for prompt in dict.fromkeys(prompt for prompt, _ in keys)}
        order = sorted(keys, key=lambda key: len(tails[key[0]]))
        # Prompts of several lengths together where the model can read them so, and of one length where not.
        groups = [order]
        if order and not self._model.reads_together([len(tail) for tail in tails.values()]):
            groups = [list(group) for _, group in groupby(order, key=lambda key: len(tails[key[0]]))]
        for group in groups:
            for start in range(0, len(group), settings.batch_size):
                batch = group[start : start + settings.batch_size]
                yield self._table(batch, self._sample(batch, tails, settings), tails)

    def _table(self, keys: list[tuple[str, int]], written, tails: dict[str, list[int]]) -> pd.DataFrame:
        texts = [one_turn(self.tokenizer.decode(ids, skip_special_tokens=True)) for ids, _ in written]
        table = pd.DataFrame(keys, columns=["prompt", "sample"])
        table["reply"] = texts
        table["log_probability"] = [total for _, total in written]
        table["tokens"] = [len(ids) for ids, _ in written]
        # A reply that was cut, or sampled in other pieces than its text is made of, is scored as any text is.
        other = [
            index
            for index, ((prompt, _), text) in enumerate(zip(keys, texts, strict=True))
            if self._row(prompt, text)[0][len(tails[prompt]) :] != written[index][0]
        ]
        if other:
            sums, tokens = self.log_probabilities([keys[i][0] for i in other], [texts[i] for i in other])
            table.loc[other, "log_probability"] = sums
            table.loc[other, "tokens"] = tokens
        return table

    def log_probabilities(self, prompts: Sequence[str], replies: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Log-probability of each reply and its end of line after its prompt: sums (n,) in nats, tokens (n,).

        Replies may be in CHAT form or plain; both are read as plain text, so that one wording has one value.
        """
        pairs = list(zip(prompts, map(plain, replies), strict=True))
        unique = list(dict.fromkeys(pairs))
        rows = [self._row(*pair) for pair in unique]
        values: dict[tuple[str, str], tuple[float, int]] = {}
        with progress(total=len(rows), description="teacher log-probabilities", unit="reply") as bar:
            for batch in self._model.batches([len(ids) for ids, _ in rows], self.batch_size):
                sums = self._score([rows[index] for index in batch])
                values.update((unique[i], (total, rows[i][1])) for i, total in zip(batch, sums, strict=True))
                bar.update(len(batch))
        found = [values[pair] for pair in pairs]
        return np.array([value for value, _ in found], dtype=np.float64), np.array(
            [n for _, n in found], dtype=int
        )

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def _row(self, prompt: str, reply: str) -> tuple[list[int], int]:
        return encoded_exchange(self.tokenizer, prompt, reply)

    @torch.inference_mode()
    def _score(self, rows: list[tuple[list[int], int]]) -> list[float]:
        hidden = self._model.read([ids for ids, _ in rows])[0][:, :-1]  # (rows, width - 1, hidden)
        counted = torch.zeros(hidden.shape[:2], dtype=torch.bool)
        for index, (_, length) in enumerate(rows):
            counted[index, -length:] = True
        targets = torch.tensor([token for ids, length in rows for token in ids[-length:]], device=hidden.device)
        logits = self._model.logits(hidden[counted.to(hidden.device)])  # (counted tokens, vocabulary)
        chosen = logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(dim=-1)
        return [float(part.double().sum()) for part in chosen.cpu().split([length for _, length in rows])]

    @torch.inference_mode()
    def _sample(self, keys: list[tuple[str, int]], tails: dict[str, list[int]], settings: RepliesSettings):
        """Sampled token ids (end of line included) and their log-probability of every (prompt, sample)."""
        draws = [own_generator(settings.seed, *key).random(settings.max_new_tokens) for key in keys]
        uniforms = torch.from_numpy(np.stack(draws)).to(self._model.device)  # (rows, max_new_tokens)
        places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompt for prompt, _ in keys))}
        hidden, cache, mask, positions = self._model.read([tails[prompt] for prompt in places])
        own = torch.tensor([places[prompt] for prompt, _ in keys], device=self._model.device)  # (rows,)
        cache.batch_select_indices(own)
        logits, mask, positions = (t[own] for t in (self._model.logits(hidden[:, -1]), mask, positions))
        tokens: list[list[int]] = [[] for _ in keys]
        sums = np.zeros(len(keys))
        rows = np.arange(len(keys))  # rows still being written
        closing = torch.zeros(len(keys), dtype=torch.bool, device=logits.device)  # rows whose sentence has ended
        for position in range(settings.max_new_tokens):
            chosen = nucleus_sample(logits, uniforms[rows, position], settings.temperature, settings.top_p)
            # After a sentence's end only the end of line is wanted: its probability is read off, nothing is drawn.
            chosen = torch.where(closing, self._newline, chosen)
            gained = logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(dim=-1)
            sums[rows] += gained.double().cpu().numpy()
            for row, token in zip(rows, chosen.tolist(), strict=True):
                tokens[row].append(token)
            open_rows = ~self._ends_line[chosen]
            if position + 1 == settings.max_new_tokens or not bool(open_rows.any()):
                break
            closing = self._ends_sentence[chosen]
            if not bool(open_rows.all()):
                cache.batch_select_indices(open_rows.nonzero()[:, 0])
                chosen, mask, positions, closing = (t[open_rows] for t in (chosen, mask, positions, closing))
                rows = rows[open_rows.cpu().numpy()]
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            logits, cache = self._model.step(chosen, cache, mask, positions)
            positions = positions + 1
        return [(ids, float(total)) for ids, total in zip(tokens, sums, strict=True)]
