"""Downloads of benchmarks, against servers on loopback: zips laid out like a mirror, gated data."""

import io
import json
import threading
import zipfile

import huggingface_hub.constants
import pandas as pd
import pytest

from babylogue.errors import UserError
from babylogue.integrity import sha256_of
from babylogue.network.archive import inspect
from babylogue.network.settings import NetworkSettings
from babylogue.suites import registry
from babylogue.suites.ewok_release import FILE, FOLDER, REPOSITORY, SIZES, bring_ewok, filtered, words
from babylogue.suites.lexical_release import DATASET
from babylogue.suites.release_files import bring_zip, unpack
from babylogue.suites.releases import RELEASES
from support.file_server import FileServer, cut, page, status
from support.hub_server import TOKEN, Hub
from support.project import copy_project

NETWORK = NetworkSettings(attempts=3, backoff_s=0.01, connect_timeout_s=2, read_timeout_s=2)
PAIR = "look at this dogs .\nlook at this dog .\n"


def pack(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, text in files.items():
            zipped.writestr(name, text)
    return buffer.getvalue()


ZORRO = pack({"Zorro-3b62/README.md": "x", "Zorro-3b62/sentences/babyberta/agreement.txt": PAIR * 5000})


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = FileServer({"/zorro.zip": ZORRO})
    yield server
    server.shutdown()
    server.server_close()


def bring(server, tmp_path, path="/zorro.zip", settings=NETWORK):
    return bring_zip(server.url(path), tmp_path / "zips/zorro.zip", settings)


# --- zips ---------------------------------------------------------------------------------------------------


def test_a_zip_is_fetched_once(server, tmp_path):
    known = bring(server, tmp_path)
    file = tmp_path / "zips/zorro.zip"
    assert file.read_bytes() == ZORRO
    assert known["sha256"] == sha256_of(file)
    assert known["bytes"] == len(ZORRO)
    assert known["url"] == server.url("/zorro.zip")
    assert bring(server, tmp_path) == known
    assert server.asked == ["/zorro.zip"]
    file.write_bytes(b"PK torn")
    assert bring(server, tmp_path) == known
    server.files["/new.zip"] = pack({"a/sentences/babyberta/x.txt": PAIR})
    assert bring(server, tmp_path, "/new.zip")["sha256"] != known["sha256"]
    assert server.asked == ["/zorro.zip", "/zorro.zip", "/new.zip"]


def test_a_broken_transfer_is_continued_and_a_busy_server_asked_again(server, tmp_path):
    server.faults["/zorro.zip"] = [status(503), cut(100_000)]
    bring(server, tmp_path)
    assert (tmp_path / "zips/zorro.zip").read_bytes() == ZORRO
    assert len(server.asked) == 3
    assert server.headers[-1]["Range"] == "bytes=65536-"  # whole pieces are kept


def test_a_home_that_sends_on_to_its_storage_is_followed(server, tmp_path):
    server.faults["/old.zip"] = [status(302, Location="/zorro.zip")]
    bring(server, tmp_path, "/old.zip")
    assert server.asked == ["/old.zip", "/zorro.zip"]
    assert not any("Authorization" in headers for headers in server.headers)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ([page], "answers with something that is no zip: is the address right?"),
        ([status(404)], "answers with status 404 Not Found: is the address right?"),
        ([status(500)] * 3, "status 500 Internal Server Error, after 3 attempts; try again later"),
        ([cut(50)] * 9, "after 3 attempts"),
    ],
)
def test_a_home_that_fails_is_one_line_and_leaves_nothing(server, tmp_path, faults, message):
    server.faults["/zorro.zip"] = list(faults)
    with pytest.raises(UserError) as caught:
        bring(server, tmp_path)
    assert message in str(caught.value)
    assert str(caught.value).endswith("; suites.download: false leaves out what is not there")
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_damaged_zip_is_fetched_anew(server, tmp_path):
    server.files["/zorro.zip"] = ZORRO.replace(b"this dog .", b"this cat .", 1)
    with pytest.raises(UserError, match="what came is damaged"):
        bring(server, tmp_path)
    assert len(server.asked) == 3


def test_unpacking_lays_out_a_mirror(tmp_path):
    release = RELEASES["babylm_2025"]
    names = {"full_eval/blimp_filtered/one.jsonl": "1", "fast_eval/ewok_fast.zip": "2"}
    others = {"__MACOSX/full_eval/._x": "3", "README": "4"}
    for prefix in ("", "evaluation_data/"):
        file = tmp_path / "release.zip"
        file.write_bytes(pack({f"{prefix}{name}": text for name, text in names.items()} | others))
        folder = tmp_path / "releases/babylm_2025"
        assert unpack(file, release.folders, folder) == 2
        found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
        assert found == {
            "evaluation_data/full_eval/blimp_filtered/one.jsonl": "1",
            "evaluation_data/fast_eval/ewok_fast.zip": "2",
        }
    assert [path.name for path in folder.parent.iterdir()] == ["babylm_2025"]


def test_a_zip_made_on_windows_or_macos_is_unpacked_as_any_other(tmp_path):
    file, folder = tmp_path / "release.zip", tmp_path / "zorro"
    names = {r"Zorro\sentences\babyberta\one.txt": "1", "Zorro/sentences/babyberta/._one.txt": "\0"}
    file.write_bytes(pack(names))
    assert unpack(file, RELEASES["zorro"].folders, folder) == 1
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["one.txt"]
    assert inspect(file).members == ("Zorro/sentences/babyberta/._one.txt", "Zorro/sentences/babyberta/one.txt")


def test_a_zip_of_something_else_leaves_what_is_there(tmp_path):
    file, folder = tmp_path / "release.zip", tmp_path / "zorro"
    folder.mkdir()
    (folder / "old").touch()
    file.write_bytes(pack({"Zorro/sentences/babyberta": "no folder"}))
    with pytest.raises(UserError, match="none of sentences/babyberta is in it"):
        unpack(file, RELEASES["zorro"].folders, folder)
    file.write_bytes(pack({"sentences/babyberta/../../../escaped": "x"}))
    with pytest.raises(UserError, match="would land outside"):
        unpack(file, RELEASES["zorro"].folders, folder)
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert not (tmp_path.parent / "escaped").exists()


# --- EWoK ---------------------------------------------------------------------------------------------------


def test_words_are_split_as_nltk_splits_them():
    # What nltk.word_tokenize gives for these.
    assert words("Ali doesn't see Bo's well-known cup, can she?") == [
        "ali", "does", "n't", "see", "bo", "'s", "well-known", "cup", ",", "can", "she", "?",
    ]  # fmt: skip
    assert words("They cannot, they'll stop. It isn't.") == [
        "they", "can", "not", ",", "they", "'ll", "stop", ".", "it", "is", "n't", ".",
    ]  # fmt: skip


def ewok_table() -> pd.DataFrame:
    item = {
        "Domain": "spatial-relations",
        "ContextType": "direct",
        "Context1": "Ali is left of Bo.",
        "Context2": "Ali is right of Bo.",
        "Target1": "Bo is right of Ali.",
        "Target2": "Bo is left of Ali.",
    }
    return pd.DataFrame([item, item | {"Target2": "Bo is zygomorphic."}, item | {"Domain": "social-relations"}])


VOCABULARY = "ali\nis\nleft\nright\nof\nbo\n.\n"


def test_filter_keeps_known_words_and_adds_the_swapped_item():
    domains = filtered(ewok_table(), set(VOCABULARY.split()))
    assert {name: len(own) for name, own in domains.items()} == {"spatial-relations": 2, "social-relations": 2}
    first, swapped = domains["spatial-relations"]
    assert first == ewok_table().iloc[0].to_dict()
    assert (swapped["Context1"], swapped["Target1"]) == (first["Context2"], first["Target2"])
    assert (swapped["Context2"], swapped["Target2"]) == (first["Context1"], first["Target1"])
    assert swapped["ContextType"] == "direct"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        buffer = io.BytesIO()
        ewok_table().to_parquet(buffer)
        server.datasets[REPOSITORY] = {FILE: buffer.getvalue()}
        server.datasets[DATASET] = {"pairs.csv": b"lexeme,wug\ndog,dof\ncat,caf\n"}
        server.gated.add(REPOSITORY)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr("babylogue.suites.ewok_release.ENDPOINT", server.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
        server.shutdown()


def test_ewok_comes_with_the_token_and_is_a_suite(hub, server, tmp_path, caplog):
    caplog.set_level("DEBUG", logger="babylogue")
    server.files["/vocab.txt"] = VOCABULARY.encode()
    folder = tmp_path / "releases/ewok"
    known = bring_ewok(folder, server.url("/vocab.txt"), NETWORK)
    assert known["revision"] == RELEASES["ewok"].revision
    assert sorted(path.name for path in (folder / FOLDER).iterdir()) == [
        "social-relations.jsonl",
        "spatial-relations.jsonl",
    ]
    suite = registry.load("ewok")
    items = suite.read({"mirror": suite.mirror_files(folder)})
    assert len(items) == 4
    assert items["candidates"].iloc[0] == [" Bo is right of Ali.", " Bo is left of Ali."]
    assert "agent-properties 0, not 2210" in caplog.text
    # Nothing of the items and nothing of the token in what is logged.
    assert "left of" not in caplog.text
    assert TOKEN not in caplog.text
    assert sum(SIZES.values()) == 7618
    assert not any("Authorization" in headers for headers in server.headers)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (
            "",
            "HF_TOKEN: not set; EWoK is given out to those who accept its terms at https://huggingface.co/datasets",
        ),
        ("hf_wrong", "EWoK: the Hub refuses: HF_TOKEN is not valid"),
        ("hf_other", "EWoK: the Hub refuses: accept the terms at https://huggingface.co/datasets/ewok-core"),
    ],
)
def test_ewok_refusals_are_one_line_without_the_token(hub, server, tmp_path, monkeypatch, token, message):
    hub.read_only.add("hf_other")
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UserError) as caught:
        bring_ewok(tmp_path / "ewok", server.url("/vocab.txt"), NETWORK)
    assert message in str(caught.value)
    assert not token or token not in str(caught.value)
    assert not (tmp_path / "ewok").exists()


def test_an_unreachable_hub_is_one_line(hub, server, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # a refused connection takes a minute
    with pytest.raises(UserError, match=r"^EWoK: https://huggingface\.co/datasets/.* does not answer \(\w+\)"):
        bring_ewok(tmp_path / "ewok", server.url("/vocab.txt"), NETWORK)


# --- in the workflow ----------------------------------------------------------------------------------------


@pytest.fixture
def workflow(tmp_path, server, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for name, value in {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}.items():
        monkeypatch.setenv(name, value)
    workflow = copy_project(tmp_path / "project")
    suites = ["toy_grammar", "zorro_fast", "ewok", "lexical_decision_published"]
    network = {"attempts": 2, "backoff_s": 0.01, "connect_timeout_s": 2, "read_timeout_s": 2}
    own = {
        "suites": {"urls": {"zorro": server.url("/zorro.zip")}, "network": network},
        "evaluate": {"scores": [{"checkpoints": ["final"], "suites": suites}]},
    }
    workflow.write("own.yaml", json.dumps(own))
    return workflow


@pytest.mark.slow
def test_what_no_suite_needs_is_not_fetched_and_what_cannot_be_had_is_named(workflow, server):
    done = workflow.snakemake("--cores", "1", "--configfile", "own.yaml", "--", "results/report/missing.csv")
    assert server.asked == ["/zorro.zip"]
    assert done.stdout.count("suite ewok is left out: no suites.mirror") == 1
    missing = pd.read_csv(workflow.folder / "results/report/missing.csv")
    assert missing["suite"].tolist() == ["ewok"]
    assert "HF_TOKEN is not set" in missing["reason"].iloc[0]
    sources = pd.read_csv(workflow.folder / "results/report/sources.csv").set_index("suite")
    assert sorted(sources.index) == ["lexical_decision_published", "zorro_fast"]
    source = sources.loc["zorro_fast"]
    assert (source["from"], source["as_pinned"]) == ("zorro", False)
    assert source["url"] == server.url("/zorro.zip")
    words = pd.read_parquet(workflow.folder / "results/suites/lexical_decision_published.parquet")
    assert [list(pair) for pair in words["candidates"]] == [["dog", "dof"], ["cat", "caf"]]
    items = pd.read_parquet(workflow.folder / "results/suites/zorro_fast.parquet")
    assert len(items) == 200
    assert "are not the 23 of the release" in workflow.read("results/logs/suites/zorro_fast.log")
    assert json.loads(workflow.read("results/releases/zorro.json"))["bytes"] == len(ZORRO)


def test_a_missing_suite_by_file_name_is_one_line(workflow):
    score = "results/scores/base/seed0/final/ewok.json"
    done = workflow.snakemake("-n", "--configfile", "own.yaml", "--", score, check=False)
    assert done.returncode != 0
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("suites.mirror: ewok: no suites.mirror with evaluation_data/full_eval/ewok_filtered")
    assert "HF_TOKEN is not set; get it from https://huggingface.co" in last


@pytest.mark.slow
def test_a_failed_download_is_named_and_can_be_left_out(workflow, server):
    del server.files["/zorro.zip"]
    items = "results/suites/zorro_fast.parquet"
    done = workflow.snakemake("--cores", "1", "--configfile", "own.yaml", "--", items, check=False)
    assert done.returncode != 0
    assert "/zorro.zip answers with status 404 Not Found" in done.stdout
    planned = workflow.planned("--configfile", "own.yaml", "--config", "suites={download: false}")
    assert "release" not in planned
    assert {score.split("/")[-1] for score in planned["score"]} == {"toy_grammar.json"}
