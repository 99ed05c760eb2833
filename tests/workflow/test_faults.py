"""What machines do to a run: jobs killed, full disks, damaged files, read-only folders, clocks, two at once.

After each the same command ends with the same files as an undisturbed run, and nothing that was made is lost.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from support.project import PROJECT, Workflow, copy_of, copy_project
from support.small_workflow import OVERLAY, cut_small, made_in
from support.talkbank_server import EMAIL, PASSWORD, TalkBankServer, corpus, slow

pytestmark = pytest.mark.slow
RUN = ("--cores", "2", *OVERLAY)
# Script of each stage that works for long on real data -> its benchmark in a run.
STAGES = {
    "utterances": "utterances/corpus",
    "triplets": "triplets",
    "tokenizer": "tokenizer",
    "tokens": "tokens/triplets/pretrain",
    "natural_pairs": "pairs/natural",
    "replies": "replies/rollouts",
    "pretrain": "models/base/seed0",
    "dpo": "models/dpo_natural/seed0",
    "ppo": "models/ppo_bleu/seed0",
    "score": "scores/base/seed0/final/dialogue_words",
}


def jobs_of(snakemake: subprocess.Popen) -> dict[str, psutil.Process]:
    """Script -> the process that runs it, of those at work."""
    found = {}
    try:
        for process in psutil.Process(snakemake.pid).children(recursive=True):
            scripts = [part for part in process.cmdline() if ".snakemake/scripts/" in part]
            if scripts and not process.children():
                found[scripts[0].split(".")[-2]] = process
    except psutil.NoSuchProcess:
        pass
    return found


@pytest.mark.alone
def test_every_stage_killed_twice(small, tmp_path):
    """By SIGKILL, then by SIGTERM, each at a moment of its own; the same command until nothing is left to do.

    The moments are in the first half of a job: beside fewer others it may take half of what was measured.
    """
    benchmarks = small.folder / "results/benchmarks"
    lasts = {script: pd.read_csv(benchmarks / f"{name}.tsv", sep="\t")["s"][0] for script, name in STAGES.items()}
    moments = random.Random(0)
    due = {script: [signal.SIGTERM, signal.SIGKILL] for script in STAGES}  # the last one first
    at = {script: seconds * moments.uniform(0.2, 0.5) for script, seconds in lasts.items()}
    workflow = cut_small(copy_project(tmp_path))
    for _ in range(2 * len(STAGES) + 1):
        snakemake = workflow.start(*RUN, "--keep-going")
        hit = set()  # once a run, or a job beside it would be taken for its second attempt
        while snakemake.poll() is None:
            for script, process in jobs_of(snakemake).items():
                try:
                    age = time.time() - process.create_time()
                    if script not in hit and due.get(script) and age > at[script]:
                        process.send_signal(due[script].pop())
                        hit.add(script)
                        at[script] = lasts[script] * moments.uniform(0.2, 0.5)
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.02)
        printed = snakemake.communicate()[0]
        if snakemake.returncode == 0:
            break
    assert snakemake.returncode == 0, printed
    assert not any(due.values()), f"left: {due}"
    assert made_in(workflow) == made_in(small)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_a_download_is_killed(ending, tmp_path):
    """What had come is not asked for again."""
    server = TalkBankServer()
    try:
        server.archives = {"Eng-NA/Brown": corpus("Brown"), "Eng-NA/Clark": corpus("Clark")}
        server.fail("Eng-NA/Clark", slow(30))
        urls = {"data_url": f"{server.address}/data/childes", "login_url": f"{server.address}/logInUser"}
        talkbank = {"corpora": list(server.archives), "pause_s": 0} | urls
        workflow = copy_project(tmp_path)
        workflow.environment = {"TALKBANK_EMAIL": EMAIL, "TALKBANK_PASSWORD": PASSWORD, "NO_PROXY": "127.0.0.1"}
        workflow.write("own.yaml", yaml.safe_dump({"transcripts": {"source": "talkbank", "talkbank": talkbank}}))
        command = ("--cores", "1", "--configfile", "own.yaml", "--", "results/transcripts/talkbank.json")
        snakemake = workflow.start(*command)
        while not server.asked("Eng-NA/Clark"):
            assert snakemake.poll() is None
            time.sleep(0.02)
        jobs_of(snakemake)["talkbank"].send_signal(ending)
        snakemake.communicate()
        assert snakemake.returncode != 0
        workflow.snakemake(*command)
        assert len(server.asked("Eng-NA/Brown")) == 1
        for name, content in server.archives.items():
            file = workflow.folder / f"results/transcripts/talkbank/{name}.zip"
            assert file.read_bytes() == content
        assert not list(workflow.folder.rglob("*.part"))
    finally:
        server.close()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_snakemake_itself_ended(ending, small, tmp_path):
    workflow = without(copy_of(small, tmp_path), "models/base/seed0/final")
    before = made_in(small)
    snakemake = workflow.start(*RUN, "--", "results/models/base/seed0/final")
    while "pretrain" not in (jobs := jobs_of(snakemake)):
        assert snakemake.poll() is None
        time.sleep(0.02)
    snakemake.send_signal(ending)
    snakemake.communicate()
    jobs["pretrain"].wait(60)  # Snakemake lets it end; without Snakemake it ends by itself
    workflow.snakemake("--unlock", *OVERLAY)
    workflow.snakemake(*RUN)
    assert made_in(workflow) == before


def without(workflow: Workflow, *names: str) -> Workflow:
    """The workflow, files or folders of its results removed."""
    for name in names:
        path = workflow.folder / "results" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return workflow


# --- disks --------------------------------------------------------------------------------------------------

# Rule -> what is asked for.
WRITTEN = {
    "toy_transcripts": "transcripts/toy",
    "utterances": "corpus/utterances.parquet",
    "triplets": "corpus/triplets/pretrain.parquet",
    "tokenizer": "tokenizer",
    "tokens": "tokens/triplets/pretrain",
    "natural_pairs": "pairs/natural.parquet",
    "replies": "teacher/rollouts.parquet",
    "pretrain_base": "models/base/seed0/final",
    "dpo_dpo_natural": "models/dpo_natural/seed0/best",
    "ppo_ppo_bleu": "models/ppo_bleu/seed0/best",
    "suite": "suites/toy_grammar.parquet",
    "score": "scores/base/seed0/final/toy_grammar.parquet",
    "report": "report/index.html",
}


def bytes_of(path: Path) -> int:
    """What a file or folder takes of a tmpfs, which gives whole pages."""
    files = [own for own in path.rglob("*") if own.is_file()] if path.is_dir() else [path]
    return sum(-(-own.lstat().st_size // 4096) * 4096 for own in files if not own.is_symlink())


def mount(folder: Path, size: int, again: bool = False) -> None:
    options = f"{'remount,' if again else ''}size={size}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode and not again:
        pytest.skip(f"a disk of one's own takes the right to mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("rule", WRITTEN)
def test_a_full_disk_in_every_stage_that_writes(rule, small, tmp_path):
    workflow = copy_of(small, tmp_path / "copy")
    before, results = made_in(workflow), workflow.folder / "results"
    target = results / WRITTEN[rule]
    command = (*RUN, "--rerun-triggers", "mtime", "--", str(target.relative_to(workflow.folder)))
    needed = bytes_of(target)
    # Whatever the stage writes anew leaves no room by going, its cache included.
    if rule == "replies":
        shutil.rmtree(results / "teacher/cache")
        target.unlink()
    elif rule.startswith(("pretrain", "dpo", "ppo")):
        card = target.parent / "README.md"  # another rule's
        shown = card.read_bytes() if card.exists() else None
        shutil.rmtree(target.parent)
        if shown:
            target.parent.mkdir()
            card.write_bytes(shown)
    planned = workflow.snakemake("--dry-run", "--force", *command).stdout
    for line in re.findall(r"^ +(?:output|log|benchmark): (.*)$", planned, re.MULTILINE):
        for name in line.split(", "):
            path = workflow.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    kept = results.rename(workflow.folder / "kept")
    results.mkdir()
    mount(results, bytes_of(kept) + needed // 2 // 4096 * 4096)
    try:
        shutil.copytree(kept, results, symlinks=True, dirs_exist_ok=True)
        full = workflow.snakemake(*command, check=False)
        assert full.returncode != 0
        # The job's own line, or Snakemake's where only its benchmark found no room any more.
        assert "No space left on device" in full.stdout, full.stdout
        assert "Traceback" not in full.stdout, full.stdout
        mount(results, 1 << 28, again=True)
        workflow.snakemake(*command)
        assert made_in(workflow) == before
    finally:
        subprocess.run(["umount", "--lazy", str(results)], check=True)


CARDS = [
    f"models/{run}/seed0/README.md" for run in ("base", "dpo_natural", "dpo_mixed", "ppo_bleu", "grpo", "rloo")
]


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        # Snakemake's own words where there are files to overwrite
        (["scores/base/seed0/final/toy_grammar.json"], "Write-protected output files"),
        (["scores", "report", *CARDS], "results: results cannot be written to"),
    ],
)
def test_a_results_folder_that_is_read_only(lost, told, small, tmp_path):
    workflow = without(copy_of(small, tmp_path / "copy"), *lost)
    results = workflow.folder / "results"
    command = ["mount", "--bind", "-o", "ro", str(results), str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a read-only disk takes the right to mount: {done.stderr.strip()}")
    try:
        refused = workflow.snakemake(*RUN, check=False)
    finally:
        subprocess.run(["umount", "--lazy", str(results)], check=True)
    assert refused.returncode != 0
    assert told in refused.stdout
    assert "Traceback" not in refused.stdout
    workflow.snakemake(*RUN)
    assert made_in(workflow) == made_in(small)


# --- files --------------------------------------------------------------------------------------------------


def truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)


def among(made: dict[str, bytes], *names: str) -> dict[str, bytes]:
    """Of what was made, the files of these names and those in folders of these names."""
    found = {file: content for file, content in made.items() if file.startswith(names)}
    assert found
    return found


def emptied(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "file", "lost"),
    [
        (truncated, "corpus/utterances.parquet", "corpus/triplets/pretrain.parquet"),
        (truncated, "corpus/triplets/pretrain.parquet", "tokenizer"),
        (truncated, "pairs/natural.parquet", "pairs/natural.card.json"),
        (truncated, "pairs/natural.parquet", "models/dpo_natural/seed0/best"),
        (truncated, "prompts/rollouts.parquet", "models/ppo_bleu/seed0/best"),
        (truncated, "suites/toy_grammar.parquet", "scores/base/seed0/final/toy_grammar.json"),
        (truncated, "scores/base/seed0/final/toy_grammar.parquet", "report/comparisons.csv"),
        (flipped, "models/base/seed0/final/model.safetensors", "scores/base/seed0/final/toy_grammar.json"),
        (flipped, "models/base/seed0/final/model.safetensors", "models/dpo_natural/seed0/best"),
        (truncated, "models/base/seed0/final/model.safetensors", "scores/base/seed0/final/toy_grammar.json"),
        (emptied, "models/base/seed0/final/config.json", "scores/base/seed0/final/toy_grammar.json"),
        (emptied, "tokenizer/tokenizer.json", "tokens/triplets/pretrain"),
        (emptied, "scores/base/seed0/final/toy_grammar.json", "report/scores.csv"),
        (emptied, "corpus/statistics.json", "report/index.html"),
        (emptied, "report/scores.csv", "report/trajectories.csv"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_damaged_file_is_named_and_made_anew_once_deleted(damage, file, lost, small, tmp_path):
    workflow = without(copy_of(small, tmp_path), lost)
    damaged = workflow.folder / "results" / file
    times = damaged.stat()
    damage(damaged)
    os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))  # as damage does not
    command = (*RUN, "--rerun-triggers", "mtime", "--", f"results/{lost}")
    met = workflow.snakemake(*command, check=False)
    assert met.returncode != 0
    # Of a folder that one rule makes as a whole, the folder.
    whole = file.startswith(("models/", "tokenizer/"))
    named = f"results/{Path(file).parent if whole else file}"
    assert re.search(rf"{named}(:| is damaged)", met.stdout), met.stdout
    assert "delete it and run the same command again" in met.stdout, met.stdout
    assert "Traceback" not in met.stdout, met.stdout
    again = workflow.folder / named
    shutil.rmtree(again) if again.is_dir() else again.unlink()
    workflow.snakemake(*command)
    made = made_in(workflow)
    assert {name: made.get(name) for name in (file, lost)} == {
        name: made_in(small).get(name) for name in (file, lost)
    }


# --- time and company ---------------------------------------------------------------------------------------


def test_a_clock_that_was_set_back(small, tmp_path):
    """What was made before is of the future, and what is made of it now looks older: Snakemake stops at that."""
    workflow = copy_of(small, tmp_path)
    ahead = time.time() + 3600
    for path in (workflow.folder / "results").rglob("*"):
        os.utime(path, (ahead, ahead), follow_symlinks=False)
    assert workflow.planned(*OVERLAY) == {}
    without(workflow, "scores/base/seed0/final/toy_grammar.json")
    stopped = workflow.snakemake(*RUN, check=False)
    assert stopped.returncode != 0
    assert "has older modification time" in stopped.stdout
    assert "toy_grammar.parquet" in stopped.stdout
    (command,) = re.findall(r"`(find results [^`]+)`", (PROJECT / "docs/troubleshooting.md").read_text())
    subprocess.run(command, shell=True, cwd=workflow.folder, check=True)
    workflow.snakemake(*RUN)
    assert workflow.planned(*OVERLAY) == {}
    assert made_in(workflow) == made_in(small)


def test_of_two_runs_in_one_folder_the_second_is_turned_away(small, tmp_path):
    workflow = without(copy_of(small, tmp_path), "models/base/seed0/final")
    command = (*RUN, "--", "results/models/base/seed0/final")
    first = workflow.start(*command)
    while "pretrain" not in jobs_of(first):
        assert first.poll() is None
        time.sleep(0.02)
    second = workflow.snakemake(*command, check=False)
    assert second.returncode != 0
    assert "LockException" in second.stdout
    assert "--unlock" in second.stdout
    printed, _ = first.communicate()
    assert first.returncode == 0, printed
    workflow.snakemake(*RUN)
    assert made_in(workflow) == made_in(small)


@pytest.mark.parametrize("module", ["snakemake_executor_plugin_slurm"])
def test_a_missing_optional_package_is_named(module, project, tmp_path):
    """As where `pip install -e .` was all that was asked for."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys, pkgutil\n"
        f"all_of = pkgutil.iter_modules\n"
        f"pkgutil.iter_modules = lambda *a, **k: (m for m in all_of(*a, **k) if m.name != {module!r})\n"
        f"sys.modules[{module!r}] = None\n"
    )
    lacking = Workflow(
        project.folder, {"PYTHONPATH": os.pathsep.join([str(project.folder / "scripts"), str(tmp_path)])}
    )
    snakemake = lacking.start("--profile", "slurm", "--dry-run")
    told, _ = snakemake.communicate()
    assert snakemake.returncode != 0
    assert "slurm" in told
    assert "Traceback" not in told


# --- memory -------------------------------------------------------------------------------------------------


def test_no_stage_takes_more_memory_than_its_rule_asks_for(finished):
    """The whole default run, the largest resident size of each job against `mem_mb`, which clusters enforce."""
    default = yaml.safe_load(finished.read("slurm/config.yaml"))["default-resources"]["mem_mb"]
    asked, benchmark = {}, None
    for line in finished.snakemake("--dry-run", "--forceall").stdout.splitlines():
        words = line.split()
        if words[:1] == ["benchmark:"]:
            benchmark = words[1]
        elif words[:1] == ["resources:"] and benchmark:
            memory = re.search(r"mem_mb=(\d+)", line)
            asked[benchmark] = int(memory[1]) if memory else default
            benchmark = None
    assert len(asked) > 60
    over = {}
    for file, mb in asked.items():
        used = pd.read_csv(finished.folder / file, sep="\t", na_values="-")["max_rss"].max()
        if used > mb:
            over[file] = (used, mb)
    assert over == {}
