"""Replies by vLLM's offline engine (https://docs.vllm.ai, `LLM.generate`, `SamplingParams`).

Log-probabilities are vLLM's default `raw_logprobs`: of the model itself, before temperature and nucleus. Every
request has a seed of its own, but vLLM adds in an order that its scheduling decides, so that a reply can differ
from one run to another; what is in the cache stays.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from ..tokenizer.loading import encode_open, load_tokenizer
from .draws import own_seed
from .prompts import FEW_SHOT, encoded_exchange, lines, one_turn
from .settings import RepliesSettings

MAX_TOKENS = 1024  # few-shot prompt, prompt and reply: room is kept for no more, whatever the model could read


class VllmEngine:
    """A model folder under the few-shot prompt of `prompts.FEW_SHOT`, on this machine's GPU."""

    def __init__(self, folder: str | Path):
        """Load the model folder."""
        from vllm import LLM

        self._engine = LLM(model=str(folder), dtype="bfloat16", max_model_len=MAX_TOKENS)
        self._tokenizer = load_tokenizer(folder)
        self._few_shot = encode_open(self._tokenizer, [FEW_SHOT])[0]

    def write(self, keys: Sequence[tuple[str, int]], settings: RepliesSettings) -> Iterator[pd.DataFrame]:
        """Replies to prompts by number, (prompt, sample), as tables with `cache.COLUMNS`, a batch at a time."""
        from vllm import SamplingParams

        for start in range(0, len(keys), settings.batch_size):
            batch = keys[start : start + settings.batch_size]
            asked = [
                SamplingParams(
                    temperature=settings.temperature,
                    top_p=settings.top_p,
                    max_tokens=settings.max_new_tokens,
                    stop=["\n"],
                    seed=own_seed(settings.seed, *key),
                )
                for key in batch
            ]
            tails = [self._tokenizer(lines(prompt), add_special_tokens=False).input_ids for prompt, _ in batch]
            outputs = self._generate(tails, asked)
            table = pd.DataFrame(batch, columns=["prompt", "sample"])
            table["reply"] = [one_turn(output.outputs[0].text) for output in outputs]
            # Sampled tokens go beyond a reply that was cut, and lack the end of line of one that was too long.
            rows = [
                encoded_exchange(self._tokenizer, prompt, reply)
                for (prompt, _), reply in zip(batch, table["reply"], strict=True)
            ]
            scored = self._generate([ids for ids, _ in rows], SamplingParams(max_tokens=1, prompt_logprobs=0))
            table["log_probability"] = [
                sum(
                    told[token].logprob
                    for token, told in zip(ids[-count:], output.prompt_logprobs[-count:], strict=True)
                )
                for (ids, count), output in zip(rows, scored, strict=True)
            ]
            table["tokens"] = [count for _, count in rows]
            yield table

    def _generate(self, tails: list[list[int]], asked):
        from vllm import TokensPrompt

        prompts = [TokensPrompt(prompt_token_ids=[*self._few_shot, *ids]) for ids in tails]
        return self._engine.generate(prompts, asked, use_tqdm=False)
