"""The fingerprint changes with behaviour, wherever it is reached from, and with nothing else."""

import importlib
import sys
from pathlib import Path

import pytest

MODULES = {
    "pack/__init__.py": "",
    "pack/fingerprint.py": None,  # the module under test itself, put here so that it looks at this package
    "pack/leaf.py": '"""Leaf."""\n\n\ndef f():\n    """Says."""\n    return 1\n',
    "pack/other.py": "X = 1\n",
    "pack/sub/__init__.py": "",
    "pack/sub/inner.py": "from ..leaf import f\n\n\ndef g():\n    from . import late\n    return f()\n",
    "pack/sub/late.py": "Y = 1\n",
    "script.py": "from pack.sub.inner import g\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    from babylogue import fingerprint as real

    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        source = Path(real.__file__).read_text() if text is None else text
        (tmp_path / name).write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "pack"]:
        del sys.modules[name]


def measure(package, *modules):
    sys.modules.pop("pack.fingerprint", None)
    return importlib.import_module("pack.fingerprint").fingerprint(package / "script.py", *modules)


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("pack/leaf.py", "return 1", "return 2", True),
        ("pack/sub/late.py", "Y = 1", "Y = 2", True),
        ("pack/sub/__init__.py", "", "Z = 1\n", True),
        ("script.py", "import g", "import g as h", True),
        ("pack/leaf.py", "return 1", "return 1  # one", False),
        ("pack/leaf.py", "Says.", "Tells.", False),
        ("pack/leaf.py", "\n\n\ndef", "\n\ndef", False),
        ("pack/other.py", "X = 1", "X = 2", False),
    ],
)
def test_what_changes_it(package, file, old, new, changes):
    before = measure(package)
    path = package / file
    path.write_text(path.read_text().replace(old, new, 1) if old else new)
    assert (measure(package) != before) == changes


def test_named_modules_count_too(package):
    before = measure(package, "pack.other")
    assert before != measure(package)
    (package / "pack/other.py").write_text("X = 3\n")
    assert measure(package, "pack.other") != before
