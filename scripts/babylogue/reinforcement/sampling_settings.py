"""How replies are sampled to be looked at, in the report and in a conversation."""

from pydantic import Field

from ..settings import Settings


class SamplingSettings(Settings):
    """How replies are sampled."""

    temperature: float = Field(0.8, ge=0)
    """Sampling temperature; 0: the most probable token, always."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Share of the probability mass that is sampled from."""
    max_new_tokens: int = Field(24, ge=1)
    """Longest reply, in the model's tokens, the one that ends it included."""
    seed: int = Field(0, ge=0)
    """Seed of the sampling."""
