"""What the README and docs/ show: commands to be typed, and files to be written or added to."""

import re
from dataclasses import dataclass
from pathlib import Path

from support.project import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
PROGRAMS = {
    ".ci/versions",
    "babylogue", "echo", "find", "pip", "pre-commit", "printf", "pytest", "python", "python3",
    "scancel", "snakemake", "squeue", "tensorboard",
}  # fmt: skip
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"^<!-- file: (\S+) -->\n```\w*\n(.*?)^```$", re.M | re.S)
INSERT = re.compile(r"^<!-- insert: (\S+) after (.+?) -->\n```\w*\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Shown:
    """A file of an example, whole or, with `after`, lines that go behind a line of it."""

    path: str
    text: str
    after: str | None = None


def is_command(text: str) -> bool:
    """Whether a line is to be typed: a program that is known, and what it is to do."""
    program, _, rest = text.partition(" ")
    return program.removeprefix(".venv/bin/") in PROGRAMS and bool(rest.strip())


def commands(page: Path) -> list[str]:
    """The commands of a page, each once: of indented blocks, and of spans of code within a sentence.

    Raises:
        AssertionError: a block begins with a command and has lines that are none.
    """
    text = FENCE.sub("", page.read_text())
    found = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").splitlines()
        if lines and all(line.startswith("    ") for line in lines):
            lines = [line.strip() for line in lines]
            if is_command(lines[0]):
                assert all(map(is_command, lines)), f"{page.name}: {lines}"
                found += lines
        else:
            spans = (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", block))
            found += filter(is_command, spans)
    return list(dict.fromkeys(found))


def shown_files(page: Path) -> list[Shown]:
    """Files that a page shows, those that are added to last."""
    text = page.read_text()
    whole = [Shown(path, content) for path, content in FILE.findall(text)]
    return whole + [Shown(path, content, after) for path, after, content in INSERT.findall(text)]


def yaml_blocks(page: Path) -> list[str]:
    """What a page shows as configuration."""
    return [content for language, content in FENCE.findall(page.read_text()) if language == "yaml"]


def links(page: Path) -> list[tuple[str, str]]:
    """(file, heading) of the page's links within the repository; "" for the page itself and for no heading."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    return [tuple((target + "#").split("#")[:2]) for target in targets if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The names that a page's headings have as targets of links."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
