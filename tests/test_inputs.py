"""Files that the workflow does not make: whatever changes them is seen, and nothing else reruns anything."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from babylogue.errors import UserError
from babylogue.inputs import files_at, state_of
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.settings import ToySettings
from support.command_line import babylogue
from support.project import Workflow, copy_of, copy_project

LONG_AGO = 1_000_000_000  # s since 1970, as of files in a zip
COMPS = '{"prefix_acceptable": "a dog", "prefix_unacceptable": "a cup", "property_phrase": "can bark"}\n'
PAIR = '{"prompt": "*MOT: hi .", "chosen": "*CHI: hi .", "rejected": "*CHI: no ."}\n'
OVERLAY = {
    "transcripts": {"source": "local", "path": "data/childes"},
    "published": {"mine": {"path": "data/model"}},
    "pairs": {"authors": {"kind": "given", "path": "data/pairs.jsonl", "part": "test"}},
    "suites": {"mirror": "data"},
    "split": {"shares": {"pretrain": 0.6, "tune": 0.2, "validation": 0.04, "test": 0.16}},
}
COMMAND = (
    "--configfile", "mine.yaml", "--", "results/corpus/split.parquet", "results/published/mine",
    "results/pairs/authors.parquet", "results/suites/comps.parquet",
)  # fmt: skip


def older(file: Path, text: str) -> None:
    """Another content of the same length, from before anything was made."""
    assert len(text) == file.stat().st_size
    file.write_text(text)
    os.utime(file, (LONG_AGO, LONG_AGO))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Workflow:
    """A copy in which what reads each kind of such files has run."""
    workflow = copy_project(tmp_path_factory.mktemp("made") / "project")
    write_toy_transcripts(
        workflow.folder / "data/childes", ToySettings(words=3000, children=12, transcripts_per_child=1)
    )
    workflow.write("data/model/config.json", "{}")
    workflow.write("data/model/1_Pooling/config.json", "{}")
    workflow.write("data/pairs.jsonl", PAIR)
    for name in ("base", "wugs", "wugs_dist", "wugs_dist-before"):
        workflow.write(f"data/evaluation_data/full_eval/comps/comps_{name}.jsonl", COMPS)
    workflow.write("mine.yaml", yaml.safe_dump(OVERLAY))
    workflow.snakemake("--cores", "2", *COMMAND)
    return workflow


@pytest.mark.slow
def test_files_that_are_older_than_those_that_they_replace_are_read_again(made, tmp_path):
    workflow = copy_of(made, tmp_path)
    assert workflow.planned(*COMMAND) == {}
    data = tmp_path / "data"
    transcript = next((data / "childes").rglob("*.cha"))
    older(transcript, transcript.read_text().replace("@End", "@end"))
    older(data / "model/1_Pooling/config.json", "[]")
    older(data / "pairs.jsonl", PAIR.replace("no", "yo"))
    older(data / "evaluation_data/full_eval/comps/comps_wugs.jsonl", COMPS.replace("cup", "cap"))
    assert set(workflow.planned(*COMMAND)) == {"utterances", "split", "published", "given_pairs", "suite"}
    told = json.loads(babylogue("status", "--configfile", "mine.yaml", "--json", folder=tmp_path).stdout)
    (corpus,) = (stage for stage in told["stages"] if stage["stage"] == "corpus")
    assert "files outside the results changed" in corpus["why"]


@pytest.mark.slow
def test_a_model_that_is_written_anew_in_place_leaves_what_was_fetched(made, tmp_path):
    workflow = copy_of(made, tmp_path)
    workflow.write("data/model/config.json", "[]")
    assert workflow.read("results/published/mine/config.json") == "{}"
    assert set(workflow.planned(*COMMAND)) == {"published"}
    workflow.snakemake("--cores", "1", *COMMAND)
    assert workflow.read("results/published/mine/config.json") == "[]"


@pytest.mark.slow
def test_a_moved_project_and_another_order_of_shares_rerun_nothing(made, tmp_path):
    workflow = copy_of(made, tmp_path / "before")
    shares = dict(reversed(OVERLAY["split"]["shares"].items()))
    workflow.write("mine.yaml", yaml.safe_dump(OVERLAY | {"split": {"shares": shares}}, sort_keys=False))
    shutil.move(tmp_path / "before", tmp_path / "after")
    assert Workflow(tmp_path / "after").planned(*COMMAND) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("data/model", "published.mine.path"),
        ("data/pairs.jsonl", "pairs.authors.path"),
        ("data/childes", "transcripts.path"),
    ],
)
def test_a_path_with_nothing_at_it_is_named_in_a_line(made, tmp_path, path, key):
    workflow = copy_of(made, tmp_path)
    (tmp_path / path).rename(tmp_path / "elsewhere")
    done = workflow.snakemake("--dry-run", *COMMAND, check=False)
    lines = [line for line in done.stdout.splitlines() if path in line]
    assert done.returncode == 1 and "Traceback" not in done.stdout
    assert len(lines) == 1 and lines[0].startswith(f"configuration: {key}: no ")


def test_links_are_followed_and_circles_end(tmp_path):
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    (tmp_path / "elsewhere/deep/one.txt").touch()
    (tmp_path / "elsewhere/deep/back").symlink_to(tmp_path / "data")
    (tmp_path / "data/.git").mkdir(parents=True)
    (tmp_path / "data/.git/config").touch()
    (tmp_path / "data/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/self").symlink_to(tmp_path / "data")
    (tmp_path / "data/broken").symlink_to(tmp_path / "nowhere")
    assert files_at(tmp_path / "data") == [tmp_path / "data/link/deep/one.txt"]
    for path in ("data/.git/config/x", "nowhere", "data/broken"):
        with pytest.raises(UserError, match="no file or folder"):
            files_at(tmp_path / path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no files in it"):
        files_at(tmp_path / "empty")


def test_the_state_of_files_goes_by_names_sizes_and_times(tmp_path):
    file = tmp_path / "a/one.txt"
    file.parent.mkdir()

    def state(text: str, time_ns: int, name: str = "one.txt") -> str:
        file.write_text(text)
        os.utime(file, ns=(time_ns, time_ns))
        return state_of([file.replace(file.with_name(name))], tmp_path)

    states = [state("x", 5), state("xx", 5), state("y", 6), state("x", 5, "two.txt")]
    assert len(set(states)) == 4
    assert states[0] == state("y", 5)
