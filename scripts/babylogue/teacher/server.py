"""Replies from a server with OpenAI's completions API (`POST {url}/completions`), such as vLLM's or llama.cpp's.

The server gets the same few-shot prompt and sampling as a model on this machine. Nothing that it says but replies
and their log-probabilities is repeated, and the key goes into the header of requests and nowhere else.
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from urllib.parse import urlsplit

import pandas as pd
import requests
from requests.adapters import HTTPAdapter

from ..errors import UserError
from ..network.answers import Session, check_passing, failures_named, named
from ..network.patience import patiently
from ..network.settings import is_safe
from .cache import COLUMNS
from .draws import own_seed
from .prompts import FEW_SHOT, lines, one_turn, reply_line
from .settings import RemoteModel, RepliesSettings

KEY = "OPENAI_API_KEY"
"""Environment variable with the server's key, if it wants one."""


def asked_of_every_server() -> dict:
    """What every request has besides model, prompt, seed and sampling settings.

    The paper's stops; `logprobs` asks for the log-probabilities of the tokens that were drawn.
    """
    return {"stop": ["\n", "Mother:", "Child:"], "logprobs": 1, "n": 1}


class CompletionServer:
    """One server under the few-shot prompt of `prompts.FEW_SHOT`."""

    def __init__(self, model: RemoteModel):
        """Raises UserError for a key that cannot stand in a header."""
        self._model = model
        self._url = f"{model.url}/completions"
        key = os.environ.get(KEY, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise UserError(f"{KEY} has characters that no key has: set it anew")
        self._has_key, self._sends_key = bool(key), bool(key) and is_safe(model.url)
        self._session = Session()
        if urlsplit(model.url).scheme == "http" and is_safe(model.url):
            self._session.trust_env = False  # a proxy would see what is for this machine alone
        adapter = HTTPAdapter(pool_maxsize=model.requests_at_once)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)
        if self._sends_key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def write(self, keys: Sequence[tuple[str, int]], settings: RepliesSettings) -> Iterator[pd.DataFrame]:
        """Replies to prompts by number, (prompt, sample), as tables with `cache.COLUMNS`, a batch at a time.

        A log-probability is that of the pieces that were drawn. It is null, of 0 tokens, where the server gives
        none, or none of just the reply and its end of line: it keeps the stop to itself, or the reply was cut out
        of a longer line.

        Raises:
            UserError: the server refuses, does not answer however often it is asked, or answers otherwise.
        """
        with ThreadPoolExecutor(self._model.requests_at_once) as pool:
            for start in range(0, len(keys), settings.batch_size):
                batch = keys[start : start + settings.batch_size]
                answers = [pool.submit(self._reply, *key, settings) for key in batch]
                try:
                    rows = [(*key, *answer.result()) for key, answer in zip(batch, answers, strict=True)]
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
                yield pd.DataFrame(rows, columns=COLUMNS)

    def _reply(self, prompt: str, sample: int, settings: RepliesSettings) -> tuple[str, float, int]:
        body = {
            "model": self._model.model,
            "prompt": FEW_SHOT + lines(prompt),
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "max_tokens": settings.max_new_tokens,
            "seed": own_seed(settings.seed, prompt, sample),
            **asked_of_every_server(),
        }
        choice = self._choice(patiently(self._url, lambda: self._post(body), self._model))
        reply = one_turn(choice["text"])
        return reply, *_log_probability(choice.get("logprobs"), reply_line(reply))

    def _post(self, body: dict) -> bytes:
        """The answer to one request. Raises Passing where asking again may help."""
        timeout = (self._model.connect_timeout_s, self._model.read_timeout_s)
        with (
            failures_named(urlsplit(self._url).hostname),
            # A redirect would take the key along.
            self._session.post(self._url, json=body, timeout=timeout, allow_redirects=False) as response,
        ):
            check_passing(response)
            self._check_status(response)
            return response.content

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            if self._sends_key:
                raise UserError(f"{self._url} refuses the key in {KEY}: correct it")
            if self._has_key:
                raise UserError(f"{self._url} wants a key: that in {KEY} goes over https or to this machine alone")
            raise UserError(f"{self._url} wants a key: set {KEY}")
        if status == HTTPStatus.NOT_FOUND:
            raise UserError(
                f"{self._url} is not there, or has no model {self._model.model!r}: correct url (it mostly ends in "
                "/v1) or model"
            )
        if status != HTTPStatus.OK:
            raise UserError(f"{self._url} answers with status {named(status)}: does it offer completions?")

    def _choice(self, content: bytes) -> dict:
        try:
            choice = json.loads(content)["choices"][0]
            if isinstance(choice["text"], str):
                return choice
        except (ValueError, LookupError, TypeError):
            pass
        raise UserError(f"{self._url} answers with something that is no completion: is it an OpenAI-like server?")


def _log_probability(told: object, line: str) -> tuple[float, int]:
    """Sum over the tokens that make up just `line`, and their number; (nan, 0) where there are no such."""
    try:
        text, total = "", 0.0
        for count, (token, value) in enumerate(zip(told["tokens"], told["token_logprobs"], strict=True), start=1):
            text, total = text + token, total + value
            if len(text) >= len(line):
                return (total, count) if text == line and math.isfinite(total) else (math.nan, 0)
    except (LookupError, TypeError, ValueError):
        pass  # none, or in another form
    return math.nan, 0
