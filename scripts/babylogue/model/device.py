"""Where models run, and without noise."""

import torch
from transformers.utils import logging


def prepare_device(threads: int) -> torch.device:
    """The GPU where there is one, else the CPU with `threads` threads; transformers' own bars are off."""
    logging.disable_progress_bar()
    torch.set_num_threads(threads)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
