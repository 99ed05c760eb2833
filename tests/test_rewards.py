"""The four rewards against hand computations."""

import numpy as np
import pandas as pd
import pytest

from babylogue.errors import UserError
from babylogue.reinforcement import rewards
from babylogue.reinforcement.rewards import REWARDS, RewardInputs, build_reward, ranks, remembered
from babylogue.teacher import embedder
from babylogue.teacher.lm import TeacherModel
from babylogue.teacher.settings import RepliesSettings
from tiny_teacher import save_tiny_teacher

WHAT, WHERE = "*MOT: what is that ?", "*MOT: where is the dog ?"


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


def test_bleu_is_unigram_precision_with_brevity_penalty():
    reward = build_reward("bleu", RewardInputs(references=REFERENCES))
    replies = ["the red dog barks .", "dog dog dog dog ?", "Dog !", "here .", "cat ."]
    values = reward([WHAT, WHAT, WHAT, WHERE, WHAT], replies)
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
    monkeypatch.setattr("babylogue.teacher.lm.TeacherModel", FakeTeacher)
    table = replies_table(
        [(WHAT, i, "x", total, n) for i, (total, n) in enumerate([(-4, 4), (-4, 2), (-6, 2), (-8, 2)])]
    )
    inputs = RewardInputs(references=table, teacher="folder")
    replies = ["no .", "a big red dog ."]  # -3 of 2 tokens, -7.5 of 5
    # A token: teacher -1, -2, -3, -4; replies -1.5: three of four are below it.
    assert build_reward("confidence", inputs)([WHAT] * 2, replies).tolist() == [0.5, 0.5]
    # Sums: -3 is above all four; -7.5 is above -8 only.
    assert build_reward("confidence_sum", inputs)([WHAT] * 2, replies).tolist() == [1.0, -0.5]


def test_the_teachers_best_reply_has_the_highest_confidence(tmp_path):
    save_tiny_teacher(tmp_path)
    teacher = TeacherModel(tmp_path, device="cpu")
    keys = [(prompt, sample) for prompt in (WHAT, WHERE) for sample in range(5)]
    table = pd.concat(teacher.write(keys, RepliesSettings(temperature=1.0, top_p=0.9)))
    reward = build_reward("confidence", RewardInputs(references=table, teacher=tmp_path, device="cpu"))
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

    monkeypatch.setattr(embedder, "Embedder", FakeEmbedder)
    reward = build_reward("semsim", RewardInputs(references=REFERENCES, embedder="folder"))
    values = reward([WHAT, WHERE, WHAT, WHERE], ["there .", "there .", "mum .", ""])
    assert values == pytest.approx([0.6, 0.8, -1.0, -1.0])


def test_llm_score_asks_the_judge_once_about_a_reply(monkeypatch):
    asked = []

    class FakeJudge:
        def __init__(self, *args):
            pass

        def scores(self, prompts, replies):
            asked.extend(replies)
            return np.array([float(len(reply)) for reply in replies])

    monkeypatch.setattr("babylogue.teacher.judge.Judge", FakeJudge)
    reward = build_reward("llm_score", RewardInputs(judge="folder"))
    assert reward([WHAT] * 4, ["no .", "", "yes .", "no ."]).tolist() == [4.0, 0.0, 5.0, 4.0]
    assert reward([WHAT, WHERE], ["no .", "no ."]).tolist() == [4.0, 4.0]
    assert asked == ["no .", "yes .", "no ."]  # another prompt is another question


@pytest.mark.parametrize(("name", "lowest"), [("bleu", 0), ("semsim", -1), ("llm_score", 0), ("confidence", -1)])
def test_replies_without_words_get_the_lowest_value(name, lowest, monkeypatch):
    for target in ("lm.TeacherModel", "judge.Judge", "embedder.Embedder"):
        monkeypatch.setattr(f"babylogue.teacher.{target}", FakeTeacher)
    inputs = RewardInputs(references=REFERENCES, teacher="t", judge="j", embedder="e")
    assert build_reward(name, inputs)([WHAT, WHERE, WHAT], ["", ".", " ? "]).tolist() == [lowest] * 3


def test_missing_names_inputs_and_prompts_are_named():
    with pytest.raises(UserError, match=r"no reward 'blue': take one of bleu, "):
        build_reward("blue", RewardInputs())
    with pytest.raises(UserError, match=r"confidence needs references and teacher"):
        build_reward("confidence", RewardInputs())
    with pytest.raises(UserError, match=r"have none to the prompt '\*MOT: who \?'"):
        build_reward("bleu", RewardInputs(references=REFERENCES))(["*MOT: who ?"], ["me ."])


def test_needs_are_fields_of_the_inputs():
    for kind in REWARDS.values():
        assert set(kind.needs) <= {"references", "teacher", "judge", "embedder"}


def test_remembered_values_survive_a_full_memory(monkeypatch):
    monkeypatch.setattr(rewards, "REMEMBERED", 2)
    double = remembered(lambda items: [2 * item for item in items])
    for items in ([1, 2, 3], [3, 4, 4], [1, 5, 3]):
        assert double(items) == [2 * item for item in items]
