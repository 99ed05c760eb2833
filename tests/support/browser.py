"""Pages in a real Chromium, headless, and what it says about them."""

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Visit:
    """A page that is open in the browser, and what has come of it so far."""

    page: object
    """Playwright's page."""
    console: list[str] = field(default_factory=list)
    """Messages of the console, `type: text`."""
    errors: list[str] = field(default_factory=list)
    """Errors that no script has caught."""
    requests: list[str] = field(default_factory=list)
    """Addresses that were asked for, the page's own file and what is written in it (data:, blob:) left out."""

    @property
    def complaints(self) -> list[str]:
        """What a page has none of that is in order and asks for nothing."""
        return [*self.console, *self.errors, *self.requests]


_browsers = []  # the one that is open, if any: playwright runs once at a time


@contextmanager
def _chromium():
    """The browser: that of a visit around this one, or one of its own."""
    if _browsers:
        yield _browsers[0]
        return
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    # As root, in a container, Chromium starts without its sandbox alone.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        _browsers.append(started.chromium.launch(executable_path=CHROMIUM, args=arguments))
        try:
            yield _browsers[0]
        finally:
            _browsers.pop().close()


@contextmanager
def page_in_chromium(path: str | Path, **context):
    """Open a file in Chromium; -> Visit. `context` is playwright's: viewport, color_scheme, java_script_enabled.

    The test is skipped where there is no Chromium or no playwright. A visit within another shares its browser.
    """
    address = Path(path).absolute().as_uri()
    with _chromium() as browser, browser.new_context(**context) as opened:
        visit = Visit(opened.new_page())
        visit.page.on("console", lambda message: visit.console.append(f"{message.type}: {message.text}"))
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.on("request", lambda request: _note(visit.requests, request.url, address))
        visit.page.goto(address)
        yield visit


def _note(requests: list[str], url: str, own: str) -> None:
    if url.partition("#")[0] != own and not url.startswith(("data:", "blob:")):
        requests.append(url)
