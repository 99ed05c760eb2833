"""How many tokens a model can take at once."""

from transformers import PreTrainedModel

NO_LIMIT = 2**31


def context_tokens(model: PreTrainedModel) -> int | None:
    """The longest input in tokens; None where the configuration names none, as of models without positions."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None) or None


def prompt_room(model: PreTrainedModel, new_tokens: int) -> int:
    """Tokens of the longest prompt that leaves room for `new_tokens` more; less than 1: there is no room."""
    return (context_tokens(model) or NO_LIMIT) - new_tokens
