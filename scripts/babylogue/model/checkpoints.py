"""Model folders written so that a half one never bears its name."""

import shutil
from pathlib import Path


def save_model(model, tokenizer, folder: Path) -> None:
    """Write a Hugging Face model folder under a temporary name, then give it its own by rename."""
    folder = Path(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
