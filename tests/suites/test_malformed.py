"""Malformed items of every suite: a missing field, an empty string, a string of one token, one too long."""

import json
from pathlib import Path

import pandas as pd
import pytest

from babylogue.errors import UserError
from babylogue.suites import registry
from support.reading_table import reading_table
from support.tiny_scorers import TOKENIZERS, make_model

EVALUATION = "evaluation_data/full_eval"
PAIR = {"sentence_good": "the dog .", "sentence_bad": "the ball ."}
TALK = {"prompt": "the dog ?", "chosen": "the ball .", "rejected": "the juice ."}
# suite: (file, a sound record, the field that is spoilt)
LINES = {
    "blimp": (f"{EVALUATION}/blimp_filtered/one.jsonl", {**PAIR, "UID": "one"}, "sentence_bad"),
    "blimp_supplement": (f"{EVALUATION}/supplement_filtered/one.jsonl", PAIR, "sentence_good"),
    "ewok": (
        f"{EVALUATION}/ewok_filtered/one.jsonl",
        {"Domain": "d", "Context1": "the dog", "Context2": "the ball", "Target1": "the dog", "Target2": "a dog"},
        "Target1",
    ),
    "comps": (
        f"{EVALUATION}/comps/one.jsonl",
        {"prefix_acceptable": "the dog", "prefix_unacceptable": "the ball", "property_phrase": "runs"},
        "property_phrase",
    ),
    "entity_tracking": (
        f"{EVALUATION}/entity_tracking/one.jsonl",
        {"input_prefix": "the dog", "options": [" runs", " home"], "numops": 0},
        "input_prefix",
    ),
    "wug_adj": (
        f"{EVALUATION}/wug_adj_nominalization/one.jsonl",
        {"sentences": "the dog\tthe ball", "ratio": 0.5},
        "sentences",
    ),
    "wug_past": (f"{EVALUATION}/wug_past_tense/one.jsonl", {"sentences": "the\ta", "ratio": 0.5}, "sentences"),
}
# What else holds items: the file, and what an error calls the second item.
OTHERS = {
    "zorro": ("zorro/one.txt", "line 4: the sentence"),
    "lexical_decision_published": ("lexical_decision/pairs.csv", "line 3: field 'lexeme'"),
    "dialogue_words": ("pairs.parquet", "held-out pair 2: field 'chosen'"),
    "reading": (f"{EVALUATION}/reading/reading_data.csv", "line 3: field 'word'"),
    "aoa_surprisal": (f"{EVALUATION}/cdi_childes/cdi_childes.json", "'dog', context 2: field 'context'"),
    "aoa": (f"{EVALUATION}/cdi_childes/cdi_human.csv", "line 3: field 'word'"),
}
LONG = "the little red ball " * 8


def write(name: str, folder: Path, text: str | None) -> Path:
    """The suite's file with two items, `text` in a field of the second; None leaves the field out."""
    path = folder / (LINES | OTHERS)[name][0]
    path.parent.mkdir(parents=True, exist_ok=True)
    if name in LINES:
        _, record, field = LINES[name]
        spoilt = {key: text if key == field else value for key, value in record.items() if text or key != field}
        if text == "":
            spoilt[field] = " "
        path.write_text("".join(json.dumps(own) + "\n" for own in (record, spoilt)))
    elif name == "zorro":
        path.write_text("the dog\na dog\nthe ball\n" + ("" if text is None else f"{text}\n"))
    elif name == "dialogue_words":
        pairs = pd.DataFrame([TALK, {**TALK, "chosen": text}]).assign(part="heldout")
        (pairs.drop(columns="chosen") if text is None else pairs).to_parquet(path)
    elif name == "lexical_decision_published":
        path.write_text("lexeme,wug\nthe,gdo\n" + f"{text},zqx\n" if text is not None else "wug\ngdo\n")
    elif name == "reading":
        table = reading_table(20)
        table.loc[1, "word"] = text
        (table.drop(columns="word") if text is None else table).to_csv(path)
    elif name == "aoa_surprisal":
        second = {"context": text} if text is not None else {}
        path.write_text(json.dumps({"dog": [{"context": "the"}, second]}))
    elif name == "aoa":
        path.write_text(f"word,16,17\ndog,0.1,0.9\n{text},0.2,0.8\n" if text is not None else "16,17\n0.1,0.9\n")
    return path


def read(name: str, folder: Path) -> pd.DataFrame:
    suite = registry.load(name)
    if suite.needs:
        return suite.read({"pairs": [folder / "pairs.parquet"]})
    return suite.read({"mirror": suite.mirror_files(folder)})


@pytest.mark.parametrize("name", LINES)
def test_missing_field(name, tmp_path):
    path = write(name, tmp_path, None)
    with pytest.raises(UserError, match=rf"{path}, line 2: field '{LINES[name][2]}' is missing"):
        read(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zorro", "3 lines; bad and good sentences must alternate"),
        ("dialogue_words", "no column 'chosen'"),
        ("lexical_decision_published", "no column 'lexeme'"),
        ("reading", "no column 'word'"),
        ("aoa_surprisal", "'dog', context 2: field 'context' is missing"),
        ("aoa", "expected a column 'word'"),
    ],
)
def test_missing_field_elsewhere(name, message, tmp_path):
    path = write(name, tmp_path, None)
    with pytest.raises(UserError, match=f"{path}.*{message}"):
        read(name, tmp_path)


@pytest.mark.parametrize("name", [*LINES, *OTHERS])
def test_empty_string(name, tmp_path):
    path = write(name, tmp_path, "")
    place = f"line 2: field '{LINES[name][2]}'" if name in LINES else OTHERS[name][1]
    with pytest.raises(UserError, match=rf"{path}, {place} is empty"):
        read(name, tmp_path)


def spoil(name: str, folder: Path, change) -> Path:
    """The suite's file with two sound items, its bytes changed."""
    path = write(name, folder, "juice\tball" if name.startswith("wug") else "juice")
    path.write_bytes(change(path.read_bytes()))
    return path


IN_TEXT = [name for name in (*LINES, *OTHERS) if name != "dialogue_words"]
IN_JSON = [*LINES, "aoa_surprisal"]
IN_CSV = [name for name in OTHERS if OTHERS[name][0].endswith(".csv")]


@pytest.mark.parametrize("name", IN_TEXT)
def test_a_byte_order_mark_is_no_text(name, tmp_path):
    spoil(name, tmp_path / "plain", lambda content: content)
    spoil(name, tmp_path / "marked", lambda content: b"\xef\xbb\xbf" + content)
    plain, marked = read(name, tmp_path / "plain"), read(name, tmp_path / "marked")
    assert "\ufeff" not in marked.to_json(force_ascii=False)
    pd.testing.assert_frame_equal(plain, marked)


@pytest.mark.parametrize("name", IN_TEXT)
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: content.decode().encode("utf-16"), "it is not UTF-8 but UTF-16"),
        (lambda content: content.replace(b"juice", b"ju\xefce"), r"line \d+: it is not UTF-8"),
        (lambda content: content.replace(b"juice", b"ju\0ce"), r"line \d+: a NUL character"),
    ],
    ids=["UTF-16", "latin-1", "NUL"],
)
def test_what_is_no_text(name, change, problem, tmp_path):
    path = spoil(name, tmp_path, change)
    with pytest.raises(UserError, match=f"^{path}(: |, ){problem}") as caught:
        read(name, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", IN_JSON)
def test_half_a_character(name, tmp_path):
    path = spoil(name, tmp_path, lambda content: content.replace(b"juice", rb"ju\ud83dce"))
    with pytest.raises(UserError, match=rf"^{path}, line \d: \\ud83d is half a character"):
        read(name, tmp_path)


@pytest.mark.parametrize("name", IN_CSV)
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda head, rest: f"{head},{head.split(',')[-1]}\n{rest}", "the header names the column '.*' twice"),
        (lambda head, rest: f'{head}\n{rest}"a\n', "not a CSV table: "),
        (lambda head, rest: "", "not a CSV table: No columns"),
    ],
    ids=["repeated column", "open quotes", "empty"],
)
def test_a_table_that_is_none(name, change, problem, tmp_path):
    path = spoil(name, tmp_path, lambda content: change(*content.decode().split("\n", 1)).encode())
    with pytest.raises(UserError, match=f"^{path}: {problem}") as caught:
        read(name, tmp_path)
    assert "\n" not in str(caught.value)


def test_zorro_lines_end_at_line_feeds_alone(tmp_path):
    path = tmp_path / "zorro/one.txt"
    path.parent.mkdir()
    path.write_bytes("the\u2028dog\r\na dog\r\nthe\x85ball\r\na\fball\r\n".encode())
    assert read("zorro", tmp_path)["candidates"].tolist() == [
        ["a dog", "the\u2028dog"],
        ["a\fball", "the\x85ball"],
    ]


TOO_LONG = {name: "one_2" for name in LINES} | {
    "zorro": "one_2",
    "lexical_decision_published": "pair_2",
    "dialogue_words": "pair_2",
    "reading": "word_2",
    "aoa_surprisal": "dog_2",
}


@pytest.mark.parametrize("name", TOO_LONG)
def test_too_long_a_string_names_suite_and_item(name, tmp_path):
    write(name, tmp_path, f"{LONG}\t{LONG}" if name.startswith("wug") else LONG)
    items = read(name, tmp_path)
    message = rf"^{name}: item {TOO_LONG[name]}: \d+ tokens, but the model takes at most 20"
    with pytest.raises(UserError, match=message):
        registry.load(name).evaluate(make_model(positions=20), TOKENIZERS["bos"], items)


@pytest.mark.parametrize("name", ["blimp", "blimp_supplement", "zorro", "lexical_decision_published", "wug_past"])
def test_one_token_without_a_beginning_scores_zero(name, tmp_path):
    write(name, tmp_path, "dog\tthe" if name.startswith("wug") else "dog")
    suite = registry.load(name)
    scores = suite.evaluate(make_model(), TOKENIZERS["plain"], read(name, tmp_path))
    column = "scores_no_bos" if name == "lexical_decision_published" else "scores"
    assert 0.0 in scores[column].iloc[1]
    assert suite.rows(scores)
