"""Reply samples: the prompts, what models reply to them, the table and its section of the page."""

import pandas as pd
import pyarrow as pa
import pytest

from babylogue.analysis.reply_prompts import reply_prompts
from babylogue.analysis.reply_samples import reply_samples
from babylogue.preferences.exchanges import COLUMNS
from babylogue.reinforcement.sampling_settings import SamplingSettings
from babylogue.report.replies import REPLY_COLUMNS, replies_table, side_by_side
from babylogue.report.settings import ReplySettings
from babylogue.report.tables import read_table
from babylogue.scoring.loading import load_model
from support.invented_results import MODELS, Page, page_of
from support.tiny_talker import TALK, save_tiny_talker

ROLES = ["Mother", "Target_Child", "Mother"]
EVIL = "<script>alert(1)</script>"
PROMPTS = pd.DataFrame(
    [
        ("*MOT: where is the ball ?", "there .", "Made", "made/a", 24.0),
        ("*FAT: null", EVIL, EVIL, "made/b", None),
    ],
    columns=["prompt", "child", "corpus", "transcript", "age_months"],
)


def triplets_of(*turns):
    """Triplets in which a mother says the first and the last of the turns."""
    rows = [("made/a", "Made", "Ann", 24.0, ["MOT", "CHI", "MOT"], ROLES, [*turn, "yes ."]) for turn in turns]
    return pa.Table.from_pandas(pd.DataFrame(rows, columns=COLUMNS))


def samples_of(*rows):
    return pd.DataFrame(list(rows), columns=["prompt", "sample", "reply", "ended"])


@pytest.fixture
def table():
    ball, null = PROMPTS["prompt"]
    return replies_table(
        PROMPTS,
        [
            (("base", 0, "final"), samples_of((ball, 0, "NA", True), (ball, 1, "", True), (null, 0, EVIL, False))),
            (("ppo_bleu", 0, "best"), samples_of((ball, 0, "the red one", False))),
        ],
    )


def test_prompts_are_different_caregiver_turns_of_fit_length_with_the_childs_reply():
    turns = [(f"where is the {name} ?", f"{name} .") for name in ("ball", "BALL", "cat", "dog", "hat")]
    triplets = triplets_of(*turns, ("no .", "why ?"), (f"{'the ' * 30} .", "what ?"))
    found = reply_prompts(triplets, count=10, seed=0)
    assert len(found) == 4
    assert set(found["prompt"].str.casefold()) == {
        f"*mot: where is the {name} ?" for name in ("ball", "cat", "dog", "hat")
    }
    assert [prompt.split()[-2] for prompt in found["prompt"]] == [child.split()[0] for child in found["child"]]
    assert list(found) == list(PROMPTS)
    few = reply_prompts(triplets, count=2, seed=0)
    pd.testing.assert_frame_equal(few, found.head(2))
    assert reply_prompts(triplets_of(("no .", "why ?")), count=2, seed=0).empty


def test_a_model_replies_to_every_prompt_that_leaves_room(tmp_path):
    model, tokenizer = load_model(save_tiny_talker(tmp_path), "cpu")
    prompts = [*(f"*MOT: {turn}" for turn in TALK), f"*MOT: {'ball ' * 20}."]
    greedy = reply_samples(model, tokenizer, prompts, SamplingSettings(temperature=0), samples=2)
    assert greedy["prompt"].tolist() == [prompt for prompt in prompts[:-1] for _ in range(2)]
    assert greedy["sample"].tolist() == [0, 1] * 4
    assert greedy["reply"].tolist() == [reply for reply in TALK.values() for _ in range(2)]
    assert greedy["ended"].all()
    hot = SamplingSettings(temperature=3.0, top_p=1.0, seed=4)
    first, again, other = (
        reply_samples(model, tokenizer, prompts, settings, samples=20)
        for settings in (hot, hot, hot.model_copy(update={"seed": 5}))
    )
    pd.testing.assert_frame_equal(first, again)
    assert len(first) == 80 and first["reply"].tolist() != other["reply"].tolist()
    assert reply_samples(model, tokenizer, [], hot, samples=2).empty


def test_the_table_is_read_as_it_was_written(table, tmp_path):
    assert list(table) == REPLY_COLUMNS and len(table) == 4
    table.to_csv(tmp_path / "replies.csv", index=False)
    found = read_table(tmp_path / "replies.csv")
    pd.testing.assert_frame_equal(found, table, check_dtype=False)
    rows = side_by_side(found, ["base", "dpo_natural", "ppo_bleu"])
    assert [(row.prompt, row.child) for row in rows] == [*zip(PROMPTS["prompt"], PROMPTS["child"], strict=True)]
    assert rows[0].replies == [[("NA", True), ("", True)], [], [("the red one", False)]]
    empty = replies_table(PROMPTS, [(("base", 0, "final"), samples_of())])
    empty.to_csv(tmp_path / "replies.csv", index=False)
    assert side_by_side(read_table(tmp_path / "replies.csv"), ["base"]) == []


def test_the_page_has_the_replies_of_all_models_side_by_side_and_escaped(table):
    sampling = ReplySettings(samples=2).model_dump()
    text = page_of(replies=table, sampling=sampling)
    page = Page(text)
    shown = page.table("Replies, 2 of each model,\nsampled at temperature 0.8 from the top 95 % of")
    assert list(shown) == ["Caregiver's turn", "*MOT: where is the ball ? Made", f"*FAT: null {EVIL}"]
    assert shown["Caregiver's turn"] == ["Child of the transcript", *(f"{row['run']} final" for row in MODELS)]
    assert shown["*MOT: where is the ball ? Made"] == ["there .", "NA nothing", "no reply", "the red one …"]
    assert shown[f"*FAT: null {EVIL}"] == [EVIL, f"{EVIL} …", "no reply", "no reply"]
    assert "<script>alert" not in text
    assert {("a", "href", "#replies"), ("h2", "id", "replies")} <= set(page.attributes)
    assert "This page quotes transcripts" not in text, "of generated talk"
    real = page_of(replies=table, sampling=sampling | {"temperature": 0.0}, source="local")
    assert "This page quotes transcripts" in real and "the most probable token each time" in real


def test_a_page_without_replies_has_no_such_section():
    assert 'href="#replies"' not in page_of() and 'id="replies"' not in page_of()
