"""Where models run."""

import torch


def prepare_device(threads: int) -> torch.device:
    """The GPU where there is one, else the CPU with `threads` threads."""
    torch.set_num_threads(threads)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
