"""Numbers that change over a run: a plain number, or values that the steps go through."""

from statistics import fmean
from typing import Annotated, Literal

import numpy as np
from pydantic import Discriminator, Field, Tag

from ..settings import Settings

NotNegative = Annotated[float, Field(ge=0)]


class Schedule(Settings):
    """Values by step, where a setting takes a schedule in place of a number."""

    values: list[NotNegative] = Field(min_length=2)
    """The values, in order."""
    steps: int = Field(gt=0)
    """Steps from one value to the next."""
    form: Literal["cycle", "line"] = "cycle"
    """cycle: each value stays for `steps` steps, and after the last comes the first again, such as exploration and
    exploitation in turn. line: straight from each value to the next, and the last stays."""

    def at(self, step: int) -> float:
        """The value at a step, the first being 0."""
        if self.form == "cycle":
            return self.values[step // self.steps % len(self.values)]
        return float(np.interp(step, np.arange(len(self.values)) * self.steps, self.values))


def _form(value) -> str:
    return "<schedule>" if isinstance(value, dict | Schedule) else "<number>"


# The tags stand in the place of an error, which then has one branch and not both.
Scheduled = Annotated[
    Annotated[NotNegative, Tag("<number>")] | Annotated[Schedule, Tag("<schedule>")], Discriminator(_form)
]
"""A number that is not negative, or a `Schedule` of such."""


def value_at(setting: float | Schedule, step: int | None) -> float:
    """What a setting is at a step; for None the mean of its values."""
    if step is None:
        return fmean(all_values(setting))
    return setting.at(step) if isinstance(setting, Schedule) else setting


def all_values(setting: float | Schedule) -> list[float]:
    """Every value that a setting is given."""
    return setting.values if isinstance(setting, Schedule) else [setting]
