"""Settings of the tokenizer."""

from pydantic import Field

from ..settings import Settings


class TokenizerSettings(Settings):
    """Settings of the tokenizer."""

    vocabulary: int = Field(8192, ge=300)
    """Subword tokens, bytes and special tokens included, speaker tags not."""
    min_frequency: int = Field(2, ge=1)
    """A merge is made only if its pair occurs this often."""
