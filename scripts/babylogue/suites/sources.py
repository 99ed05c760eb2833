"""Where the files of a benchmark come from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..file_names import is_hidden

BABYLM_HOME = "https://osf.io/ryjfm/"
"""Where the BabyLM 2025 evaluation data live, by the README of its pipeline (babylm/evaluation-pipeline-2025)."""
NOT_STATED = "none stated"
"""The licence of files whose home names none."""


@dataclass(frozen=True)
class Source:
    """Files of a benchmark: `path` is a glob pattern relative to the mirror folder, `count` how many match it.

    `release` is what they are downloaded with, by its name in releases.RELEASES, which has address and revision;
    None where they are in the mirror or nowhere.
    `access` is open, or token where a login's token is needed. `sha256` is
    the `release_digest` (origins.py) of the files in the release that the suite was made with; None where that
    was not at hand. `instead` is a pattern that is taken where `path` matches nothing.
    """

    path: str
    home: str
    licence: str = NOT_STATED
    count: int = 1
    release: str | None = field(default=None, kw_only=True)
    access: Literal["open", "token"] = "open"
    sha256: str | None = None
    instead: str | None = None

    def find(self, folder: str | Path) -> list[Path]:
        """The files below a folder, sorted; none where there are none."""
        matches = self._matches(folder, self.path)
        return matches if matches or not self.instead else self._matches(folder, self.instead)

    @staticmethod
    def _matches(folder: str | Path, pattern: str) -> list[Path]:
        files = Path(folder).glob(pattern)
        return sorted(file for file in files if not is_hidden(file.relative_to(folder)))

    def __str__(self) -> str:
        login = "login needed" if self.access == "token" else "no login"
        return f"{self.home} (licence: {self.licence}; {login})"
