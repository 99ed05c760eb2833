"""How many tokens a model can take at once."""

from transformers import PreTrainedModel

NO_LIMIT = 2**31


def context_tokens(model: PreTrainedModel) -> int | None:
    """The longest input in tokens; None where the configuration names none, as of models without positions."""
    config = model.config.get_text_config()
    lengths = (getattr(config, name, None) for name in ("max_position_embeddings", "max_seq_len"))
    return next((length for length in lengths if isinstance(length, int) and length > 0), None)


def prompt_room(model: PreTrainedModel, new_tokens: int) -> int:
    """Tokens of the longest prompt that leaves room for `new_tokens` more; less than 1: there is no room."""
    return (context_tokens(model) or NO_LIMIT) - new_tokens
