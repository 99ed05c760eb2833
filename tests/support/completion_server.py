"""OpenAI's completions on loopback, from a small model, with faults on demand."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

KEY = "sk-right"
MODEL = "tiny"
Fault = Callable[["_Handler"], None]


def status(code: int, **headers: str) -> Fault:
    """Answer with a status, and headers (`Retry_After="0.1"`)."""
    return lambda handler: handler.answer(code, b"no", {name.replace("_", "-"): v for name, v in headers.items()})


def says(content: bytes) -> Fault:
    """Answer with something else, status 200."""
    return lambda handler: handler.answer(200, content)


def late(seconds: float) -> Fault:
    """Answer nothing for so long."""
    return lambda handler: time.sleep(seconds)


class CompletionServer(ThreadingHTTPServer):
    """A server on a free port of this machine, in threads of its own; `faults` come before the answers.

    `drawn`: the tokens of each answer, by the seed of its request.
    """

    def __init__(self, folder, key: str | None = None, logprobs: bool = True):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.daemon_threads = True
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.key, self.logprobs = key, logprobs
        self.faults: list[Fault] = []
        self.asked: list[dict] = []
        self.drawn: dict[int, list[int]] = {}
        self.headers: list[dict[str, str]] = []
        self.now = self.most = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    @torch.inference_mode()
    def complete(self, asked: dict) -> dict:
        """A choice as vLLM's server words it: the tokens hold the stop, the text does not."""
        generator = np.random.default_rng(asked["seed"])
        ids = self.tokenizer(asked["prompt"]).input_ids
        before, told, text, reason = len(ids), [], "", "length"
        while len(ids) < before + asked["max_tokens"]:
            logits = self.model(torch.tensor([ids])).logits[0, -1].double()
            shares, order = (logits / asked["temperature"]).softmax(-1).sort(descending=True)
            kept = int((shares.cumsum(0) < asked["top_p"]).sum()) + 1
            nucleus = (shares[:kept] / shares[:kept].sum()).numpy()
            token = int(order[generator.choice(kept, p=nucleus)])
            ids.append(token)
            told.append(float(logits.log_softmax(-1)[token]))
            text = self.tokenizer.decode(ids[before:], skip_special_tokens=True)
            cut = min((text.index(stop) for stop in asked["stop"] if stop in text), default=None)
            if cut is not None or token == self.tokenizer.eos_token_id:
                text, reason = text[:cut], "stop"
                break
        self.drawn[asked["seed"]] = ids[before:]
        choice = {"index": 0, "text": text, "finish_reason": reason, "logprobs": None}
        if self.logprobs:
            tokens = [self.tokenizer.decode([token]) for token in ids[before:]]
            choice["logprobs"] = {"tokens": tokens, "token_logprobs": told}
        return choice


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CompletionServer

    def log_message(self, *_) -> None:
        pass

    def do_POST(self) -> None:
        server = self.server
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.headers.append(dict(self.headers))
            server.now += 1
            server.most = max(server.most, server.now)
            fault = server.faults.pop(0) if server.faults else None
        try:
            if fault:
                return fault(self)
            if self.path != "/v1/completions" or asked["model"] != MODEL:
                return self.answer(404, b"{}")
            if server.key and self.headers.get("Authorization") != f"Bearer {server.key}":
                return self.answer(401, b"{}")
            with server.lock:
                server.asked.append(asked)
            choice = server.complete(asked)
            self.answer(200, json.dumps({"object": "text_completion", "choices": [choice]}).encode())
        except OSError:
            pass  # who asked has gone
        finally:
            with server.lock:
                server.now -= 1

    def answer(self, code: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
