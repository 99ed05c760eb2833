"""A copy of the project that Snakemake can be run in."""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from babylogue.suites import registry
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.settings import ToySettings
from support.dry_run import dry_run

PROJECT = Path(__file__).parents[2]

COPIED = ("Snakefile", "config.yaml", "presets", "profiles", "rules", "scripts", "slurm")

# What must never be found in a file or among the arguments of a process.
SECRETS = {
    "HF_TOKEN": "hf_canary4f1e",
    "OPENAI_API_KEY": "sk-canary77b0",
    "TALKBANK_EMAIL": "canary2d9a@example.org",
    "TALKBANK_PASSWORD": "canary-password-c3",
    "REDIVIS_API_TOKEN": "canary-redivis-5e",
}


@dataclass
class Workflow:
    """A copy of the project, with its own library, that Snakemake can be run in."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)  # beside what the tests have

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run snakemake in the copy; stdout and stderr together in `.stdout`."""
        if "--dry-run" in arguments:
            done = dry_run(arguments, self.folder, self._environment())
        else:
            process = self.start(*arguments)
            stdout, _ = process.communicate()
            done = subprocess.CompletedProcess(process.args, process.returncode, stdout)
        assert not check or done.returncode == 0, done.stdout[-6000:]
        return done

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start snakemake in the copy, stderr into stdout."""
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _environment(self) -> dict[str, str]:
        # Compiled once for all jobs, whatever the tests themselves were started with.
        own = {"PYTHONPATH": str(self.folder / "scripts"), "PYTHONDONTWRITEBYTECODE": ""}
        return os.environ | own | self.environment

    def planned(self, *arguments: str) -> dict[str, list[str]]:
        """What a dry run would do: rule -> first outputs of its jobs."""
        jobs = defaultdict(list)
        rule = None
        for line in self.snakemake("--dry-run", *arguments).stdout.splitlines():
            words = line.split()
            if len(words) == 2 and words[0] in ("rule", "localrule") and words[1].endswith(":"):
                rule = words[1][:-1]
            elif rule and words and words[0] == "output:":
                jobs[rule].append(words[1].rstrip(","))
        return dict(jobs)

    def read(self, file: str) -> str:
        """The text of a file of the copy."""
        return (self.folder / file).read_text()

    def write(self, file: str, text: str) -> None:
        """Write a file of the copy."""
        (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / file).write_text(text)


def copy_project(folder: Path) -> Workflow:
    """The project without its results."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, folder / name)
    return Workflow(folder)


def copy_of(workflow: Workflow, folder: Path) -> Workflow:
    """A copy with all that has been made in it, as old as it was."""
    shutil.copytree(workflow.folder, folder, symlinks=True, dirs_exist_ok=True)
    return Workflow(folder, workflow.environment)


def write_placeholders(data: Path) -> None:
    """A data folder that has a file for whatever a preset looks for, of which transcripts alone can be read."""
    write_toy_transcripts(data / "childes", ToySettings(words=500, children=1, transcripts_per_child=1))
    for name in registry.NAMES:
        for source in registry.load(name).sources:
            path = data / source.path.replace("*", "one")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    pairs = data / "peer/dpo_natural_train.json"
    pairs.parent.mkdir()
    pairs.touch()
