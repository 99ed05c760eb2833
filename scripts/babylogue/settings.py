"""What all settings classes share; each stage keeps its own settings beside its code."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Typed settings: unknown keys are errors, and the text under a field describes it in the JSON schema."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
