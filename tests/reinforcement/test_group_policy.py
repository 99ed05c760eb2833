"""GRPO and RLOO on a tiny model: they raise a reward, train on what was sampled, log what they say, and resume."""

import math
import runpy
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pydantic import ValidationError
from trl import GRPOTrainer, RLOOTrainer

from babylogue.errors import UserError
from babylogue.model.state import TrainingState
from babylogue.preferences.accuracy import pair_accuracy
from babylogue.reinforcement import group_policy
from babylogue.reinforcement.objective import without_length
from babylogue.reinforcement.policy import Policy
from babylogue.reinforcement.records import LOG_COLUMNS, SAMPLE_COLUMNS
from babylogue.reinforcement.rewards.registry import terms
from babylogue.reinforcement.rollouts import encode_prompts, observe, sample, stop_tokens
from babylogue.scoring.loading import load_model
from support.jobs import Named
from support.killed import kill_at, newest_step, start
from support.project import PROJECT
from support.tiny_group_policy import HELDOUT, METHODS, UNWATCHED, settings_of, tune
from support.tiny_ppo import PROMPTS, ball, tiny_llama, tiny_tokenizer

TRAINERS = {"grpo": GRPOTrainer, "rloo": RLOOTrainer}
SECONDS = [name for name in LOG_COLUMNS if name.startswith("seconds_")]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def parent(tmp_path_factory, tokenizer):
    """A model folder."""
    folder = tmp_path_factory.mktemp("parent")
    tiny_llama(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=METHODS)
def run(request, parent, tmp_path_factory):
    """(method, result) of a run that has time to learn."""
    changes = {"replies": 320, "epochs_per_batch": 2, "evaluate_every": 5}
    return request.param, tune(request.param, parent, tmp_path_factory.mktemp("run"), **changes)


def same_weights(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_reply_of_something_else_is_seen_as_one_of_ours(tokenizer):
    policy, stops = Policy(tiny_llama(tokenizer)), stop_tokens(tokenizer)
    encoded = encode_prompts(tokenizer, PROMPTS * 4, 40)
    ours = sample(policy, tokenizer, encoded, stops=stops, max_new_tokens=8, temperature=0.7, top_p=1.0,
                  generator=torch.Generator().manual_seed(1))  # fmt: skip
    tokens = [row[own].tolist() for row, own in zip(ours.tokens, ours.actions, strict=True)]
    seen = observe(policy, tokenizer, encoded, tokens, stops=stops, temperature=0.7)
    assert 0 < seen.finished.sum() < len(tokens)
    assert seen.replies == ours.replies and seen.prompt_length == ours.prompt_length
    for name in ("input_ids", "attention_mask", "actions", "finished"):
        assert torch.equal(getattr(seen, name), getattr(ours, name)), name
    for name in ("log_probs", "entropies"):
        torch.testing.assert_close(getattr(seen, name), getattr(ours, name), atol=1e-4, rtol=0)
    torch.testing.assert_close(seen.hidden[seen.actions], ours.hidden[seen.actions], atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_length_control_compares_within_groups_and_leaves_ties(method, tokenizer, parent, tmp_path):
    """The second group earns the same throughout: without advantages, whatever its lengths."""
    model, _ = load_model(parent, "cpu")
    earned = np.array([3.0, 1.0, 2.0, 5.0, 4.0, 4.0, 4.0, 4.0])
    settings = settings_of(method, replies=8, batch_size=8, length_control=True, unfinished_reward=None)
    own = group_policy._Rollouts(
        model, tokenizer, lambda prompts, replies: earned, settings, TrainingState(tmp_path, {}), HELDOUT, [], 0
    )
    dog, stop = tokenizer(["dog"])["input_ids"][0][-1], tokenizer.eos_token_id
    replies = [[dog] * length + [stop] for length in (1, 1, 2, 5, 1, 2, 3, 5)]
    aims = own.rewards(replies, [PROMPTS[0]] * 4 + [PROMPTS[1]] * 4)
    expected = torch.tensor([2.75] * 4 + [4.0] * 4, dtype=torch.float64)
    lengths = torch.tensor([len(reply) for reply in replies])
    controlled = without_length(torch.as_tensor(earned), expected, lengths)
    assert aims[:4] == pytest.approx(controlled[:4].tolist(), abs=1e-5) and aims[4:] == [4.0] * 4
    assert aims[:4] != pytest.approx(earned[:4].tolist(), abs=1e-2)


def test_a_simple_reward_rises(run):
    _, result = run
    assert result.stopped is None
    assert result.log["reward_mean"].iloc[:2].mean() < 0.3
    assert result.log["reward_mean"].iloc[-3:].mean() > 0.7


def test_the_log_holds_what_it_says(run, parent):
    _, result = run
    log, samples = result.log, result.samples
    assert list(log) == list(LOG_COLUMNS)
    assert log["step"].tolist() == list(range(21)) and log["episodes"].tolist() == list(range(16, 337, 16))
    assert log[["kl_k1", "kl_full"]].iloc[0].abs().max() < 1e-5 < 0.1 < log["kl_full"].iloc[-1]
    assert (log["kl_coefficient"] == 0.01).all()
    evaluated = log["held_out_accuracy"].notna()
    assert log["step"][evaluated].tolist() == [0, 5, 10, 15, 20]
    assert log["held_out_accuracy"].iloc[0] == pair_accuracy(*load_model(parent, "cpu"), HELDOUT)
    measured = ["policy_loss", "clip_share", "gradient_norm", "learning_rate"]
    assert log[measured].iloc[:-1].notna().all(axis=None) and log[measured].iloc[-1].isna().all()
    assert (log["learning_rate"].iloc[:-1] == 3e-3).all()
    assert len(samples) == 21 * 16
    assert samples["reward"].tolist() == ball(None, samples["reply"]).tolist()
    assert not samples["reply"].str.contains("[*<]").any()
    earned = samples["reward"].where(samples["finished"], -1.0).groupby(samples["step"])
    assert log["reward_mean"].tolist() == pytest.approx(earned.mean().tolist())
    assert log["unfinished_share"].tolist() == (1 - samples.groupby("step")["finished"].mean()).tolist()
    # Groups of four to one prompt, each prompt once before any comes again.
    rollouts = samples["prompt"].to_numpy().reshape(21, 4, 4)
    assert (rollouts == rollouts[:, :, :1]).all()
    assert all(sorted(own) == sorted(PROMPTS) for own in rollouts[:, :, 0])


def test_best_is_an_evaluation_that_is_accurate_enough(run, parent):
    _, result = run
    row = result.log.set_index("step").loc[result.best_step]
    model, own = load_model(parent, "cpu")
    for weights, accuracy in ((result.best, row), (result.final, result.log.iloc[-1])):
        model.load_state_dict(weights)
        assert pair_accuracy(model, own, HELDOUT) == accuracy["held_out_accuracy"]
    assert row["held_out_accuracy"] >= result.log["held_out_accuracy"].iloc[0] - 0.7


@pytest.mark.parametrize("method", METHODS)
def test_exactly_the_sampled_tokens_are_trained_on(method, parent, tmp_path, monkeypatch):
    """Up to the speaker tag or the end of sequence, which is in; what follows is padding and masked."""
    trained, whole = [], TRAINERS[method]._compute_loss

    def recorded(self, model, inputs):
        trained.append({name: inputs[name] for name in ("completion_ids", "completion_mask", "advantages")})
        return whole(self, model, inputs)

    monkeypatch.setattr(TRAINERS[method], "_compute_loss", recorded)
    result = tune(method, parent, tmp_path, replies=32, minibatch_size=16)
    _, own = load_model(parent, "cpu")
    stops = stop_tokens(own)
    replies = result.samples[result.samples["step"] == 0]
    assert 0 < replies["finished"].sum() < 16
    found = []
    for ids, mask in zip(
        trained[0]["completion_ids"].tolist(), trained[0]["completion_mask"].tolist(), strict=True
    ):
        length = sum(mask)
        assert mask == [1] * length + [0] * (len(mask) - length)
        assert not any(token in stops for token in ids[: length - 1])
        finished = ids[length - 1] in stops
        found.append((own.decode(ids[: length - finished], skip_special_tokens=True).strip(), finished))
    assert sorted(found) == sorted(zip(replies["reply"], replies["finished"], strict=True))
    assert trained[0]["advantages"].sum().item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_decides_everything(method, parent, tmp_path):
    one, two, other = (
        tune(method, parent, tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert same_weights(one.final, two.final) and same_weights(one.best, two.best)
    assert one.samples.equals(two.samples) and not one.samples.equals(other.samples)
    assert not same_weights(one.final, other.final)


CHANGES = [
    {"beta": 1.0}, {"clip_range": 0.01}, {"temperature": 0.5}, {"top_p": 0.5}, {"group_size": 8}, {"replies": 32},
    {"epochs_per_batch": 2}, {"max_gradient_norm": 1e-3}, {"unfinished_reward": None}, {"minibatch_size": 16},
    {"max_new_tokens": 3}, {"learning_rate": 1e-3}, {"batch_size": 24},
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_setting_changes_what_is_learned(method, parent, tmp_path):
    before = {"epochs_per_batch": 3}
    usual = tune(method, parent, tmp_path / "usual", **before).final
    for number, change in enumerate(CHANGES):
        assert not same_weights(usual, tune(method, parent, tmp_path / str(number), **before | change).final), (
            change
        )


@pytest.mark.parametrize("method", METHODS)
def test_the_guard_stops_a_run_before_the_update(method, parent, tmp_path):
    before = load_model(parent, "cpu")[0].state_dict()
    result = tune(method, parent, tmp_path / "start", guard=UNWATCHED | {"window_steps": 1, "min_entropy": 100.0})
    assert "entropy" in result.stopped and "min_entropy 100" in result.stopped
    assert len(result.log) == 1 and result.best_step == 0
    assert same_weights(result.best, before) and same_weights(result.final, before)
    late = tune(method, parent, tmp_path / "late", guard=UNWATCHED | {"window_steps": 3, "max_kl": 1e-6})
    assert "max_kl" in late.stopped and len(late.log) == 3


@pytest.mark.parametrize("method", METHODS)
def test_a_gradient_that_is_not_finite_is_never_applied(method, parent, tmp_path, monkeypatch):
    whole = TRAINERS[method]._compute_loss
    monkeypatch.setattr(TRAINERS[method], "_compute_loss", lambda *given: whole(*given) * math.inf)
    result = tune(method, parent, tmp_path)
    assert "gradient_norm is nan" in result.stopped
    assert same_weights(result.final, load_model(parent, "cpu")[0].state_dict())


def test_mistakes_are_told_in_one_line(parent, tmp_path):
    def nan(prompts, replies):
        return np.full(len(replies), math.nan)

    with pytest.raises(UserError, match="must be finite"):
        tune("grpo", parent, tmp_path / "nan", reward=nan)
    with pytest.raises(UserError, match=r"no prompts: choose another part .* or lower max_new_tokens"):
        tune("rloo", parent, tmp_path / "none", prompts=[])
    for changes, message in (
        ({"group_size": 5}, "group_size 5 does not divide batch_size 16"),
        ({"minibatch_size": 5}, "minibatch_size 5 does not divide batch_size 16"),
        ({"replies": 10}, "replies 10 is less than one batch of 16"),
        ({"group_size": 1}, "greater than 1"),
    ):
        with pytest.raises(ValidationError, match=message):
            settings_of("grpo", **changes)


LONG = {"replies": 128, "epochs_per_batch": 2}


def start_here(method, parent, folder):
    """The same in a process of its own, its state saved after every step."""
    call = f"tune({method!r}, Path({str(parent)!r}), Path({str(folder)!r}), every_s=0.0, **LONG)"
    return start("reinforcement.test_group_policy", call)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_killed_at_any_moment_it_ends_as_it_would_have_ended(method, parent, tmp_path):
    whole = tune(method, parent, tmp_path / "whole", **LONG)
    folder = tmp_path / "killed"
    for step in (4, 20):  # four updates a rollout
        newest = kill_at(step, start_here(method, parent, folder), folder)
    assert 20 <= newest < 32
    resumed = tune(method, parent, folder, **LONG)
    assert same_weights(resumed.final, whole.final) and same_weights(resumed.best, whole.best)
    assert (resumed.best_step, resumed.stopped) == (whole.best_step, whole.stopped)
    pd.testing.assert_frame_equal(resumed.samples, whole.samples, check_exact=True)
    pd.testing.assert_frame_equal(
        resumed.log.drop(columns=SECONDS), whole.log.drop(columns=SECONDS), check_exact=True
    )


def test_what_the_guard_knew_is_known_again(parent, tmp_path):
    """A mean over steps on both sides of the state."""
    bounds = {"guard": UNWATCHED | {"window_steps": 3, "max_kl": 1e-6}, **LONG}
    whole = tune("grpo", parent, tmp_path, every_s=0.0, **bounds)
    assert len(whole.log) == 3 and newest_step(tmp_path) == 8
    again = tune("grpo", parent, tmp_path, every_s=0.0, **bounds)
    assert again.stopped == whole.stopped
    pd.testing.assert_frame_equal(
        again.log.drop(columns=SECONDS), whole.log.drop(columns=SECONDS), check_exact=True
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_rule_publishes_what_ppo_does_and_leaves_no_state(method, parent, tmp_path):
    """scripts/group_policy.py as Snakemake runs it."""
    pd.DataFrame({"prompt": PROMPTS}).to_parquet(tmp_path / "prompts.parquet")
    HELDOUT.to_parquet(tmp_path / "pairs.parquet")
    references = {"prompt": PROMPTS, "sample": 0, "reply": "a ball .", "log_probability": -1.0, "tokens": 3}
    pd.DataFrame(references).to_parquet(tmp_path / "references.parquet")
    outputs = {"best": "best", "final": "final", "log": "log.csv", "settings": "settings.yaml",
               "samples": "samples.parquet"}  # fmt: skip
    job = SimpleNamespace(
        threads=1,
        params=Named(
            settings={**settings_of(method).model_dump(), "reward": "bleu"}, method=method, options={},
            code="a", run="tuned", state=str(tmp_path / "seed0/state"),
            kinds={name: asdict(kind) for name, kind in terms("bleu").items()},
        ),
        wildcards=Named(seed="0"),
        input=Named(
            parent=str(parent), prompts=str(tmp_path / "prompts.parquet"), heldout=str(tmp_path / "pairs.parquet"),
            references=str(tmp_path / "references.parquet"),
        ),
        output=Named({name: str(tmp_path / "seed0" / file) for name, file in outputs.items()}),
    )  # fmt: skip
    runpy.run_path(str(PROJECT / "scripts/group_policy.py"))["main"](job)
    assert sorted(path.name for path in (tmp_path / "seed0").iterdir()) == sorted(outputs.values())
    log = pd.read_csv(tmp_path / "seed0/log.csv")
    assert list(log) == list(LOG_COLUMNS) and len(log) == 4
    assert list(pd.read_parquet(tmp_path / "seed0/samples.parquet")) == [
        *SAMPLE_COLUMNS, "reference"
    ]  # fmt: skip
    told = yaml.safe_load((tmp_path / "seed0/settings.yaml").read_text())
    assert (told["method"], told["reward"], told["stopped"]) == (method, "bleu", "")
    before = load_model(parent, "cpu")[0].generation_config.eos_token_id
    for name in ("best", "final"):
        assert load_model(tmp_path / "seed0" / name, "cpu")[0].generation_config.eos_token_id == before
