"""Rewards, schedules and weighted sums against hand computations."""

import importlib.util
import math
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from babylogue.errors import UserError
from babylogue.reinforcement.rewards import base, llm_score
from babylogue.reinforcement.rewards.base import RewardInputs, RewardKind, remembered
from babylogue.reinforcement.rewards.confidence import ranks
from babylogue.reinforcement.rewards.multi import WeightedSum, build_reward
from babylogue.reinforcement.rewards.ranking import RIVALS, rivals
from babylogue.reinforcement.rewards.registry import REWARDS, needs, terms
from babylogue.reinforcement.schedules import Schedule, Scheduled, value_at
from babylogue.scoring.loading import load_model
from babylogue.teacher.lm import TeacherModel
from babylogue.teacher.settings import RepliesSettings
from support.project import PROJECT
from support.tiny_teacher import save_tiny_teacher

WHAT, WHERE = "*MOT: what is that ?", "*MOT: where is the dog ?"
MODULES = "babylogue.reinforcement.rewards"


def replies_table(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["prompt", "sample", "reply", "log_probability", "tokens"])


REFERENCES = replies_table(
    [
        (WHAT, 1, "a cat", -9.0, 3),
        (WHAT, 0, "The big, red dog.", -8.0, 4),
        (WHERE, 0, "...", -9.0, 2),
        (WHERE, 1, "Here!", -3.0, 2),
    ]
)


def built(reward, **inputs):
    """The reward of a row, as the rules and the script build it."""
    return build_reward(reward, terms(reward), RewardInputs(**inputs))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folder of a tiny model."""
    folder = tmp_path_factory.mktemp("tiny")
    save_tiny_teacher(folder)
    return folder


def test_bleu_is_unigram_precision_with_brevity_penalty():
    replies = ["the red dog barks .", "dog dog dog dog ?", "Dog !", "here .", "cat ."]
    values = built("bleu", references=REFERENCES)([WHAT, WHAT, WHAT, WHERE, WHAT], replies)
    # 3 of 4 words; a word counts as often as the reference has it; one word against four: exp(1 - 4).
    assert values == pytest.approx([0.75, 0.25, np.exp(-3), 1.0, 0.0])
    assert values.dtype == np.float64


def test_ranks_are_those_of_the_paper():
    own = [np.array([-4.0, -3.0, -2.0, -1.0])] * 4
    # Ties count as reached: r = 2 * k / 4 - 1.
    assert ranks(np.array([-5.0, -3.0, -2.5, 0.0]), own).tolist() == [-1.0, 0.0, 0.0, 1.0]


class FakeTeacher:
    """Says -1.5 nats a token, with as many tokens as words and one."""

    def __init__(self, *args):
        pass

    def log_probabilities(self, prompts, replies):
        tokens = np.array([len(reply.split()) for reply in replies])
        return -1.5 * tokens, tokens


def test_confidence_is_length_normalised_unless_summed(monkeypatch):
    monkeypatch.setattr(f"{MODULES}.confidence.TeacherModel", FakeTeacher)
    table = replies_table(
        [(WHAT, i, "x", total, n) for i, (total, n) in enumerate([(-4, 4), (-4, 2), (-6, 2), (-8, 2)])]
    )
    replies = ["no .", "a big red dog ."]  # -3 of 2 tokens, -7.5 of 5
    # A token: teacher -1, -2, -3, -4; replies -1.5: three of four are below it.
    assert built("confidence", references=table, teacher="t")([WHAT] * 2, replies).tolist() == [0.5, 0.5]
    # Sums: -3 is above all four; -7.5 is above -8 only.
    assert built("confidence_sum", references=table, teacher="t")([WHAT] * 2, replies).tolist() == [1.0, -0.5]


def test_the_teachers_best_reply_has_the_highest_confidence(tiny):
    teacher = TeacherModel(tiny, device="cpu")
    keys = [(prompt, sample) for prompt in (WHAT, WHERE) for sample in range(5)]
    table = pd.concat(teacher.write(keys, RepliesSettings(temperature=1.0, top_p=0.9)))
    reward = built("confidence", references=table, teacher=tiny, device="cpu")
    table["normalised"] = table["log_probability"] / table["tokens"]
    table = table[table["reply"].str.contains("[a-z]")]
    for prompt, group in table.groupby("prompt"):
        best = group.loc[group["normalised"].idxmax(), "reply"]
        values = reward([prompt, prompt], [best, "soup soup box box dog"])
        assert values[0] == 1.0 > values[1]


def test_semantic_similarity_compares_with_the_reference_in_order(monkeypatch):
    class FakeEmbedder:
        def __init__(self, *args):
            pass

        def vectors(self, texts):
            place = {"the big red dog .": (1, 0), "here !": (0, 1), "there .": (0.6, 0.8), "mum .": (-1, 0)}
            return np.array([place[text] for text in texts], dtype=np.float32)

    monkeypatch.setattr(f"{MODULES}.semsim.Embedder", FakeEmbedder)
    reward = built("semsim", references=REFERENCES, embedder="folder")
    values = reward([WHAT, WHERE, WHAT, WHERE], ["there .", "there .", "mum .", ""])
    assert values == pytest.approx([0.6, 0.8, -1.0, -1.0])


class FakeJudge:
    """Gives `no .` even odds on 1 and 4, anything else a 3 for sure; keeps what it was asked."""

    asked: list = []

    def __init__(self, *args):
        type(self).asked = []

    def digit_shares(self, prompts, replies):
        self.asked.extend(replies)
        sure = {"no .": [0, 0.5, 0, 0, 0.5, 0]}
        return np.array([sure.get(reply, [0, 0, 0, 1, 0, 0]) for reply in replies], dtype=float)


def test_llm_score_is_an_expectation_and_asks_the_judge_once_about_a_reply(monkeypatch):
    monkeypatch.setattr(llm_score, "Judge", FakeJudge)
    reward = built("llm_score", judge="folder")
    assert reward([WHAT] * 4, ["no .", "", "yes .", "no ."]).tolist() == [2.5, 0.0, 3.0, 2.5]
    assert reward([WHAT, WHERE], ["no .", "no ."]).tolist() == [2.5, 2.5]
    assert FakeJudge.asked == ["no .", "yes .", "no ."]  # another prompt is another question


def test_the_sampled_score_is_a_digit_drawn_once_for_a_reply(monkeypatch):
    monkeypatch.setattr(llm_score, "Judge", FakeJudge)
    prompts = [f"*MOT: {number} ?" for number in range(2000)]
    values = built("llm_score_sampled", judge="folder")(prompts, ["no ."] * 2000)
    assert set(values) == {1.0, 4.0}
    assert (values == 4).mean() == pytest.approx(0.5, abs=0.045)  # four standard errors
    assert (built("llm_score_sampled", judge="folder")(prompts[::-1], ["no ."] * 2000)[::-1] == values).all()
    assert built("llm_score_sampled", judge="folder")([WHAT], ["yes ."]).tolist() == [3.0]


def test_ranking_is_how_surely_the_prompt_beats_its_rivals(monkeypatch):
    sums = {(WHAT, "a dog ."): -5.0, (WHERE, "a dog ."): -7.0, (WHAT, "here ."): -6.0, (WHERE, "here ."): -4.0}

    class Teacher(FakeTeacher):
        def log_probabilities(self, prompts, replies):
            return np.array([sums.get(pair, -2.0) for pair in zip(prompts, replies, strict=True)]), None

    monkeypatch.setattr(f"{MODULES}.ranking.TeacherModel", Teacher)
    reward = built("ranking", prompts=[WHAT, WHERE, WHAT], teacher="folder")
    values = reward([WHAT, WHERE, WHAT, WHERE, WHERE], ["a dog .", "a dog .", "here .", "yeah .", ""])
    # Two nats apart, either way; a reply that fits both alike has even odds, whatever its own probability.
    sure = 1 / (1 + math.exp(-2))
    assert values == pytest.approx([sure, 1 - sure, 1 - sure, 0.5, 0.0])
    with pytest.raises(UserError, match="ranking needs two prompts or more, and there are 1"):
        built("ranking", prompts=[WHAT, WHAT], teacher="folder")


def test_a_prompts_rivals_are_others_and_stay():
    pool = [f"*MOT: {number} ." for number in range(30)]
    chosen = {prompt: rivals(prompt, pool) for prompt in pool}
    assert all(len(set(own)) == RIVALS and prompt not in own for prompt, own in chosen.items())
    assert len({tuple(own) for own in chosen.values()}) > 25
    assert rivals(pool[3], pool) == chosen[pool[3]]
    assert sorted(rivals(WHAT, [WHAT, WHERE])) == [WHERE]


def test_ranking_knows_what_a_reply_answers(tiny):
    reward = built("ranking", prompts=[WHAT, WHERE], teacher=tiny, device="cpu")
    fitting, swapped = (
        reward([WHAT, WHERE], ["a dog .", "in the box ."]),
        reward([WHERE, WHAT], ["a dog .", "in the box ."]),
    )
    assert (fitting > 0.5).all()
    assert fitting + swapped == pytest.approx([1.0, 1.0])


def test_grammaticality_is_the_normalised_log_probability_of_the_turn_alone(tiny):
    replies = ["a dog .", "dog a a in .", ""]
    values = built("grammaticality", parent=tiny, device="cpu")([WHAT, WHERE, WHAT], replies)
    model, tokenizer = load_model(tiny, "cpu")
    for reply, value in zip(replies[:2], values, strict=False):
        start = len(tokenizer("*CHI:").input_ids)
        ids = torch.tensor([tokenizer(f"*CHI: {reply}").input_ids])
        with torch.no_grad():
            taken = model(ids).logits[0].log_softmax(-1)[:-1].gather(1, ids[0, 1:, None])[start - 1 :, 0]
        uniform = -math.log(model.config.vocab_size)
        assert value == pytest.approx(max(0.0, 1 - float(taken.mean()) / uniform), abs=1e-5)
    assert values[2] == 0.0


def test_the_implicit_reward_is_what_dpo_has_learnt_about_the_whole_turn(tiny, tmp_path):
    """The closing mark is of the reply, and the prompt's own likelihood has no part in it."""
    save_tiny_teacher(tmp_path, seed=1)
    replies = ["a dog .", "dog a a in .", "a dog ."]
    prompts = [WHAT, WHERE, WHERE]
    values = built("implicit_reward", dpo_model=tmp_path, beta=0.1, parent=tiny, device="cpu")(prompts, replies)
    for prompt, reply, value in zip(prompts, replies, values, strict=True):
        sums = []
        for folder in (tmp_path, tiny):
            model, tokenizer = load_model(folder, "cpu")
            start = len(tokenizer(prompt).input_ids)
            ids = torch.tensor([tokenizer(f"{prompt} *CHI: {reply}").input_ids])
            with torch.no_grad():
                log_p = model(ids).logits[0].log_softmax(-1)[:-1].gather(1, ids[0, 1:, None])
            sums.append(float(log_p[start - 1 :].sum()))
        assert value == pytest.approx(1 / (1 + math.exp(-0.1 * (sums[0] - sums[1]))), abs=1e-5)
    assert len(set(values)) == 3
    same = built("implicit_reward", dpo_model=tiny, beta=0.1, parent=tiny, device="cpu")(prompts, replies)
    assert same == pytest.approx([0.5] * 3)


@pytest.mark.parametrize("name", REWARDS)
def test_replies_without_words_get_the_lowest_value_and_ask_no_model(name, monkeypatch):
    for target in ("confidence.TeacherModel", "ranking.TeacherModel", "llm_score.Judge", "semsim.Embedder"):
        monkeypatch.setattr(f"{MODULES}.{target}", lambda *args: None)
    for module in ("grammaticality", "implicit_reward"):
        monkeypatch.setattr(f"{MODULES}.{module}.load_model", lambda *args: (None, None))
        monkeypatch.setattr(f"{MODULES}.{module}.Scorer", lambda *args: None)
    inputs = {"prompts": [WHAT, WHERE], "references": REFERENCES, **dict.fromkeys(("teacher", "judge"), "folder")}
    reward = built(name, embedder="folder", parent="folder", dpo_model="folder", beta=0.1, **inputs)
    assert reward([WHAT, WHERE, WHAT], ["", ".", " ? "]).tolist() == [REWARDS[name].lowest] * 3


def test_missing_inputs_and_prompts_are_named():
    with pytest.raises(UserError, match=r"confidence needs references and teacher"):
        built("confidence")
    with pytest.raises(UserError, match=r"grammaticality needs parent"):
        built({"bleu": 1, "grammaticality": 1}, references=REFERENCES)
    with pytest.raises(UserError, match=r"have none to the prompt '\*MOT: who \?'"):
        built("bleu", references=REFERENCES)(["*MOT: who ?"], ["me ."])


def test_a_reward_is_a_function_of_its_name_and_needs_fields_of_the_inputs():
    for name, kind in REWARDS.items():
        assert callable(getattr(importlib.import_module(kind.module), name))
        assert set(kind.needs) <= set(RewardInputs.__dataclass_fields__) - {"batch_size", "device"}
        assert kind.lowest < kind.highest
    assert needs("semsim") == {"references", "embedder"}
    assert needs({"bleu": 1, "ranking": 1, "grammaticality": 0}) == {"references", "prompts", "teacher", "parent"}


def test_remembered_values_survive_a_full_memory(monkeypatch):
    monkeypatch.setattr(base, "REMEMBERED", 2)
    double = remembered(lambda items: [2 * item for item in items])
    for items in ([1, 2, 3], [3, 4, 4], [1, 5, 3]):
        assert double(items) == [2 * item for item in items]


# Sums and schedules


def constant(*values):
    return lambda prompts, replies: np.array(values, dtype=float)[: len(replies)]


def test_a_sum_brings_its_terms_to_one_scale():
    score, cosine = RewardKind("", (), 0, 5), RewardKind("", (), -1, 1)
    weights = {"score": 0.25, "cosine": Schedule(values=[0.75, 0], steps=10)}
    sum_of = WeightedSum({"score": (constant(5, 2), score), "cosine": (constant(-1, 0.5), cosine)}, weights)
    # 0.25 * (1, 0.4) + 0.75 * (0, 0.75), and without the second.
    assert sum_of([WHAT] * 2, ["a .", "b ."]) == pytest.approx([0.25, 0.6625])
    total, measured = sum_of.measure([WHAT] * 2, ["a .", "b ."], 10)
    assert total == pytest.approx([0.25, 0.1])
    assert measured == pytest.approx(
        {"weight_score": 0.25, "reward_score": 0.7, "weight_cosine": 0, "reward_cosine": 0.375}
    )
    # Outside of the steps, as on held-out prompts, with the mean weights: 0.25 and 0.375.
    assert sum_of([WHAT] * 2, ["a .", "b ."], None) == pytest.approx([0.25, 0.38125])


def test_a_sum_of_one_term_is_that_term_on_the_common_scale():
    replies = ["the red dog barks .", "dog .", ""]
    alone = built("bleu", references=REFERENCES)([WHAT] * 3, replies)
    assert built({"bleu": 2.0}, references=REFERENCES)([WHAT] * 3, replies) == pytest.approx(2 * alone)


def test_a_cycle_alternates_and_a_line_ends():
    cycle = Schedule(values=[1.5, 0.5, 1.0], steps=2)
    assert [cycle.at(step) for step in range(8)] == [1.5, 1.5, 0.5, 0.5, 1.0, 1.0, 1.5, 1.5]
    line = Schedule(values=[0.0, 1.0, 0.5], steps=4, form="line")
    assert [line.at(step) for step in (0, 1, 4, 6, 8, 100)] == [0, 0.25, 1, 0.75, 0.5, 0.5]
    assert value_at(0.3, 1000) == 0.3


@given(
    values=st.lists(st.floats(0, 10), min_size=2, max_size=5),
    steps=st.integers(1, 50),
    step=st.integers(0, 10_000),
    form=st.sampled_from(["cycle", "line"]),
)
def test_a_schedule_stays_within_its_values(values, steps, step, form):
    schedule = Schedule(values=values, steps=steps, form=form)
    at = schedule.at(step)
    assert isinstance(at, float) and min(values) <= at <= max(values)
    if form == "cycle":
        assert schedule.at(step + steps * len(values)) == at
    else:
        assert schedule.at(steps * len(values) + step) == values[-1]


@pytest.mark.parametrize("wrong", [-1, {"values": [1.0], "steps": 2}, {"values": [1.0, 2.0], "steps": 0},
                                   {"values": [1.0, -2.0], "steps": 3}, {"values": [1.0, 2.0]}])  # fmt: skip
def test_schedules_that_make_no_sense(wrong):
    with pytest.raises(ValidationError):
        TypeAdapter(Scheduled).validate_python(wrong)


# What a run depends on


def test_a_changed_reward_changes_the_code_of_the_runs_that_use_it_alone(tmp_path):
    library = tmp_path / "babylogue"
    shutil.copytree(PROJECT / "scripts/babylogue", library, ignore=shutil.ignore_patterns("__pycache__"))

    def measure():
        spec = importlib.util.spec_from_file_location("copied", library / "fingerprint.py")
        copied = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(copied)
        modules = {name: [kind.module] for name, kind in REWARDS.items()}
        modules["multi"] = [REWARDS[name].module for name in ("bleu", "semsim")]
        script = PROJECT / "scripts/ppo.py"
        return {name: copied.fingerprint(script, *needed) for name, needed in modules.items()}

    def changed_by(file):
        before = measure()
        path = library / file
        path.write_text(path.read_text() + "\nBEHAVIOUR = 1\n")
        return {name for name, own in measure().items() if own != before[name]}

    assert changed_by("reinforcement/rewards/semsim.py") == {"semsim", "multi"}
    assert changed_by("reinforcement/rewards/registry.py") == set()
    assert changed_by("teacher/lm.py") == {"confidence", "confidence_sum", "ranking"}
    assert changed_by("teacher/judge.py") == {"llm_score", "llm_score_sampled"}
    assert changed_by("reinforcement/schedules.py") == set(REWARDS) | {"multi"}
