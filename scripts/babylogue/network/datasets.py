"""Tables of the Hugging Face Hub, and files that are laid out like one."""

import tempfile

import pandas as pd

from ..errors import UserError
from .bounded_hub import bound_hub


def load_table(name: str, what: str, *arguments, **options) -> pd.DataFrame:
    """What `datasets.load_dataset` makes of its arguments, in a cache of its own that goes afterwards.

    Args:
        name: of the dataset or file, and `what` it is wanted as, for the message.

    Raises:
        UserError: it cannot be read.
    """
    import datasets  # slow to load; the configuration imports settings beside those who use this

    datasets.disable_progress_bars()
    bound_hub()
    with tempfile.TemporaryDirectory() as cache:
        try:
            return datasets.load_dataset(*arguments, **options, cache_dir=cache).to_pandas()
        except Exception as error:  # of many types: the network's, the Hub's, the file formats'
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{name}: cannot be read as {what}: {reason}") from error
