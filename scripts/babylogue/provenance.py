"""What a result was made with: versions, commit, and settings.yaml beside a model's checkpoints."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from .settings import Settings

PACKAGES = (
    "babylogue", "torch", "transformers", "trl", "tokenizers", "datasets",
    "pylangacq", "sacrebleu", "pandas", "numpy",
)  # fmt: skip


def commit() -> str | None:
    """The commit of the code, with `-dirty` where files differ from it; None outside a checkout or without git.

    Another repository that the project lies in is not asked: its commit would say nothing of the code.
    """
    project = Path(__file__).resolve().parents[2]
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=project,
            env=os.environ | {"GIT_CEILING_DIRECTORIES": str(project.parent)},  # git looks no further up
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return described.stdout.strip() or None


def versions() -> dict[str, str]:
    """Package -> version, of those that results depend on."""
    return {name: metadata.version(name) for name in PACKAGES}


def write_settings(path: str, *, run: str, seed: int, method: str, settings: Settings, **others: Any) -> None:
    """Write the resolved settings, the seed, the commit and the versions of what made a model."""
    content = {
        "run": run,
        "seed": seed,
        "method": method,
        **others,
        "settings": settings.model_dump(),
        "commit": commit(),
        "python": platform.python_version(),
        "packages": versions(),
    }
    Path(path).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
