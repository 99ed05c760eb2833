"""Settings of generation that come with a model, mended so that they can be saved with what it becomes."""

from pathlib import Path

from transformers import GenerationConfig

from ..logs import logger

_OF_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")


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
