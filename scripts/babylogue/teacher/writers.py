"""The writers that there are: a model folder, run by transformers or vLLM, and a server."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pandas as pd

from ..fingerprint import behaviour
from ..integrity import sha256_of
from ..logs import logger
from .replies import Key, Writer
from .settings import RemoteModel, RepliesSettings

_PROMPTS = ("teacher.prompts", "teacher.draws", "dialogue")  # what decides the prompt, the draws and the cut


def folder_writer(folder: str | Path, engine: Literal["transformers", "auto"], device: str) -> Writer:
    """A model folder as a writer; the model is loaded when it is first asked.

    `engine` auto takes vLLM where it is installed and the device is CUDA, and transformers elsewhere.
    """
    from .causal import precision

    folder = Path(folder)
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name != "source.json")
    content = {file.name: sha256_of(file) for file in files}
    shared = {"content": content, "precision": str(precision(device))}
    if engine == "auto" and find_spec("vllm") and device.startswith("cuda"):
        logger.info("%s is run by vLLM", folder.name)
        code = behaviour("teacher.vllm_engine", *_PROMPTS)
        return Writer(folder.name, {**shared, "engine": "vllm", "code": code}, _by_vllm(folder))

    def write(keys: Sequence[Key], settings: RepliesSettings) -> Iterator[pd.DataFrame]:
        from .lm import TeacherModel

        return TeacherModel(folder, settings.batch_size, device).write(keys, settings)

    code = behaviour("teacher.lm", "teacher.causal", *_PROMPTS)
    return Writer(folder.name, {**shared, "engine": "transformers", "code": code}, write)


def _by_vllm(folder: Path):
    def write(keys: Sequence[Key], settings: RepliesSettings) -> Iterator[pd.DataFrame]:
        from .vllm_engine import VllmEngine

        return VllmEngine(folder).write(keys, settings)

    return write


def server_writer(name: str, model: RemoteModel) -> Writer:
    """A server with OpenAI's completions as a writer."""
    from .server import CompletionServer, asked_of_every_server

    server = CompletionServer(model)
    depends_on = {"url": model.url, "model": model.model, **asked_of_every_server(), "code": behaviour(*_PROMPTS)}
    return Writer(name, depends_on, server.write)
