"""Model folders as they are scored: float32, evaluation mode, fast tokenizer."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM

from ..errors import UserError
from ..integrity import MEND, check_weights
from ..model.generation import make_savable
from ..tokenizer.loading import load_tokenizer


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
