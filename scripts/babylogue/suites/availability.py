"""Which suites can be had, from the mirror or by a download, and why others cannot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from . import registry
from .base import Suite
from .releases import RELEASES
from .settings import SuiteSettings


@dataclass(frozen=True)
class Place:
    """Where the files of a suite lie or will lie: a mirror folder, or the folder of a release (then `release`)."""

    folder: str
    release: str | None = None


class Absent(UserError):
    """A suite cannot be had: `reason` is why, `home` where to get the files of `suite`."""

    def __init__(self, suite: Suite, reason: str):
        super().__init__(f"{suite.name}: {reason}; get it from {suite.home}")
        self.suite = suite.name
        self.reason = reason
        self.home = suite.home


@dataclass(frozen=True)
class Missing:
    """A suite that was asked for and cannot be had."""

    suite: str
    reason: str
    home: str


def manifest(release: str, downloads: str | Path) -> Path:
    """The file that stands beside the folder of a release once it is whole."""
    return Path(downloads, f"{release}.json")


def locate(suite: Suite, settings: SuiteSettings, downloads: str | Path, environment: Mapping[str, str]) -> Place:
    """Where a suite's files are: the mirror if it has them all, or the folder of their release in `downloads`.

    Raises:
        Absent: neither has them, and they cannot be downloaded.
    """
    if settings.mirror is not None:
        try:
            suite.find(settings.mirror)
            return Place(settings.mirror)
        except UserError:
            here = f"not all of {', '.join(suite.files)} is in {settings.mirror}"
    else:
        here = f"no suites.mirror with {', '.join(suite.files)}"
    (release,) = {source.release for source in suite.sources}
    if release is None:
        raise Absent(suite, here)
    place = Place(str(Path(downloads, release)), release)
    if manifest(release, downloads).exists():
        return place
    if not settings.download:
        raise Absent(suite, f"{here}, and suites.download is off")
    if (token := RELEASES[release].token) and not environment.get(token):
        raise Absent(suite, f"{here}, and {token} is not set")
    return place


def missing(
    names: Iterable[str], settings: SuiteSettings, downloads: str | Path, environment: Mapping[str, str]
) -> dict[str, Missing]:
    """Those of the suites that cannot be had. One that is made of others is missing where one of these is."""
    found = {}
    for name in names:
        for suite in map(registry.load, (name, *registry.parts(name))):
            try:
                if suite.sources:
                    locate(suite, settings, downloads, environment)
            except Absent as absent:
                reason = absent.reason if absent.suite == name else f"its part {absent.suite}: {absent.reason}"
                found[name] = Missing(name, reason, absent.home)
                break
    return found
