"""Replies: the cache that is only added to, and a server as the writer."""

import math
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import hypothesis
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hypothesis import strategies as st
from pydantic import ValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer

from babylogue.errors import UserError
from babylogue.teacher import server as server_module
from babylogue.teacher.cache import COLUMNS, ReplyCache
from babylogue.teacher.draws import own_seed
from babylogue.teacher.lm import TeacherModel
from babylogue.teacher.prompts import encoded_exchange
from babylogue.teacher.replies import Writer, replies
from babylogue.teacher.settings import RemoteModel, RepliesSettings
from babylogue.teacher.vllm_engine import VllmEngine
from babylogue.teacher.writers import folder_writer, server_writer
from support.completion_server import KEY, MODEL, CompletionServer, late, says, status
from support.tiny_teacher import save_tiny_teacher

PROMPTS = [
    "*MOT: what is that ?",
    "*MOT: where is the big red ball now ?",
    "*MOT: we go home now .",
    "*MOT: do you want some soup ?",
]
SETTINGS = RepliesSettings(samples=3, temperature=1.2, top_p=0.95, max_new_tokens=12, batch_size=4, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_teacher(folder)
    return folder


class Recorder:
    """A writer of made-up replies that notes what it is asked; it stops before batch number `stops_at`."""

    def __init__(self, stops_at: int | None = None):
        self.asked: list[tuple[str, int]] = []
        self._stops_at = stops_at

    def write(self, keys, settings):
        for start in range(0, len(keys), settings.batch_size):
            if start == (self._stops_at or math.inf) * settings.batch_size:
                raise KeyboardInterrupt
            batch = keys[start : start + settings.batch_size]
            self.asked += batch
            rows = [(prompt, sample, f"{sample} {prompt}", -0.1 * sample, 3) for prompt, sample in batch]
            yield pd.DataFrame(rows, columns=COLUMNS)

    def ask(self, prompts, cache, settings=SETTINGS, **depends_on) -> pd.DataFrame:
        return replies(Writer("made_up", depends_on, self.write), prompts, settings, cache)


def with_samples(samples: int) -> RepliesSettings:
    return SETTINGS.model_copy(update={"samples": samples})


# The cache


def test_a_larger_run_asks_only_for_what_is_new(tmp_path):
    first, second = Recorder(), Recorder()
    first.ask(PROMPTS[:2], tmp_path, with_samples(2))
    table = second.ask([PROMPTS[2], *PROMPTS[:2], PROMPTS[2]], tmp_path, with_samples(3))
    assert second.asked == [(PROMPTS[2], 0), (PROMPTS[2], 1), (PROMPTS[2], 2), (PROMPTS[0], 2), (PROMPTS[1], 2)]
    assert list(table.columns) == COLUMNS
    assert table["prompt"].tolist() == [prompt for prompt in (PROMPTS[2], *PROMPTS[:2]) for _ in range(3)]
    assert table["reply"].tolist() == [f"{s} {p}" for p, s in zip(table["prompt"], table["sample"], strict=True)]


requests = st.lists(st.tuples(st.lists(st.sampled_from(PROMPTS), max_size=5), st.integers(1, 4)), max_size=4)


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(requests)
def test_what_was_asked_before_does_not_matter(tmp_path_factory, requests):
    folder = tmp_path_factory.mktemp("cache")
    asked = Recorder()
    for prompts, samples in requests:
        table = asked.ask(prompts, folder, with_samples(samples))
        fresh = Recorder().ask(prompts, tmp_path_factory.mktemp("fresh"), with_samples(samples))
        pd.testing.assert_frame_equal(table, fresh, check_exact=True, check_dtype=bool(prompts))
    assert len(asked.asked) == len(set(asked.asked))


@pytest.mark.parametrize(
    "change",
    [{"temperature": 0.5}, {"top_p": 0.5}, {"max_new_tokens": 5}, {"seed": 4}, {"few_shot": "x"}, {"content": 2}],
)
def test_replies_asked_otherwise_are_others(tmp_path, change, monkeypatch):
    Recorder().ask(PROMPTS, tmp_path, content=1)
    again = Recorder()
    if "few_shot" in change:
        monkeypatch.setattr("babylogue.teacher.replies.FEW_SHOT", change.pop("few_shot"))
    content = change.pop("content", 1)
    again.ask(PROMPTS, tmp_path, SETTINGS.model_copy(update=change), content=content)
    assert len(again.asked) == 12
    unchanged = Recorder()
    unchanged.ask(PROMPTS, tmp_path, SETTINGS.model_copy(update={**change, "batch_size": 99}), content=content)
    assert unchanged.asked == []


def test_a_stopped_run_keeps_every_batch_that_came(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Recorder(stops_at=2).ask(PROMPTS, tmp_path)
    rest = Recorder()
    table = rest.ask(PROMPTS, tmp_path)
    assert len(rest.asked) == 4
    pd.testing.assert_frame_equal(table, Recorder().ask(PROMPTS, tmp_path / "fresh"), check_exact=True)


KILLED = """
import os, signal, sys
import pandas as pd
from babylogue.teacher.cache import COLUMNS, ReplyCache

cache = ReplyCache(sys.argv[1], "made_up", {})
for sample in range(3):
    cache.add(pd.DataFrame([("p", sample, "yes .", -1.0, 3)], columns=COLUMNS))
replace = os.replace
os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)  # between writing and naming
cache.add(pd.DataFrame([("p", 3, "yes .", -1.0, 3)], columns=COLUMNS))
"""


def test_sigkill_loses_the_batch_in_hand_alone(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    cache = ReplyCache(tmp_path, "made_up", {})
    assert [name for name in os.listdir(cache.folder) if name.endswith(".part")]
    assert cache.read()["sample"].tolist() == [0, 1, 2]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: c[:-7], flipped, lambda c: b"<html>"])
def test_a_damaged_file_is_named_and_asked_again(tmp_path, caplog, damage):
    table = Recorder().ask(PROMPTS, tmp_path)
    file = sorted(tmp_path.rglob("*.parquet"))[1]
    file.write_bytes(damage(file.read_bytes()))
    again = Recorder()
    pd.testing.assert_frame_equal(again.ask(PROMPTS, tmp_path), table, check_exact=True)
    assert again.asked == list(zip(table["prompt"][4:8], table["sample"][4:8], strict=True))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning == f"{file} is damaged: what it held is asked again; delete it"


def test_of_two_replies_the_first_written_stays(tmp_path):
    cache = ReplyCache(tmp_path, "made_up", {})
    for reply in ("first .", "second ."):
        cache.add(pd.DataFrame([("p", 0, reply, math.nan, 0)], columns=COLUMNS))
    table = cache.read()
    assert table["reply"].tolist() == ["first ."]
    assert table["log_probability"].isna().all()


# A model folder


def test_replies_come_from_the_cache_to_the_bit(folder, tmp_path, monkeypatch):
    table = replies(folder_writer(folder, "transformers", "cpu"), PROMPTS, SETTINGS, tmp_path)
    monkeypatch.setattr(TeacherModel, "write", None)
    cached = replies(folder_writer(folder, "auto", "cpu"), PROMPTS, SETTINGS, tmp_path)
    pd.testing.assert_frame_equal(cached, table, check_exact=True)


def test_a_run_in_parts_gives_the_replies_of_a_run_at_once(folder, tmp_path):
    writer = folder_writer(folder, "transformers", "cpu")
    whole = replies(writer, PROMPTS, SETTINGS, tmp_path / "whole")
    replies(writer, PROMPTS[1:2], with_samples(1), tmp_path / "parts")
    replies(writer, PROMPTS[:2], with_samples(2), tmp_path / "parts")
    parts = replies(writer, PROMPTS, SETTINGS, tmp_path / "parts")
    exact = ["prompt", "sample", "reply", "tokens"]
    pd.testing.assert_frame_equal(parts[exact], whole[exact])
    # A product of matrices of other shape adds in another order.
    np.testing.assert_allclose(parts["log_probability"], whole["log_probability"], rtol=0, atol=1e-4)


def test_a_writer_is_known_by_its_content(tmp_path):
    names = ("one", "two")
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
        (tmp_path / name / "source.json").write_text(name)
    one, two = (folder_writer(tmp_path / name, "transformers", "cpu").depends_on for name in names)
    assert one == two
    (tmp_path / "two/model.safetensors").write_bytes(b"other weights")
    assert folder_writer(tmp_path / "two", "transformers", "cpu").depends_on != one
    assert folder_writer(tmp_path / "one", "transformers", "cuda").depends_on != one


# vLLM, by a stand-in with the part of its interface that is used


class StandIn:
    """`vllm.LLM` over transformers: greedy replies, prompt log-probabilities by position and token."""

    def __init__(self, model: str, dtype: str, max_model_len: int):
        self._model = AutoModelForCausalLM.from_pretrained(model).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(model)

    def get_tokenizer(self):
        return self._tokenizer

    @torch.inference_mode()
    def generate(self, prompts, params, use_tqdm):
        each = params if isinstance(params, list) else [params] * len(prompts)
        return [self._answer(prompt["prompt_token_ids"], own) for prompt, own in zip(prompts, each, strict=True)]

    def _answer(self, ids, params):
        told = self._model(torch.tensor([ids])).logits[0].log_softmax(-1)
        values = [None] + [
            {ids[i]: SimpleNamespace(logprob=float(told[i - 1, ids[i]]))} for i in range(1, len(ids))
        ]
        drawn, text = list(ids), ""
        while len(drawn) < len(ids) + params.max_tokens and "\n" not in text:
            drawn.append(int(self._model(torch.tensor([drawn])).logits[0, -1].argmax()))
            text = self._tokenizer.decode(drawn[len(ids) :])
        return SimpleNamespace(prompt_logprobs=values, outputs=[SimpleNamespace(text=text.split("\n")[0])])


def test_vllm_is_asked_as_the_model_on_this_machine(folder, monkeypatch):
    stand_in = SimpleNamespace(LLM=StandIn, SamplingParams=SimpleNamespace, TokensPrompt=dict)
    monkeypatch.setitem(sys.modules, "vllm", stand_in)
    keys = [(prompt, 0) for prompt in PROMPTS]
    tables = list(VllmEngine(folder).write(keys, SETTINGS.model_copy(update={"batch_size": 3})))
    assert [len(table) for table in tables] == [3, 1]
    table = pd.concat(tables)
    assert list(table.columns) == COLUMNS
    teacher = TeacherModel(folder, device="cpu")
    greedy = pd.concat(teacher.write(keys, SETTINGS.model_copy(update={"temperature": 0.01})))
    expected = greedy.set_index("prompt").loc[PROMPTS]
    assert table["reply"].tolist() == expected["reply"].tolist()
    sums, tokens = teacher.log_probabilities(PROMPTS, table["reply"])
    np.testing.assert_allclose(table["log_probability"], sums, atol=1e-4)
    assert table["tokens"].tolist() == tokens.tolist()


# A server


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv(server_module.KEY, raising=False)


@pytest.fixture
def server(folder):
    with CompletionServer(folder) as running:
        yield running
        running.shutdown()


def remote(server, **settings) -> RemoteModel:
    patience = {"backoff_s": 0.01, "attempts": 3, "read_timeout_s": 20, "requests_at_once": 2}
    return RemoteModel(url=server.url, model=MODEL, **{**patience, **settings})


def ask(server, cache, settings=SETTINGS, **patience) -> pd.DataFrame:
    return replies(server_writer("far", remote(server, **patience)), PROMPTS, settings, cache)


def test_a_server_gives_the_replies_and_log_probabilities_of_its_model(server, folder, tmp_path):
    table = ask(server, tmp_path)
    assert len(server.asked) == 12
    assert server.most <= 2
    assert len({asked["seed"] for asked in server.asked}) == 12
    told = table[table["log_probability"].notna()]
    assert 4 < len(told) < 12  # some replies are cut out of a longer line
    # A text that was drawn in other pieces than it is cut into has another probability.
    asked = zip(told["prompt"], told["sample"], told["reply"], told["tokens"], strict=True)
    told = told[
        [
            encoded_exchange(server.tokenizer, prompt, reply)[0][-count:]
            == server.drawn[own_seed(SETTINGS.seed, prompt, sample)]
            for prompt, sample, reply, count in asked
        ]
    ]
    assert len(told) > 4
    sums, tokens = TeacherModel(folder, device="cpu").log_probabilities(told["prompt"], told["reply"])
    np.testing.assert_allclose(told["log_probability"], sums, atol=1e-4)
    assert told["tokens"].tolist() == tokens.tolist()
    assert (table.loc[table["log_probability"].isna(), "tokens"] == 0).all()
    pd.testing.assert_frame_equal(ask(server, tmp_path), table, check_exact=True)
    assert len(server.asked) == 12


def test_the_most_probable_reply_is_that_of_the_model_on_this_machine(server, folder, tmp_path):
    greedy = SETTINGS.model_copy(update={"temperature": 0.01, "samples": 1})
    here = replies(folder_writer(folder, "transformers", "cpu"), PROMPTS, greedy, tmp_path)
    assert ask(server, tmp_path, greedy)["reply"].tolist() == here["reply"].tolist()


def test_faults_that_pass_are_waited_for(server, tmp_path, caplog):
    server.faults += [status(429, Retry_After="0.1"), status(500), late(3), status(503)]
    table = ask(server, tmp_path, read_timeout_s=2, attempts=5)
    assert table["reply"].notna().all()
    for reason in ("429 Too Many Requests; again in 0.1 s", "500 Internal Server Error", "no answer in time"):
        assert reason in caplog.text


@pytest.mark.parametrize("content", [b"<html>Sign in</html>", b"{}", b'{"choices": [{"text": null}]}', b"[1]"])
def test_what_is_no_completion_is_said_in_one_line(server, tmp_path, content):
    server.faults += [says(content)] * 3
    with pytest.raises(UserError, match=r"^http://.*/v1/completions answers with something that is no completion"):
        ask(server, tmp_path)


def test_a_server_that_fails_for_good_keeps_the_batches_that_came(server, tmp_path):
    writer = server_writer("far", remote(server, requests_at_once=1))
    served = server.complete
    server.complete = lambda asked: served(asked) if len(server.asked) <= 4 else {}
    with pytest.raises(UserError, match="no completion"):
        replies(writer, PROMPTS, SETTINGS, tmp_path)
    server.complete = served
    server.asked.clear()
    replies(writer, PROMPTS, SETTINGS, tmp_path)
    assert len(server.asked) == 8


def test_keys(server, tmp_path, monkeypatch, caplog):
    server.key = KEY
    with pytest.raises(UserError, match=r"/v1/completions wants a key: set OPENAI_API_KEY$"):
        ask(server, tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    with pytest.raises(UserError, match=r"/v1/completions refuses the key in OPENAI_API_KEY: correct it$"):
        ask(server, tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ask(server, tmp_path)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"sk-" in content for content in files)
    assert "sk-" not in caplog.text


def test_the_key_goes_nowhere_else(server, tmp_path, monkeypatch, folder):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with CompletionServer(folder) as other:
        server.faults += [status(307, Location=f"{other.url}/completions")] * 3
        with pytest.raises(UserError, match="status 307"):
            ask(server, tmp_path)
        assert other.headers == []
        other.shutdown()
    server.faults.clear()  # how many it has met depends on what was asked at once
    # Without TLS, to another machine: asked without the key.
    monkeypatch.setattr("babylogue.network.settings._THIS_MACHINE", ())
    server.key = KEY
    with pytest.raises(UserError, match="goes over https or to this machine alone"):
        ask(server, tmp_path)
    assert "Authorization" not in server.headers[-1]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\nX-Other: 1")
    with pytest.raises(UserError, match=r"^OPENAI_API_KEY has characters"):
        ask(server, tmp_path)


def test_the_key_passes_no_proxy_on_its_way_to_this_machine(server, tmp_path, monkeypatch, folder):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with CompletionServer(folder) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        assert len(ask(server, tmp_path)) > 0
        assert proxy.headers == []
        proxy.shutdown()


def test_a_server_without_log_probabilities_or_without_the_model(server, tmp_path):
    server.logprobs = False
    table = ask(server, tmp_path)
    assert table["log_probability"].isna().all()
    assert (table["tokens"] == 0).all()
    wrong = RemoteModel(url=server.url, model="large")
    with pytest.raises(UserError, match=r"or has no model 'large': correct url"):
        replies(server_writer("far", wrong), PROMPTS, SETTINGS, tmp_path)


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "http://me:pw@host/v1", "https://host/v1?key=1", "ftp://host"]
)
def test_an_address_is_checked(url):
    with pytest.raises(ValidationError):
        RemoteModel(url=url, model="m")


@pytest.mark.slow
def test_a_server_writes_in_the_workflow(server, project, monkeypatch):
    server.key = KEY
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    prompts = project.folder / "far/pairs/natural.parquet"
    prompts.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"prompt": PROMPTS}).to_parquet(prompts)
    target = "far/teacher/natural.parquet"
    command = ("--cores", "1", "--allowed-rules", "replies", "--configfile", "far.yaml", "--", target)

    def configure(prompts: int) -> None:
        far = {"far": {"remote": {"url": server.url, "model": MODEL}}}
        teacher = {"writer": "far", "pairs": {"prompts": prompts}}
        overlay = {"results": "far", "published": far, "teacher": teacher, "models": {"ppo_confidence": None}}
        project.write("far.yaml", yaml.safe_dump(overlay))

    configure(prompts=3)
    done = project.snakemake(*command)
    assert len(server.asked) == 3
    assert KEY not in done.stdout
    assert pd.read_parquet(project.folder / target)["prompt"].tolist() == PROMPTS[:3]
    configure(prompts=4)
    project.snakemake(*command)
    assert len(server.asked) == 4
    files = [path for path in project.folder.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
