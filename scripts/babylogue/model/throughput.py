"""How fast training is, against what the machine could do."""

import time

import torch

_SIZE = {"cpu": 1024, "cuda": 8192}  # rows and columns
_SECONDS = 0.5


def matrix_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of large matrix products, measured: the fastest of half a second."""
    size = _SIZE[device.type]
    generator = torch.Generator(device)  # the training's own draws must not hang on this
    a, b = (torch.randn(size, size, device=device, dtype=dtype, generator=generator) for _ in range(2))
    fastest, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < _SECONDS:
        _wait(device)
        start = time.perf_counter()
        a @ b
        _wait(device)
        fastest = min(fastest, time.perf_counter() - start)
    return 2 * size**3 / fastest


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
