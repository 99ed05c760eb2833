"""Settings of the evaluation: which checkpoints are scored on which suites, and what models are compared with."""

from pydantic import Field, model_validator

from ..settings import Settings


class Grid(Settings):
    """Suites that are scored on checkpoints."""

    suites: list[str] = Field(min_length=1)
    """Names of suites, or of natural or given pair sets with `part: test`."""
    checkpoints: list[str] = Field(min_length=1)
    """Names of checkpoints: final, best, chck_1M ...; kept, the one that each model is judged by (final of a
    pre-trained one); or all. A model without one of them is left out there."""
    models: list[str] | None = None
    """Rows of `models`; null: all."""

    def checkpoints_of(self, row) -> list[str]:
        """The checkpoints of a row of `models` that are scored."""
        names = row.checkpoint_names()
        if "all" in self.checkpoints:
            return names
        wanted = [row.kept if name == "kept" else name for name in self.checkpoints]
        return [name for name in dict.fromkeys(wanted) if name in names]


class Evaluation(Settings):
    """What is scored, and what the models are compared with."""

    reference: str | None = None
    """The row of `models` that every other is compared with, beside its parent; null: with its parent alone."""
    scores: list[Grid] = Field(min_length=1)
    """What is scored. The list of an overlay replaces the one below it as a whole."""

    @model_validator(mode="before")
    @classmethod
    def _is_a_table(cls, value):
        if isinstance(value, list):
            raise ValueError("is a table now; put the list under evaluate.scores")
        return value
