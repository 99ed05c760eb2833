"""A judge: an instruction-tuned model that rates how well a child's reply fits its prompt, from 0 to 5."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ..errors import UserError
from ..logs import progress
from .causal import PrefixModel, load_causal
from .prompts import lines, plain

HIGHEST = 5
SYSTEM = "You rate the replies of young children in talks with their mothers."
QUESTION = (
    "Rate the child's reply on a scale from 0 to 5 for contextual appropriateness (it fits what the mother said) "
    "and fluency (it is what a child could well say). 0 is a reply that does not fit or makes no sense, 5 is a "
    "perfect reply. Answer with one number.\n\n"
)
ANSWER = "Score: "
_PLACE = "{exchange}"


class Judge:
    """A chat model under its own template; the instruction before the exchange is read once.

    The paper's reward 3 with two of its faults mended: the template is the judge's own, and the score is the
    expectation over the digits, not one sampled answer.
    """

    def __init__(self, folder: str | Path, batch_size: int = 64, device: str | None = None):
        """Load the model folder. Raises UserError for a model without a chat template or without digit tokens."""
        model, self.tokenizer = load_causal(folder, device)
        self.batch_size = batch_size
        if not self.tokenizer.chat_template:
            raise UserError(f"{folder} has no chat template: a judge must be an instruction-tuned model")
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION + _PLACE}]
        asked = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        before, self._after = asked.split(_PLACE)
        self._model = PrefixModel(model, self._encode(before))
        answers = [self._encode(f"{self._after}{ANSWER}{digit}") for digit in range(HIGHEST + 1)]
        if len({tuple(ids[:-1]) for ids in answers}) != 1:
            raise UserError(
                f"{folder} does not write the digits 0 to {HIGHEST} as one token each: take another judge"
            )
        self._digits = torch.tensor([ids[-1] for ids in answers], device=self._model.device)

    @torch.inference_mode()
    def digit_shares(self, prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        """Probability of each digit 0 to 5 as the score of each reply, among the digits: (n, 6).

        Prompts are turns such as `*MOT: what is that ?`, replies the child's words, in CHAT form or plain.
        """
        rows = [self._row(prompt, reply) for prompt, reply in zip(prompts, replies, strict=True)]
        shares = np.zeros((len(rows), HIGHEST + 1))
        with progress(total=len(rows), description="judge", unit="reply") as bar:
            for batch in self._model.batches([len(row) for row in rows], self.batch_size):
                hidden = self._model.read([rows[index] for index in batch])[0][:, -1]
                logits = self._model.logits(hidden)[:, self._digits]
                shares[batch] = logits.double().softmax(dim=-1).cpu().numpy()
                bar.update(len(batch))
        return shares

    def _encode(self, text: str) -> list[int]:
        # The template writes the special tokens itself.
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def _row(self, prompt: str, reply: str) -> list[int]:
        """Token ids from the exchange to where the digit stands."""
        # Read with a digit, so that the space before it is cut into tokens as it is before any answer.
        return self._encode(f"{lines(prompt)} {plain(reply)}{self._after}{ANSWER}0")[:-1]
