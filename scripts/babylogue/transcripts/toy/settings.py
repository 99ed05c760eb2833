"""Settings of the toy transcripts."""

from pydantic import Field, PositiveInt

from ...settings import Settings


class ToySettings(Settings):
    """How much made-up talk is written, and with which seed."""

    words: PositiveInt = 150_000
    """Lexical words in all transcripts together, about (within a few per cent)."""
    children: int = Field(24, ge=1, le=500)
    """Target children, 1 to 500; each belongs to one of the made-up corpora."""
    transcripts_per_child: PositiveInt = 6
    """Transcripts of each child, at increasing ages."""
    seed: int = 0
    """Seed of everything drawn: the same settings give the same bytes."""
