"""`babylogue score`: against transformers alone, minicons, and the suites of the workflow."""

import csv
import json
import math
import subprocess
import sys

import pandas as pd
import pytest
import torch
from minicons.scorer import IncrementalLMScorer
from transformers import AutoModelForCausalLM, AutoTokenizer

from babylogue.cli.main import COMMANDS, main
from babylogue.cli.sentences import read_sentences
from support.command_line import babylogue, refused

SENTENCES = ["where is the ball ?", "ball the is where ?", '*CHI: look , a "dog" .', "dog"]


@pytest.fixture(scope="module")
def base(small):
    """A real pre-trained model, tiny."""
    return small.folder / "results/models/base/seed0/final"


@pytest.fixture(scope="module")
def loaded(base):
    return AutoModelForCausalLM.from_pretrained(base).eval(), AutoTokenizer.from_pretrained(base)


def log_probability(loaded, text: str, after: str = "") -> tuple[float, int]:
    """Sum over the tokens of `text` that come after the context `after`, and how many; transformers alone."""
    model, tokenizer = loaded
    ids = tokenizer(after + text, return_tensors="pt").input_ids
    before = len(tokenizer(after).input_ids) if after else 1
    with torch.no_grad():
        table = model(ids).logits[0].double().log_softmax(-1)
    own = [float(table[place - 1, ids[0, place]]) for place in range(before, ids.shape[1])]
    return sum(own), len(own)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_there_at_once_with_examples(command):
    program = (
        "import sys\nfrom babylogue.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'transformers', 'pandas', 'snakemake'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    examples = done.stdout.split("examples:\n")[1].splitlines()
    assert examples and all(f"babylogue {command}" in line for line in examples)


def test_sentences_as_transformers_and_minicons_score_them(small, base, loaded, tmp_path):
    with open(tmp_path / "own.csv", "w", newline="", encoding="utf-8-sig") as file:
        table = csv.writer(file)
        table.writerow(["item", "sentence"])
        table.writerows(enumerate(SENTENCES))
    out = tmp_path / "scored.parquet"
    arguments = ("score", "base/final", tmp_path / "own.csv", "--results", small.folder / "results")
    done = babylogue(*arguments, "--json", "--out", out)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["model"] == str(base)
    assert [row["sentence"] for row in found["items"]] == SENTENCES
    assert [row["item"] for row in found["items"]] == ["0", "1", "2", "3"]
    model, tokenizer = loaded
    peer = IncrementalLMScorer(model, "cpu", tokenizer=tokenizer)
    # The tokenizer puts the beginning of sequence in front by itself, for both.
    sums = peer.sequence_score(SENTENCES, reduction=lambda values: values.sum().item())
    for row, sentence, peers in zip(found["items"], SENTENCES, sums, strict=True):
        total, tokens = log_probability(loaded, sentence)
        assert row["tokens"] == tokens
        assert row["log_probability"] == pytest.approx(total, abs=1e-3)
        assert row["log_probability"] == pytest.approx(peers, abs=1e-3)
        assert row["per_token"] == pytest.approx(total / tokens, abs=1e-3)
        assert row["surprisal_bits"] == pytest.approx(-total / math.log(2), abs=2e-3)
    pd.testing.assert_frame_equal(pd.read_parquet(out), pd.DataFrame(found["items"]))


def test_pairs_are_decided_as_the_suites_decide_them(small, tmp_path):
    results = small.folder / "results"
    items = pd.read_parquet(results / "suites/toy_grammar.parquet")
    good, bad = zip(*items["candidates"], strict=True)
    pairs = pd.DataFrame({"UID": items["group"], "sentence_good": good, "sentence_bad": bad, "n": items.index})
    pairs.to_json(tmp_path / "pairs.jsonl", orient="records", lines=True)
    out = tmp_path / "scored.csv"
    done = babylogue("score", "base", tmp_path / "pairs.jsonl", "--results", results, "--out", out)
    assert done.returncode == 0, done.stderr
    head, *lines, last = [line for line in done.stdout.splitlines() if line]
    assert head.split() == ["group", "accuracy", "95", "%", "interval", "pairs"]
    assert last == f"{len(items)} lines in {out}"
    wanted = json.loads((results / "scores/base/seed0/final/toy_grammar.json").read_text())["rows"]
    assert [line.split() for line in lines] == [
        [row["group"], f"{row['value']:.1f}", f"{row['ci_low']:.1f}", "to", f"{row['ci_high']:.1f}", str(row["n"])]
        for row in wanted
        if row["metric"] == "accuracy_ties_half"
    ]
    decided = pd.read_parquet(results / "scores/base/seed0/final/toy_grammar.parquet")["correct"]
    written = pd.read_csv(out)
    assert ((written["preferred"] == "good") == decided).all()
    assert (written["n"] == items.index).all() and (written["group"] == items["group"]).all()
    differences = written["log_probability_good"] - written["log_probability_bad"]
    assert differences.to_numpy() == pytest.approx(written["difference"].to_numpy())


def test_columns_of_the_other_kind_of_result_are_carried_along(base, tmp_path, capsys):
    file = tmp_path / "own.jsonl"
    rows = [{"sentence": "look !", "preferred": "mine", "group": "all"}, {"sentence": "no .", "group": None}]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert main(["score", str(base), str(file), "--json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert [(row["preferred"], row["group"]) for row in items] == [("mine", "all"), (None, None)]


def test_a_tie_counts_half_and_groups_without_a_name_are_one(base, tmp_path, capsys):
    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()  # every token is as probable as any other
    model.save_pretrained(tmp_path / "even")
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path / "even")
    file = tmp_path / "own.csv"
    file.write_text("good,bad,group\nlook !,look .,\nlook !,look look look !,\n")
    assert main(["score", str(tmp_path / "even"), str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["difference"] > 0, row["preferred"]) for row in found["items"]] == [
        (False, "neither"),
        (True, "good"),
    ]
    (row,) = found["accuracy"]
    assert (row["group"], row["value"], row["n"]) == ("all", 75.0, 2)


def test_a_run_is_taken_at_the_checkpoint_that_the_report_judges_it_by(small, tmp_path, capsys):
    (tmp_path / "models").symlink_to(small.folder / "results/models")
    (tmp_path / "own.txt").write_text("look !\n")

    def scored():
        assert main(["score", "dpo_natural", str(tmp_path / "own.txt"), "--json", "--results", str(tmp_path)]) == 0
        return json.loads(capsys.readouterr().out)["model"]

    folder = f"{tmp_path}/models/dpo_natural/seed0"
    assert scored() == f"{folder}/best"  # without a report by its method
    table = pd.read_csv(small.folder / "results/report/models.csv").set_index("run")
    table.loc["dpo_natural", "checkpoint"] = "final"
    (tmp_path / "report").mkdir()
    table.to_csv(tmp_path / "report/models.csv")
    assert scored() == f"{folder}/final"


def test_what_comes_after_a_context_and_the_table_that_is_printed(base, loaded, tmp_path, capsys):
    context, good, bad = "*MOT: where is the ball ?", "*CHI: there .", "*CHI: dog is ."
    file = tmp_path / "pairs.tsv"
    file.write_text(f"context\tgood\tbad\n{context}\t{good}\t{bad}\n\t{good}\t{bad}\n")
    assert main(["score", str(base), str(file)]) == 0
    columns, *rows, head, accuracy = filter(None, capsys.readouterr().out.splitlines())
    assert columns.split()[:3] == ["context", "good", "bad"] and columns.split()[-2:] == [
        "difference",
        "preferred",
    ]
    for line, before in zip(rows, (context, ""), strict=True):
        numbers = [float(number) for number in line.split()[-6:-1]]
        for text, found, count in zip((good, bad), numbers[:2], numbers[2:4], strict=True):
            total, tokens = log_probability(loaded, f" {text}" if before else text, before)
            assert (found, count) == (pytest.approx(total, abs=2e-3), tokens)
    assert head.startswith("group")
    assert (accuracy.split()[0], accuracy.split()[-1]) == ("all", "2")


def test_a_sentence_that_is_too_long_is_named_by_its_line(base, tmp_path, capsys):
    (tmp_path / "own.txt").write_text("\n".join(["look !", "", "dog " * 2000, "no ."]))
    assert main(["score", str(base), str(tmp_path / "own.txt")]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert f"babylogue: {tmp_path}/own.txt: item in line 3: " in told.err
    assert "the model takes at most" in told.err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "text,item\nlook !,1\n", "line 2: no column 'sentence' among text, item"),
        ("a.csv", "good,item\nlook !,1\n", "line 2: no column 'bad' among good, item"),
        ("a.csv", "sentence\nlook !\n  \n", "line 3: 'sentence' is empty"),
        ("a.csv", "sentence,item\nlook , a dog !,1\n", "line 2: more cells than the header"),
        ("a.csv", "good,bad\nlook !,look !\n", "line 2: good and bad are the same"),
        ("a.csv", "sentence\n", "holds no sentence"),
        ("a.csv", "sentence,tokens\nlook !,own\n", "line 2: the result has a column 'tokens' too; rename it"),
        ("a.csv", "good,bad,preferred\na,b,x\n", "line 2: the result has a column 'preferred' too"),
        ("a.jsonl", '{"sentence": "a"}\n{"sentence": "a", "per_token": 1}\n', "line 2: the result has a column"),
        ("a.csv", "good,bad,group\na,b,one\na,b,all\n", "line 3: 'group' is 'all', as the mean over groups"),
        ("a.jsonl", '{"good": "a", "bad": "b", "UID": "all"}\n', "line 1: 'group' is 'all', as the mean"),
        (
            "a.csv",
            "good,bad,group\na,b,\na,b,one\n",
            "line 2: no 'group'; name one for every pair, or none at all",
        ),
        ("a.jsonl", '{"sentence": "look !"}\n{"sentence": 3}\n', "line 2: 'sentence' is no text"),
        ("a.jsonl", '\n["look !"]\n', "line 2: not a JSON object"),
        ("a.jsonl", "look !\n", "line 1: not JSON"),
        ("a.jsonl", '{"sentence": "no ."}\n{"sentence": "a \\ud83d ."}\n', r"line 2: \ud83d is half a character"),
        ("a.jsonl", '{"sentence": "a .", "of": {"\\uDE00": 1}}\n', r"line 1: \ude00 is half a character"),
        (
            "a.jsonl",
            '{"good": "a .", "good": "b .", "bad": "c ."}\n',
            "line 1: an object has the field 'good' twice",
        ),
        ("a.jsonl", '{"sentence": "a .", "n": ' + "9" * 5000 + "}\n", "line 1: a number is too long"),
        ("a.jsonl", '{"sentence": "a .", "n": ' + "[" * 100_000 + "\n", "line 1: a number is too long, or values"),
        ("a.csv", "good,bad, good\na .,b .,note\n", "the header names the column 'good' twice"),
        ("a.csv", "sentence,sentence\na .,note\n", "the header names the column 'sentence' twice"),
        ("a.tsv", "sentence\t\t\na .\t\t\n", "the header has several columns without a name"),
        ("a.txt", "look !\n".encode("utf-16"), "it is not UTF-8 but UTF-16"),
        ("a.csv", "sentence\nlook !\n".encode("utf-16-le"), "line 1: a NUL character"),
        ("a.txt", "look !\rno .\r", "line 1: a carriage return inside of it"),
        ("a.txt", b"look !\ncaf\xe9\n", "line 2: it is not UTF-8"),
        ("a.txt", b"caf\xe9\n", "not UTF-8"),
        ("a.txt", None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_scored_is_told_in_a_line(base, tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refused("score", base, tmp_path / name)
    assert message.startswith(f"babylogue: {tmp_path / name}") and said in message


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\f", "\x1c", "\v"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "look {} here !\r\nno .\r\n"),
        ("a.csv", "sentence\r\nlook {} here !\r\nno .\r\n"),
        ("a.jsonl", '{{"sentence": "look {} here !"}}\n{{"sentence": "no ."}}\n'),
    ],
)
def test_lines_end_at_line_feeds_alone(tmp_path, name, content, mark):
    if name.endswith(".jsonl") and mark < " ":
        mark = json.dumps(mark)[1:-1]
    (tmp_path / name).write_bytes(content.format(mark).encode("utf-8-sig"))
    sentences = [record.columns["sentence"] for record in read_sentences(str(tmp_path / name)).records]
    assert len(sentences) == 2
    assert (sentences[0].split(), sentences[1]) == (["look", "here", "!"], "no .")


def test_names_and_arguments_that_are_wrong(base, tmp_path):
    (tmp_path / "own.txt").write_text("look !\n")
    assert "neither a model folder nor a run" in refused("score", "nothing", tmp_path / "own.txt")
    assert "standard input, line 2: 'bad' is empty" in refused(
        "score", base, "-", "--format", "csv", given="good,bad\nlook !,\n"
    )
    assert "the suffix must be one of" in refused("score", base, tmp_path / "own.txt", "--out", "own.doc")
    itself = ("--out", tmp_path / "own.csv")
    assert "that is the file to score" in refused("score", base, tmp_path / "own.csv", *itself)
    assert "required: FILE" in refused("score", base, status=2)
