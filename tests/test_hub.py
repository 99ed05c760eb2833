"""Publishing a run: branches, cards, and refusals in one line, against a Hub on loopback."""

import threading

import huggingface_hub.constants
import pytest
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from babylogue.errors import UserError
from babylogue.hub import HubSettings, push_run
from support.hub_server import TOKEN, Hub

CARD = f"""---
{
    ModelCardData(
        model_name="babylogue-base-seed0",
        tags=["babylm"],
        eval_results=[EvalResult("text-generation", "blimp", "blimp", "accuracy", 61.26)],
    ).to_yaml()
}
---
# base

Scores of final.
"""
SETTINGS = HubSettings(namespace="someone", license="cc-by-nc-sa-3.0")


@pytest.fixture
def hub(monkeypatch):
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        yield server
        server.shutdown()


@pytest.fixture
def checkpoints(tmp_path):
    folders = {}
    for name in ("chck_1M", "final"):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        (folders[name] / "config.json").write_text(f'{{"name": "{name}"}}')
        (folders[name] / "model.safetensors").write_bytes(bytes(range(256)) * 3)
    return folders


def push(checkpoints, card="# base", judged="final"):
    return push_run("someone/babylogue-base-seed0", checkpoints, card=card, judged=judged, settings=SETTINGS)


def test_every_checkpoint_is_a_branch_and_final_is_main(hub, checkpoints):
    commits = push(checkpoints)
    assert sorted(commits) == ["chck_1M", "final", "main"]
    assert hub.private == {"someone/babylogue-base-seed0": True}
    for branch, checkpoint in (("chck_1M", "chck_1M"), ("final", "final"), ("main", "final")):
        files = hub.files["someone/babylogue-base-seed0", branch]
        assert sorted(files) == ["README.md", "config.json", "model.safetensors"]
        assert checkpoint in files["config.json"].decode()
        assert files["model.safetensors"] == bytes(range(256)) * 3
        card = files["README.md"].decode()
        assert card.startswith("---\n")
        assert "license: cc-by-nc-sa-3.0" in card
        assert "# base" in card


@pytest.mark.parametrize(("judged", "scored"), [("final", {"final", "main"}), ("chck_1M", {"chck_1M"})])
def test_scores_are_in_the_metadata_beside_the_weights_that_they_are_of_alone(hub, checkpoints, judged, scored):
    push(checkpoints, CARD, judged)
    for branch in ("chck_1M", "final", "main"):
        text = hub.files["someone/babylogue-base-seed0", branch]["README.md"].decode()
        read = ModelCard(text)
        assert (read.data.tags, read.data.license) == (["babylm"], "cc-by-nc-sa-3.0")
        assert "Scores of final." in read.text
        if branch in scored:
            (result,) = read.data.eval_results
            assert (result.dataset_type, result.metric_value) == ("blimp", 61.26)
        else:
            assert read.data.eval_results is None
            assert "model-index" not in text and "61.26" not in text


def test_pushing_again_is_no_mistake(hub, checkpoints):
    push(checkpoints)
    (checkpoints["final"] / "config.json").write_text("{}")
    push(checkpoints)
    assert hub.files["someone/babylogue-base-seed0", "main"]["config.json"] == b"{}"


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, r"^HF_TOKEN: not set; make a token with write access at https://"),
        ("hf_wrong", r"^the Hub refuses: HF_TOKEN is not valid$"),
        ("hf_reader", r"^the Hub refuses: HF_TOKEN has no right to write to someone/babylogue-base-seed0$"),
    ],
)
def test_refusals(token, message, hub, checkpoints, monkeypatch):
    hub.read_only.add("hf_reader")
    monkeypatch.setenv("HF_TOKEN", token) if token else monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UserError, match=message) as refused:
        push(checkpoints)
    assert token is None or token not in str(refused.value)


def test_nothing_is_pushed_without_a_namespace(project):
    done = project.snakemake("--dry-run", "results/pushed/base/seed0.json", check=False)
    assert "hub.namespace: not set; name the user or organisation" in done.stdout
    assert "Traceback" not in done.stdout
    overlay = ("--config", "hub={namespace: someone}", "--")
    assert "push" in project.planned(*overlay, "results/pushed/base/seed0.json")
    assert "push" not in project.planned(*overlay)
