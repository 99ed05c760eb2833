"""Pairs made elsewhere: from a file, and from the Hugging Face Hub (here on loopback)."""

import json
import os
import subprocess
import sys
import threading

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from babylogue.errors import UserError
from babylogue.preferences.given import given_pairs
from babylogue.preferences.settings import GivenPairs
from support.command_line import babylogue
from support.hub_server import Hub
from support.project import copy_of
from support.small_workflow import OVERLAY

PAIRS = [
    {"prompt": f"*MOT: {prompt} ?", "chosen": f"*CHI: a {number} .", "rejected": "*CHI: no .", "id": number}
    for number, prompt in enumerate(["who", "what", "where", "Who", "when"] * 4)
]


def given(**settings) -> pd.DataFrame:
    pairs, filters = given_pairs(GivenPairs(kind="given", **settings))
    assert filters.candidates - sum(filters.removed.values()) == len(pairs)
    return pairs


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet"])
def test_any_usual_format_gives_the_same_pairs(ending, tmp_path):
    path, table = tmp_path / f"pairs.{ending}", pd.DataFrame(PAIRS)
    match ending:
        case "json":
            path.write_text(json.dumps(PAIRS))
        case "jsonl":
            path.write_text("\n".join(map(json.dumps, PAIRS)))
        case "csv":
            table.to_csv(path, index=False)
        case "parquet":
            table.to_parquet(path)
    pairs = given(path=str(path), part="test")
    assert list(pairs.columns) == ["prompt", "chosen", "rejected", "part"]
    assert pairs[["prompt", "chosen", "rejected"]].to_dict("list") == table.drop(columns="id").to_dict("list")
    assert set(pairs["part"]) == {"heldout"}


@pytest.mark.parametrize("name", ["pairs [1].jsonl", "pairs*.jsonl", "PAIRS.JSONL", "pairs.json"])
def test_any_name_and_a_byte_order_mark(name, tmp_path):
    (tmp_path / name).write_text("\n".join(map(json.dumps, PAIRS)), encoding="utf-8-sig")
    (tmp_path / "pairs.other.jsonl").write_text("{")
    pairs = given(path=str(tmp_path / name), part="test")
    assert pairs["prompt"].tolist() == [pair["prompt"] for pair in PAIRS]


HEAD = "prompt,chosen,rejected"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.jsonl", json.dumps(PAIRS[0]).replace("who", r"who \ud83d"), r"line 1: \\ud83d is half a character"),
        ("a.json", json.dumps(PAIRS, indent=1).replace("*CHI: a 2", r"*CHI: \udE00"), r"line 16: \\ude00 is half"),
        (
            "a.jsonl",
            '{"prompt": "*MOT: a", "prompt": "*MOT: b"}',
            "line 1: an object has the field 'prompt' twice",
        ),
        ("a.jsonl", "[]\n{}\n", "line 2: not JSON"),
        ("a.jsonl", "3\n", "line 1: not a JSON object"),
        ("a.json", "[3]", "entry 1: not a JSON object"),
        ("a.csv", f"{HEAD},chosen\n*MOT: a,*CHI: b,*CHI: c,note\n", "the header names the column 'chosen' twice"),
        ("a.csv", f"{HEAD}\n*MOT: a,*CHI: b,*CHI: c,d\n", "line 2: more cells than the header"),
        ("a.csv", f"{HEAD}\n*MOT: a,*CHI: b,*CHI: c\n".encode("utf-16"), "it is not UTF-8 but UTF-16"),
        ("a.csv", f"{HEAD}\n*MOT: a\0,*CHI: b,*CHI: c\n", "line 2: a NUL character"),
        ("a.parquet", "PAR1", "cannot be read as a set of pairs: "),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_a_line(name, content, problem, tmp_path):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=rf"{name}(: |, ){problem}") as caught:
        given(path=str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_parquet_file_with_two_columns_of_one_name(tmp_path):
    names = ["prompt", "chosen", "rejected", "chosen"]
    pq.write_table(
        pa.table([["*MOT: a"], ["*CHI: b"], ["*CHI: c"], ["note"]], names=names), tmp_path / "a.parquet"
    )
    with pytest.raises(UserError, match=r"a\.parquet: the header names the column 'chosen' twice"):
        given(path=str(tmp_path / "a.parquet"))


def test_whole_prompts_are_held_out(tmp_path):
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(PAIRS))
    pairs = given(path=str(path), heldout_share=0.3, seed=1)
    parts = pairs.groupby(pairs["prompt"].str.casefold())["part"].unique()
    assert all(len(own) == 1 for own in parts)
    assert {own[0] for own in parts} == {"train", "heldout"}


def test_pairs_that_the_test_part_has_are_not_trained_on(tmp_path):
    path = tmp_path / "pairs.json"
    rows = [
        ("what is that ?", "a dog .", "no ."),  # the exchange
        ("What is that ?", "a cat .", "no ."),  # its prompt, a short one
        ("where did you put it ?", "there .", "no ."),  # a longer prompt
        ("who ?", "I want to go home .", "no ."),  # a longer reply
        ("who ?", "me .", "I want to go home ."),
        ("who ?", "you .", "no ."),
    ]
    columns = ("prompt", "chosen", "rejected")
    tags = ("*FAT: ", "*CHI: ", "*CHI: ")
    table = [{name: tag + own for name, tag, own in zip(columns, tags, row, strict=True)} for row in rows]
    path.write_text(json.dumps(table))
    turns = ["what is that ?", "Where did you put it ?", "what now ?"]
    test = pd.DataFrame({"turn": turns, "reply": ["a dog .", "in there .", "I want to go home ."]})
    pairs, filters = given_pairs(GivenPairs(kind="given", path=str(path)), test)
    assert filters.removed == {"equal_replies": 0, "in_the_test_part": 4}
    assert pairs["chosen"].tolist() == ["*CHI: a cat .", "*CHI: you ."]


def test_a_part_of_a_set_is_drawn_by_its_seed(tmp_path):
    path = tmp_path / "pairs.json"
    path.write_text(
        json.dumps([pair | {"prompt": f"{pair['prompt']} {place}"} for place, pair in enumerate(PAIRS)])
    )
    drawn = [given(path=str(path), max_pairs=7, seed=seed) for seed in (0, 0, 1)]
    assert [len(pairs) for pairs in drawn] == [7, 7, 7]
    assert drawn[0].equals(drawn[1])
    assert set(drawn[0]["prompt"]) != set(drawn[2]["prompt"])
    assert given(path=str(path), max_pairs=100)["prompt"].tolist() == given(path=str(path))["prompt"].tolist()


def test_a_dataset_of_the_hub(tmp_path):
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.datasets["someone/pairs"] = {"pairs.json": json.dumps(PAIRS).encode()}
        # Both libraries read the address when they are loaded.
        environment = os.environ | {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
        code = (
            "import sys; from babylogue.preferences.given import given_pairs;"
            "from babylogue.preferences.settings import GivenPairs;"
            "given_pairs(GivenPairs(kind='given', hub=sys.argv[1], part='test'))[0].to_parquet(sys.argv[2])"
        )

        def read(name):
            command = [sys.executable, "-c", code, name, str(tmp_path / "pairs.parquet")]
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

        assert read("someone/pairs").returncode == 0
        missing = read("someone/other")
        server.shutdown()
    assert pd.read_parquet(tmp_path / "pairs.parquet")["prompt"].tolist() == [pair["prompt"] for pair in PAIRS]
    assert (
        "someone/other: cannot be read as a set of pairs: Dataset 'someone/other' doesn't exist" in missing.stderr
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[{"prompt": "*MOT: who ?", "chosen": "*CHI: I ."}]', r"pairs\.json: no field 'rejected'"),
        (
            json.dumps([*PAIRS, PAIRS[0] | {"chosen": "me ."}]),
            r"pairs\.json, pair 21: field 'chosen' must be",
        ),
        (json.dumps([PAIRS[0] | {"rejected": None}]), r"pairs\.json, pair 1: field 'rejected' must be a turn"),
        ("{", r"pairs\.json, line 1: not JSON"),
    ],
)
def test_mistakes_name_file_pair_and_field(content, problem, tmp_path):
    path = tmp_path / "pairs.json"
    path.write_text(content)
    with pytest.raises(UserError, match=problem):
        given(path=str(path))


def test_a_file_that_is_not_there_or_of_another_kind(tmp_path):
    with pytest.raises(UserError, match=r"absent\.json: no such file"):
        given(path=str(tmp_path / "absent.json"))
    (tmp_path / "pairs.xlsx").write_text("")
    with pytest.raises(UserError, match=r"pairs\.xlsx: expected a file ending in \.json"):
        given(path=str(tmp_path / "pairs.xlsx"))


@pytest.mark.parametrize("part", ["tune", "test"])
def test_pairs_with_equal_replies_are_left_out_and_counted(part, tmp_path, caplog):
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps([*PAIRS, PAIRS[0] | {"rejected": f"{PAIRS[0]['chosen']} "}]))
    with caplog.at_level("WARNING"):
        pairs, filters = given_pairs(GivenPairs(kind="given", path=str(path), part=part))
    assert filters.removed == {"equal_replies": 1}
    assert len(pairs) == len(PAIRS)
    assert f"{path}: 1 pairs left out, whose replies are equal" in caplog.text


@pytest.mark.slow
def test_pairs_of_ones_own_are_a_suite_of_their_name(small, tmp_path):
    workflow = copy_of(small, tmp_path)
    pd.DataFrame(PAIRS).to_csv(tmp_path / "mine.csv", index=False)
    config = yaml.safe_load(workflow.read("small.yaml"))
    config["pairs"]["mine"] = {"kind": "given", "path": "mine.csv", "part": "test"}
    grid = {"checkpoints": ["kept"], "suites": ["mine"], "models": ["base", "dpo_natural", "ppo_bleu"]}
    config["evaluate"]["scores"].append(grid)
    workflow.write("small.yaml", yaml.safe_dump(config))
    tables = [
        f"results/report/{name}" for name in ("scores.csv", "comparisons.csv", "baselines.csv", "index.html")
    ]
    workflow.snakemake("--cores", "1", *OVERLAY, "--", *tables)
    scores, comparisons, baselines = (pd.read_csv(workflow.folder / name) for name in tables[:3])
    own = scores.query("suite == 'mine' and metric == 'accuracy' and group == 'all'")
    assert set(own["run"]) == {"base", "dpo_natural", "ppo_bleu"} and set(own["n"]) == {len(PAIRS)}
    assert set(comparisons.query("suite == 'mine'")["run"]) == {"dpo_natural", "ppo_bleu"}
    assert set(baselines.query("suite == 'mine'")["trained_on"]) == {"natural"}
    assert "Dialogue minimal pairs made elsewhere" in workflow.read(tables[3])
    assert workflow.planned(*OVERLAY, "--", *tables) == {}
    done = babylogue("compare", "dpo_natural", "base", "--suite", "mine", "--results", workflow.folder / "results")
    assert done.returncode == 0 and "mine " in done.stdout, done.stderr
