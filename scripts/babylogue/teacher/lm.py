"""A teacher: a pre-trained language model that writes child replies and says how probable replies are."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..logs import progress
from .causal import PrefixModel, batches_by_length, load_causal, nucleus_sample
from .prompts import FEW_SHOT, lines, one_turn, plain
from .settings import RepliesSettings

REPLY_COLUMNS = ["prompt", "sample", "reply", "log_probability", "tokens"]


class TeacherModel:
    """A language model under the few-shot prompt of `prompts.FEW_SHOT`, which it reads once."""

    def __init__(self, folder: str | Path, batch_size: int = 128, device: str | None = None):
        """Load the model folder; `device` None takes CUDA where there is one. Raises UserError (`load_causal`)."""
        model, self.tokenizer = load_causal(folder, device)
        self.batch_size = batch_size
        self._model = PrefixModel(model, self.tokenizer(FEW_SHOT).input_ids)
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

    def replies(self, prompts: Sequence[str], settings: RepliesSettings) -> pd.DataFrame:
        """`settings.samples` replies to each prompt, a caregiver turn such as `*MOT: what is that ?`.

        Columns: prompt, sample (0 ...), reply (one turn as the teacher wrote it), log_probability (nats, of the
        reply and its end of line) and tokens (how many that sums). Rows come in the order of the prompts,
        repeated prompts once. A reply depends on its own prompt, its sample number and the seed alone.
        """
        unique = list(dict.fromkeys(prompts))
        tails = {prompt: self._encode(lines(prompt)) for prompt in unique}
        order = sorted(unique, key=lambda prompt: len(tails[prompt]))
        at_once = max(1, settings.batch_size // settings.samples)
        written: dict[tuple[str, int], tuple[list[int], float]] = {}
        with progress(total=len(unique) * settings.samples, description="teacher replies", unit="reply") as bar:
            for start in range(0, len(order), at_once):
                batch = order[start : start + at_once]
                rows = self._sample(batch, [tails[prompt] for prompt in batch], settings)
                written.update(rows)
                bar.update(len(rows))
        keys = [(prompt, sample) for prompt in unique for sample in range(settings.samples)]
        texts = [one_turn(self.tokenizer.decode(written[key][0], skip_special_tokens=True)) for key in keys]
        table = pd.DataFrame(
            {
                "prompt": [prompt for prompt, _ in keys],
                "sample": [sample for _, sample in keys],
                "reply": texts,
                "log_probability": [written[key][1] for key in keys],
                "tokens": [len(written[key][0]) for key in keys],
            },
            columns=REPLY_COLUMNS,
        )
        # A reply that was cut, or sampled in other pieces than its text is made of, is scored as any text is.
        other = [
            index
            for index, (key, text) in enumerate(zip(keys, texts, strict=True))
            if self._row(key[0], plain(text))[0][len(tails[key[0]]) :] != written[key][0]
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
            for batch in batches_by_length([len(ids) for ids, _ in rows], self.batch_size):
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
        """Token ids of a prompt's lines and a reply's line, and how many of them are the reply's."""
        tail = lines(prompt)
        line = f" {reply}\n" if reply else "\n"
        encoded = self.tokenizer(tail + line, add_special_tokens=False, return_offsets_mapping=True)
        return encoded.input_ids, sum(end > len(tail) for _, end in encoded.offset_mapping)

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
    def _sample(self, prompts: list[str], tails: list[list[int]], settings: RepliesSettings):
        """Sampled token ids (end of line included) and their log-probability of every (prompt, sample)."""
        keys = [(prompt, sample) for prompt in prompts for sample in range(settings.samples)]
        draws = np.stack(
            [_draws(settings.seed, prompt, sample, settings.max_new_tokens) for prompt, sample in keys]
        )
        uniforms = torch.from_numpy(draws).to(self._model.device)  # (rows, max_new_tokens)
        hidden, cache, mask, positions = self._model.read(tails)
        cache.batch_repeat_interleave(settings.samples)
        logits, mask, positions = (
            tensor.repeat_interleave(settings.samples, dim=0)
            for tensor in (self._model.logits(hidden[:, -1]), mask, positions)
        )
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
        return {key: (ids, float(total)) for key, ids, total in zip(keys, tokens, sums, strict=True)}


def _draws(seed: int, prompt: str, sample: int, count: int) -> np.ndarray:
    """Random numbers of one reply, which no other prompt, batch or sample has a part in: (count,) in [0, 1)."""
    return np.random.default_rng([seed, zlib.crc32(prompt.encode()), sample]).random(count)
