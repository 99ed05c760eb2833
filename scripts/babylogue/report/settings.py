"""Settings of what the report shows beside the scores."""

from pydantic import Field

from ..reinforcement.sampling_settings import SamplingSettings
from ..settings import Settings


class ReplySettings(SamplingSettings):
    """Replies of every model to the same caregiver turns of the test part."""

    prompts: int = Field(12, ge=1)
    """Caregiver turns."""
    samples: int = Field(3, ge=1)
    """Replies of each model to each."""


class ReportSettings(Settings):
    """What the report shows beside the scores."""

    quotes: bool = True
    """Whether lines of the transcripts may stand in the report: its page, replies and items. If not, no model's
    replies are sampled, and of suites of dialogue pairs there are counts alone."""
    replies: ReplySettings | None = ReplySettings()
    """Reply samples; null: none."""
