"""Attacks that are tried: archives, weights with code, names that a shell would run, credentials that leak."""

import ast
import json
import os
import stat
import zipfile
from pathlib import Path

import psutil
import pytest
import torch
import yaml

from babylogue.configuration import load_configuration
from babylogue.errors import UserError
from babylogue.network import archive
from babylogue.network.archive import BadArchive, inspect, safe_members
from babylogue.scoring.loading import load_model
from babylogue.suites.ewok import read as read_ewok
from babylogue.suites.release_files import unpack
from babylogue.teacher.causal import load_causal
from babylogue.teacher.embedder import Embedder
from babylogue.teacher.published import _unpack as unpack_wheel
from support.project import PROJECT, SECRETS, copy_project
from support.tiny_teacher import save_tiny_teacher

# --- archives -----------------------------------------------------------------------------------------------

OUTSIDE = [
    "../evil.jsonl",
    "data/../../evil.jsonl",
    "/tmp/evil.jsonl",
    "..\\evil.jsonl",
    "C:\\evil.jsonl",
    "C:evil",
]


def zip_with(path: Path, *members: str, content: bytes = b"{}", link: bool = False) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name in members:
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            if link:
                member.external_attr = (stat.S_IFLNK | 0o777) << 16
            zipped.writestr(member, content)
    return path


# Everything that unpacks an archive: (archive, folder) -> nothing.
UNPACKERS = {
    "release": lambda file, folder: unpack(file, {"data": "data"}, folder / "data"),
    "wheel": lambda file, folder: unpack_wheel(file, "data", folder),
    "ewok": lambda file, folder: read_ewok({"mirror": [file]}),
}


@pytest.mark.parametrize("unpacker", UNPACKERS.values(), ids=UNPACKERS)
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_member_lands_outside_of_its_folder(unpacker, name, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    file = zip_with(tmp_path / "a.zip", "data/good.jsonl", name)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="would land outside"):
        unpacker(file, inner)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not Path("/tmp/evil.jsonl").exists()


@pytest.mark.parametrize("unpacker", UNPACKERS.values(), ids=UNPACKERS)
def test_links_are_not_unpacked(unpacker, tmp_path):
    file = zip_with(tmp_path / "a.zip", "data/passwd.jsonl", content=b"/etc/passwd", link=True)
    with pytest.raises(UserError, match=r"passwd\.jsonl' is a link"):
        unpacker(file, tmp_path / "inner")


@pytest.mark.parametrize("unpacker", UNPACKERS.values(), ids=UNPACKERS)
def test_a_bomb_is_bounded_by_size_and_by_count(unpacker, tmp_path, monkeypatch):
    large = zip_with(tmp_path / "large.zip", "data/zeros.jsonl", content=bytes(1 << 20))
    assert large.stat().st_size < 1 << 12
    monkeypatch.setattr(archive, "MAX_BYTES", 1 << 19)
    with pytest.raises(UserError, match="would unpack to 1,048,576 bytes"):
        unpacker(large, tmp_path / "inner")
    many = zip_with(tmp_path / "many.zip", *(f"data/{number}.jsonl" for number in range(20)))
    monkeypatch.setattr(archive, "MAX_MEMBERS", 19)
    with pytest.raises(UserError, match="has 20 members"):
        unpacker(many, tmp_path / "inner")


def test_a_zip_that_lies_about_a_size_gives_no_more_than_it_states(tmp_path):
    file = zip_with(tmp_path / "a.zip", "zeros", content=bytes(1 << 20))
    content = bytearray(file.read_bytes())
    # The uncompressed size in the central directory, which is what counts.
    entry = content.index(b"PK\x01\x02")
    assert int.from_bytes(content[entry + 24 : entry + 28], "little") == 1 << 20
    content[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    file.write_bytes(content)
    with zipfile.ZipFile(file) as zipped:
        (member,) = safe_members(zipped)
        with pytest.raises(zipfile.BadZipFile), zipped.open(member) as opened:
            while chunk := opened.read(1 << 16):
                assert len(chunk) <= 100
    with pytest.raises(BadArchive):
        inspect(file)


def test_a_bomb_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 10)
    monkeypatch.setattr(zipfile.ZipFile, "testzip", lambda self: pytest.fail("it was read"))
    with pytest.raises(BadArchive, match="would unpack"):
        inspect(zip_with(tmp_path / "a.zip", "a.cha", content=bytes(100)))


# --- weights and code ---------------------------------------------------------------------------------------


class Evil:
    """What runs a command where it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return (os.system, (f"touch {self.mark}",))


@pytest.fixture
def model_folder(tmp_path):
    save_tiny_teacher(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("load", [load_model, load_causal])
def test_pickled_weights_are_not_read(load, model_folder, tmp_path):
    (model_folder / "model.safetensors").unlink()
    torch.save(Evil(tmp_path / "mark"), model_folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="safetensors"):
        load(model_folder)
    assert not (tmp_path / "mark").exists()


def test_pickled_weights_of_an_embedder_are_not_read(model_folder, tmp_path):
    (model_folder / "model.safetensors").unlink()
    torch.save(Evil(tmp_path / "mark"), model_folder / "pytorch_model.bin")
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    (model_folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match="safetensors"):
        Embedder(model_folder)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("load", [load_model, load_causal])
@pytest.mark.parametrize("kind", ["model", "tokenizer"])
def test_code_that_comes_with_a_model_is_not_run(load, kind, model_folder, tmp_path):
    (model_folder / "own.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\nclass Own: pass\n")
    if kind == "model":
        own, mapping = "config.json", {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}
        changes = {"model_type": "own", "auto_map": mapping}
    else:
        own, changes = (
            "tokenizer_config.json",
            {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}},
        )
    settings = json.loads((model_folder / own).read_text()) | changes
    (model_folder / own).write_text(json.dumps(settings))
    with pytest.raises(UserError):
        load(model_folder)
    assert not (tmp_path / "mark").exists()


def test_no_call_of_the_project_would_run_foreign_code():
    """Each loading of models says that it takes safetensors and no code; nothing unpickles."""
    calls = [
        (path.name, ast.unparse(node))
        for path in (PROJECT / "scripts").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]
    loading = [
        text
        for _, text in calls
        if text.startswith(("AutoModelForCausalLM.from_pretrained", "SentenceTransformer("))
    ]
    assert len(loading) >= 4
    for text in loading:
        assert "use_safetensors" in text or "**source" in text, text  # source: a GGUF file, which holds no code
        assert "trust_remote_code=False" in text or "**source" in text, text
    for name, text in calls:
        called = text.split("(")[0]
        assert not called.startswith(("pickle.", "joblib.", "dill.", "marshal.", "os.system", "os.popen")), (
            name,
            text,
        )
        assert called not in ("yaml.load", "yaml.unsafe_load", "eval", "exec"), (name, text)
        assert "shell=True" not in text, (name, text)
        assert "trust_remote_code=True" not in text, (name, text)
        if called == "torch.load":
            assert "weights_only=True" in text, (name, text)


# --- names --------------------------------------------------------------------------------------------------

NAMES = ["a; touch mark", "$(touch mark)", "`touch mark`", "a b", "../up", "-rf", "a'b", 'a"b', "a\nb", ""]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("table", ["models", "pairs", "published"])
def test_names_that_a_shell_would_take_for_more_are_refused(table, name, project):
    row = {
        "models": {"method": "pretrain"},
        "pairs": {"kind": "natural"},
        "published": {"hub": "owner/name"},
    }[table]
    with pytest.raises(UserError, match=table):
        config = yaml.safe_load(project.read("config.yaml"))
        config[table][name] = row
        load_configuration(config)


def test_a_results_folder_with_a_strange_name_is_no_command(project, tmp_path):
    strange = "res; touch mark; $(touch mark) 'x"
    project.write("strange.yaml", yaml.safe_dump({"results": strange, "transcripts": {"toy": {"words": 2000}}}))
    done = project.snakemake(
        "--cores", "1", "--configfile", "strange.yaml", "--", f"{strange}/transcripts/toy", check=False
    )
    assert not list(project.folder.rglob("mark"))
    assert done.returncode == 0 or "Traceback" not in done.stdout


# --- credentials --------------------------------------------------------------------------------------------


def test_credentials_are_in_no_file_that_a_run_writes(small):
    """Logs, settings, tables, the page, and what Snakemake keeps of each job."""
    looked_at = [path for path in small.folder.rglob("*") if path.is_file()]
    assert len(looked_at) > 200
    assert any(".snakemake/metadata" in str(path) for path in looked_at)
    for path in looked_at:
        content = path.read_bytes()
        for name, secret in SECRETS.items():
            assert secret.encode() not in content, f"{name} in {path}"


def test_credentials_are_among_the_arguments_of_no_process(tmp_path):
    workflow = copy_project(tmp_path)
    workflow.environment = SECRETS
    snakemake = workflow.start("--cores", "2", "--", "results/corpus/split.parquet")
    seen = set()
    while snakemake.poll() is None:
        for process in psutil.Process(snakemake.pid).children(recursive=True):
            try:
                seen.add(" ".join(process.cmdline()))
            except psutil.NoSuchProcess:
                continue
    assert snakemake.returncode == 0, snakemake.communicate()[0]
    snakemake.stdout.close()
    assert any("utterances" in line for line in seen)
    assert not [line for line in seen if any(secret in line for secret in SECRETS.values())]
