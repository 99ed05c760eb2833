"""Trainings in processes of their own, to be killed or to run out of disk."""

import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from support.project import PROJECT


def start(module: str, call: str, **options) -> subprocess.Popen:
    """A call with the names of a module such as `model.test_pretrain_faults`, in a process of its own."""
    code = f"from pathlib import Path; from {module} import *; {call}"
    return subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT / "tests", text=True, **options)


def kill_when(ready: Callable[[], bool], process: subprocess.Popen) -> None:
    """Kill a process as soon as something holds, which it must while the process runs."""
    while not ready():
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def kill_at(step: int, process: subprocess.Popen, folder: Path) -> int:
    """Kill a training when the state of a step is there; the step of the newest."""
    kill_when(lambda: newest_step(folder) >= step, process)
    return newest_step(folder)


def newest_step(folder: Path) -> int:
    """The step of the newest state that was sealed, 0 where there is none."""
    return max((int(re.findall(r"\d+", file.stem)[-1]) for file in folder.glob("*.sha256")), default=0)


def limit_files(size: int) -> None:
    """No file may be longer: writing then fails as on a full disk, for whoever runs the tests."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def weights(folder: Path) -> dict[str, bytes]:
    """Checkpoint -> its weights, of those in a training's state."""
    return {
        file.parent.name: file.read_bytes()
        for file in sorted((folder / "checkpoints").glob("[!.]*/*.safetensors"))
    }
