"""Curves to follow in TensorBoard while a model trains, for those who have installed it."""

from importlib.util import find_spec
from pathlib import Path

_CURVES = ("loss", "validation_loss", "learning_rate", "tokens_per_s", "share_of_peak")


class Curves:
    """Rows of the training log as events in `folder`, over words seen; nothing without the tensorboard package.

    `words`: where the training stands; later events of a training that was killed are left out.
    """

    def __init__(self, folder: Path, words: int):
        self._writer = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=words + 1)

    def add(self, row: dict) -> None:
        """Add a row of the log."""
        if self._writer:
            for name in _CURVES:
                self._writer.add_scalar(name, row[name], row["words"])
            self._writer.flush()
