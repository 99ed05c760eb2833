"""The fingerprint changes with behaviour, wherever it is reached from, and with nothing else."""

import importlib
import shutil
import subprocess
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
        ("pack/leaf.py", "    return 1", "    pass\n    return 1", False),
        ("pack/leaf.py", "return 1", "return [1]", True),
        ("pack/leaf.py", "return 1", "return True", True),
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


# Syntax that versions of Python parse or write down in different ways.
DELICATE = r'''
"""What a module says."""
def f(x=1, w=4):
    """What a function says."""
    print(f'{x!r:>{w}}' "it's", f"{x:}", f"a{x = }", f"{x['key']!s}", f'{x:{w}{w}}', u"u", rb"\d", "\N{EN DASH}")
    return -1, 1e999, 1_000, None, ..., ["", *x], {**w}
class Empty:
    """Nothing else."""
'''
DIGEST = "bad5eee12646c382"  # of a script that imports it


def pythons() -> dict[str, str]:
    """Version -> an interpreter, for every Python from 3.11 on that is installed here."""
    files = [sys.executable, *(shutil.which(f"python3.{minor}") for minor in range(11, 20))]
    for versions in (".pyenv/versions/*/bin/python3", ".local/share/uv/python/*/bin/python3"):
        files += sorted(map(str, Path.home().glob(versions)))
    found = {}
    for file in filter(None, files):
        asked = [file, "-c", "import sys; print(*sys.version_info[:2])"]
        version = subprocess.run(asked, capture_output=True, text=True).stdout.split()
        if version and tuple(map(int, version)) >= (3, 11):
            found.setdefault(".".join(version), file)
    return found


def test_every_python_has_the_same_fingerprint(package):
    (package / "pack/leaf.py").write_text(DELICATE)
    code = "import sys; from pack.fingerprint import fingerprint; print(fingerprint(sys.argv[1]))"
    digests = {
        version: subprocess.run(
            [file, "-c", code, package / "script.py"], cwd=package, capture_output=True, text=True
        ).stdout.strip()
        for version, file in pythons().items()
    }
    assert digests == dict.fromkeys(digests, DIGEST) and digests
