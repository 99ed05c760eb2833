"""Model folders as they are scored: float32, evaluation mode, fast tokenizer."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, GenerationConfig

from ..errors import UserError
from ..integrity import MEND, check_weights
from ..logs import logger
from ..tokenizer.loading import load_tokenizer

_OF_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")


def load_model(folder, device: str | None = None):
    """Read a model folder -> (model in float32 and evaluation mode, tokenizer).

    `device` is a torch device name; None takes the GPU if there is one. Weights are read from safetensors
    only and in float32 whatever the checkpoint's type, since float16 sums would decide close pairs at random.
    Raises UserError if the folder holds no model, no safetensors weights or no fast tokenizer, or if the weights
    are not those that its checksums are of. Code that comes with a model is never run.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: no config.json here; name a model folder as save_pretrained writes it")
    check_weights(folder)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{folder}: the model folder cannot be loaded: {reason}; {MEND}") from error
    tokenizer = load_tokenizer(folder)
    if not tokenizer.is_fast:
        raise UserError(f"{folder}: scoring needs character offsets, so a fast tokenizer (tokenizer.json)")
    make_savable(model.generation_config, folder)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return model.to(device).eval(), tokenizer


def make_savable(settings: GenerationConfig | None, folder: str | Path) -> None:
    """Mend a model's settings of generation where transformers reads them but would not write them again.

    Those of sampling that stand beside `do_sample: false` have no effect, and go; others that contradict one
    another become transformers' defaults, with a warning.
    """
    if settings is None:
        return
    if settings.do_sample is not True:
        for name in _OF_SAMPLING:
            if getattr(settings, name, None) is not None:
                setattr(settings, name, None)
    try:
        settings.validate(strict=True)
    except ValueError as error:
        reason = str(error).strip().splitlines()[0]
        logger.warning(
            "%s: generation_config.json is not used, as it could not be saved again: %s", folder, reason
        )
        kept = {name: getattr(settings, name) for name in ("bos_token_id", "eos_token_id")}
        settings.__dict__ = GenerationConfig(**kept).__dict__
