"""Each suite on a handful of hand-made items, its aggregate by hand, and malformed input."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
import torch

from babylogue.errors import UserError
from babylogue.scoring.scorer import Scorer
from babylogue.suites import glue, reading, registry
from babylogue.suites.base import accuracy_rows, decide
from support.reading_table import reading_table
from support.reference_scores import corrected_reference, reference
from support.tiny_scorers import TOKENIZERS, make_model

MIRROR = Path(os.environ.get("BABYLOGUE_MIRROR", "data"))
MODEL = make_model(positions=512)
TOKENIZER = TOKENIZERS["bos"]
BLIMP = {"sentence_good": "the dogs run home .", "sentence_bad": "the dogs runs home .", "UID": "agreement"}


def write(path: Path, records) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def read(name: str, mirror: Path) -> pd.DataFrame:
    suite = registry.load(name)
    return suite.read({"mirror": suite.mirror_files(mirror)})


def expected_scores(items: pd.DataFrame, of) -> list[list[float]]:
    model = make_model(positions=512)
    return [
        [of(model, TOKENIZER, context, text) for context, text in zip(contexts, candidates, strict=True)]
        for contexts, candidates in zip(items["contexts"], items["candidates"], strict=True)
    ]


def value(rows: list[dict], group: str = "all", metric: str = "accuracy"):
    (row,) = [row for row in rows if row["group"] == group and row["metric"] == metric]
    return row["value"]


def run(name: str, items: pd.DataFrame, tmp_path: Path):
    """Through parquet, as the workflow does; checks scores against the reference."""
    suite = registry.load(name)
    items.to_parquet(tmp_path / "items.parquet")
    items = pd.read_parquet(tmp_path / "items.parquet")
    scores = suite.evaluate(MODEL, TOKENIZER, items, 4096)
    rules = {
        "": lambda *item: reference(*item)[0],
        "_word_corrected": corrected_reference,
        "_word_corrected_minicons": partial(corrected_reference, correction="minicons"),
    }
    for rule, of in rules.items():
        if f"scores{rule}" in scores:
            for own, expected in zip(scores[f"scores{rule}"], expected_scores(items, of), strict=True):
                np.testing.assert_allclose(own, expected, atol=1e-4)
    scores.to_parquet(tmp_path / "scores.parquet")
    rows = suite.rows(pd.read_parquet(tmp_path / "scores.parquet"))
    json.dumps(rows, allow_nan=False)
    return scores, rows


@pytest.mark.parametrize("name", registry.NAMES)
def test_registry(name):
    suite = registry.load(name)
    assert suite.name == name
    assert suite.description
    assert not (suite.files and suite.needs)
    assert (suite.combiner is not None) == (name in registry.COMBINATIONS)


def test_every_task_of_glue_is_a_part_of_it():
    assert registry.COMBINATIONS["glue"].parts == tuple(f"glue_{task}" for task in glue.TASKS)
    assert set(registry.COMBINATIONS["glue"].parts) < set(registry.NAMES)


def test_unknown_suite():
    with pytest.raises(UserError, match="suite 'blump' is unknown; the suites are blimp,"):
        registry.load("blump")


def test_blimp(tmp_path):
    folder = tmp_path / "evaluation_data/full_eval/blimp_filtered"
    write(folder / "one.jsonl", [BLIMP, {**BLIMP, "sentence_good": "look at the ball .", "UID": "agreement"}])
    write(folder / "two.jsonl", [{**BLIMP, "UID": "other"}])
    items = read("blimp", tmp_path)
    assert items["group"].tolist() == ["agreement", "agreement", "other"]
    assert items["contexts"].iloc[0] == ["", ""]
    assert items["candidates"].iloc[0] == [BLIMP["sentence_good"], BLIMP["sentence_bad"]]
    scores, rows = run("blimp", items, tmp_path)
    correct = [own[0] >= own[1] for own in scores["scores"]]
    assert scores["correct"].tolist() == correct
    assert value(rows) == pytest.approx(100 * ((correct[0] + correct[1]) / 2 + correct[2]) / 2)


def test_supplement_takes_the_file_as_group(tmp_path):
    pair = {"sentence_good": "A: who ?\nB: the dog .", "sentence_bad": "A: who ?\nB: home ."}
    write(tmp_path / "evaluation_data/fast_eval/supplement_fast/turn_taking.jsonl", [pair])
    items = read("blimp_supplement_fast", tmp_path)
    assert items["group"].tolist() == ["turn_taking"]
    run("blimp_supplement_fast", items, tmp_path)


def test_ewok_scores_the_target_after_the_first_context(tmp_path):
    item = {
        "Domain": "spatial",
        "Context1": "the dog runs .",
        "Context2": "the ball .",
        "Target1": "it is home .",
        "Target2": "it is red .",
    }
    write(tmp_path / "evaluation_data/full_eval/ewok_filtered/spatial.jsonl", [item])
    items = read("ewok", tmp_path)
    assert items["contexts"].iloc[0] == ["the dog runs ."] * 2
    assert items["candidates"].iloc[0] == [" it is home .", " it is red ."]
    run("ewok", items, tmp_path)


def test_comps_groups_and_span(tmp_path):
    record = {"prefix_acceptable": "the dog", "prefix_unacceptable": "the cup", "property_phrase": "runs home ."}
    folder = tmp_path / "evaluation_data/full_eval/comps"
    for stem in ("comps_base", "comps_wugs", "comps_wugs_dist-before", "comps_wugs_dist-in-between"):
        write(folder / f"{stem}.jsonl", [record])
    items = read("comps", tmp_path)
    assert items["group"].tolist() == ["base", "wugs", "wugs_dist_before", "wugs_dist_in_between"]
    scores, _ = run("comps", items, tmp_path)
    phrase = len(TOKENIZERS["plain"]("runs home .")["input_ids"])
    assert scores["tokens"].iloc[0] == [phrase, phrase]


def test_entity_tracking_is_a_mean_over_splits_of_means_over_operations(tmp_path):
    folder = tmp_path / "evaluation_data/full_eval/entity_tracking"
    record = {"input_prefix": "Box 0 contains ", "options": ["the dog .", "the ball .", "juice ."], "numops": 0}
    for split in ("regular", "ambiref", "move_contents"):
        write(folder / f"{split}.jsonl", [record, {**record, "numops": 3}])
    items = read("entity_tracking", tmp_path)
    assert items["group"].tolist()[-1] == "regular_3_ops"
    run("entity_tracking", items, tmp_path)
    groups = ["regular_0_ops"] * 2 + ["regular_1_ops"] + ["ambiref_0_ops"] * 4 + ["move_contents_2_ops"]
    correct = [True, False, True, True, False, False, False, True]
    made = pd.DataFrame({"item": range(8), "group": groups, "correct": correct, "credit": np.float64(correct)})
    # (mean(1/2, 1) + 1/4 + 1) / 3
    assert value(registry.load("entity_tracking").rows(made)) == pytest.approx(100 * 2 / 3)


def test_wug_is_spearman_of_softmax_and_ratio(tmp_path):
    lines = [("the dogs", "the dogses", 0.9), ("red ball", "ball red", 0.2), ("a cookie", "cookie a", 0.5)]
    records = [{"sentences": f"{first}\t{second}", "ratio": ratio} for first, second, ratio in lines]
    write(tmp_path / "evaluation_data/full_eval/wug_adj_nominalization/wug.jsonl", records)
    items = read("wug_adj", tmp_path)
    assert items["value"].tolist() == [0.9, 0.2, 0.5]
    scores, _ = run("wug_adj", items, tmp_path)
    first, second = np.array(scores["scores"].tolist()).T
    np.testing.assert_allclose(scores["probability"], np.exp(first) / (np.exp(first) + np.exp(second)), atol=1e-9)
    made = scores.assign(probability=[0.1, 0.3, 0.2], value=[0.9, 0.2, 0.5])
    assert value(registry.load("wug_adj").rows(made), metric="spearman") == pytest.approx(-1)
    assert value(registry.load("wug_adj").rows(made.assign(probability=0.5)), metric="spearman") is None


def test_zorro_reads_bad_before_good_and_lowers_case(tmp_path):
    (tmp_path / "zorro").mkdir()
    lines = ["Look at this dogs .", "Look at this dog ."] + ["bad .", "good ."] * 200
    (tmp_path / "zorro" / "agreement.txt").write_text("\n".join(lines) + "\n")
    items = read("zorro", tmp_path)
    assert len(items) == 201
    assert items["candidates"].iloc[0] == ["look at this dog .", "look at this dogs ."]
    fast = read("zorro_fast", tmp_path)
    assert len(fast) == 200
    run("zorro", items[:2], tmp_path)
    (tmp_path / "zorro" / "agreement.txt").write_text("one .\n")
    with pytest.raises(UserError, match=r"agreement\.txt: 1 lines; bad and good"):
        read("zorro", tmp_path)


def test_dialogue_pairs_score_heldout_replies(tmp_path):
    path = tmp_path / "pairs.parquet"
    pair = {
        "prompt": "*MOT: where is it ?",
        "chosen": "*CHI: home .",
        "rejected": "*CHI: ball .",
        "part": "heldout",
    }
    tie = {**pair, "rejected": pair["chosen"]}
    pd.DataFrame([pair, {**pair, "part": "train"}, tie]).to_parquet(path)
    items = registry.load("dialogue_words").read({"pairs": [path]})
    assert len(items) == 2
    scores, rows = run("dialogue_words", items, tmp_path)
    assert scores["correct"].tolist()[1] is False
    assert value(rows, metric="ties") == 1
    assert value(rows, metric="accuracy_ties_half") - value(rows) == pytest.approx(25)
    means = [np.divide(own, counts) for own, counts in zip(scores["scores"], scores["tokens"], strict=True)]
    assert scores["correct_mean"].tolist() == [bool(own[0] > own[1]) for own in means]
    assert value(rows, metric="accuracy_mean") == 100 * scores["correct_mean"].mean()
    assert value(rows, metric="accuracy_word_corrected") == 100 * scores["correct_word_corrected"].mean()
    pd.DataFrame([{"prompt": "a"}]).to_parquet(path)
    with pytest.raises(UserError, match="no column 'chosen'"):
        registry.load("dialogue_tokens").read({"pairs": [path]})
    with pytest.raises(UserError, match="dialogue_words: no input 'pairs'"):
        registry.load("dialogue_words").read({})


def test_dialogue_pairs_without_a_shared_token_are_scored_on_their_own(tmp_path):
    path = tmp_path / "pairs.parquet"
    replies = [("*CHI: home .", "*CHI: ball ."), ("*CHI: home .", "*CHI: where ."), ("*CHI: Is .", "*CHI: ball .")]
    pairs = pd.DataFrame(replies, columns=["chosen", "rejected"]).assign(prompt="*CHI: where is it ?")
    pairs.to_parquet(path)
    suite = registry.load("dialogue_words")
    items = suite.read({"pairs": [path]})
    assert items["no_shared_token"].tolist() == [True, False, False]
    scores, _ = run("dialogue_words", items, tmp_path)
    subset = {}
    for decisions in ([True, False, False], [False, True, True]):
        rows = suite.rows(scores.assign(correct=decisions))
        (row,) = (row for row in rows if row["metric"] == "accuracy_no_shared_token")
        subset[row["value"]] = (row["group"], row["n"])
    assert subset == {100: ("all", 1), 0: ("all", 1)}
    (row,) = (row for row in suite.rows(scores[1:]) if row["metric"] == "accuracy_no_shared_token")
    assert (row["value"], row["ci_low"], row["n"]) == (None, None, 0)


def test_published_lexical_decision_with_and_without_bos(tmp_path):
    path = tmp_path / "lexical_decision" / "pairs.csv"
    path.parent.mkdir()
    path.write_text("lexeme,wug\nthe,zqx\ndog,gdo\n")
    items = read("lexical_decision_published", tmp_path)
    scores, rows = run("lexical_decision_published", items, tmp_path)
    # "the" is one token: nothing is left to score without BOS. Its 0 is above any sum, and yet the pair is wrong.
    assert scores["scores_no_bos"].iloc[0][0] == 0.0 > scores["scores_no_bos"].iloc[0][1]
    assert scores["correct_no_bos"].tolist() == [False, False]
    assert (
        value(rows, metric="accuracy_no_bos") == value(rows, metric="accuracy_no_bos_word_corrected_minicons") == 0
    )
    path.write_text("lexeme,wug\nthe,\n")
    with pytest.raises(UserError, match="line 2: field 'wug' is empty"):
        read("lexical_decision_published", tmp_path)


def test_ties():
    assert decide([1.0, 1.0], 0, strict=False) == (True, 0.5)
    assert decide([1.0, 1.0], 0, strict=True) == (False, 0.5)
    assert decide([1.0, 2.0, 2.0], 0, strict=False) == (False, 0.0)
    made = pd.DataFrame({"group": ["a", "a", "b"], "correct": [True, False, True], "credit": [0.5, 0, 1]})
    rows = accuracy_rows(made)
    assert value(rows) == 75
    assert value(rows, metric="accuracy_ties_half") == 62.5
    assert [value(rows, group, "ties") for group in ("a", "b", "all")] == [1, 0, 1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: not a JSON object"),
        ('{"sentence_good": "a"}', "line 2: field 'sentence_bad' is missing"),
        ('{"sentence_good": " ", "sentence_bad": "b", "UID": "u"}', "line 2: field 'sentence_good' is empty"),
        ('{"sentence_good": 3, "sentence_bad": "b", "UID": "u"}', "'sentence_good' is int, expected str"),
    ],
)
def test_malformed_items_are_named(tmp_path, line, message):
    path = write(tmp_path / "evaluation_data/full_eval/blimp_filtered/one.jsonl", [BLIMP])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError, match=r"one\.jsonl.*" + message):
        read("blimp", tmp_path)


def test_malformed_options_and_missing_files(tmp_path):
    record = {"input_prefix": "Box 0 contains ", "options": ["the dog .", ""], "numops": 0}
    write(tmp_path / "evaluation_data/fast_eval/entity_tracking_fast/regular.jsonl", [record])
    with pytest.raises(UserError, match=r"regular\.jsonl, line 1: field 'options'"):
        read("entity_tracking_fast", tmp_path)
    with pytest.raises(UserError, match=r"ewok: no .*ewok_filtered.* in .*huggingface\.co.*login needed"):
        read("ewok", tmp_path)


def test_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "BOOTSTRAP_SAMPLES", 20)
    path = tmp_path / "evaluation_data/full_eval/reading/reading_data.csv"
    path.parent.mkdir(parents=True)
    reading_table().to_csv(path)
    items = read("reading", tmp_path)
    assert items["context"].iloc[0] == "None"
    items.to_parquet(tmp_path / "items.parquet")
    scores = registry.load("reading").evaluate(MODEL, TOKENIZER, pd.read_parquet(tmp_path / "items.parquet"), 4096)
    assert np.isnan(scores["prev_pred"].iloc[0])
    assert scores["prev_pred"].iloc[1:].notna().all()
    scores.to_parquet(tmp_path / "scores.parquet")
    rows = registry.load("reading").rows(pd.read_parquet(tmp_path / "scores.parquet"))

    model = make_model(positions=512)
    whole = [
        -reference(model, TOKENIZER, *texts)[0]
        for texts in zip(items["context"], " " + items["word"], strict=True)
    ]
    np.testing.assert_allclose(scores["pred_whole_word"], whole, atol=1e-4)
    assert np.isnan(scores["prev_pred_whole_word"].iloc[0])

    data, measures = scores.dropna(subset=["Subtlex_log10"]), {}
    base = "(Subtlex_log10 + length + context_length) ** 2"
    paced = "(Subtlex_log10 + length + context_length + prev_length + prev_pred) ** 2"
    for measure in reading.MEASURES:
        frame, terms = (data.dropna(), paced) if measure == reading.SELF_PACED else (data, base)
        without = smf.ols(f"{measure} ~ {terms}", frame).fit().rsquared
        full = smf.ols(f"{measure} ~ {terms} + pred", frame).fit().rsquared
        measures[measure] = 100 * (full - without) / (1 - without)
        assert value(rows, measure, "partial_r2") == pytest.approx(measures[measure], abs=1e-8)
    eye = np.mean([measures[measure] for measure in reading.EYE_TRACKING])
    assert value(rows, "eye_tracking", "partial_r2") == pytest.approx(eye)
    assert value(rows, "self_paced", "partial_r2") == pytest.approx(measures[reading.SELF_PACED])
    exchanged = {"pred": "pred_whole_word", "prev_pred": "prev_pred_whole_word"}
    other = registry.load("reading").rows(
        scores.rename(columns=exchanged | {new: old for old, new in exchanged.items()})
    )
    assert value(rows, metric="partial_r2_whole_word") == value(other, metric="partial_r2")


@pytest.mark.parametrize("special", ["bos", "bos_eos", "plain"])
def test_surprisal_of_a_word_of_several_tokens(special):
    tokenizer = TOKENIZERS[special]
    start = [] if special == "plain" else [tokenizer.bos_token_id]
    plain = TOKENIZERS["plain"]

    def next_probability(text: str, token: int) -> float:
        ids = start + plain(text)["input_ids"]
        with torch.no_grad():
            return float(torch.softmax(MODEL(torch.tensor([ids])).logits[0, -1], dim=-1)[token])

    ids = plain(" zq")["input_ids"]
    assert len(ids) > 1
    text, p = "the dog", 1.0
    for number, token in enumerate(ids):
        piece = plain.decode([token])
        p *= next_probability(text, token if number == 0 else plain(piece)["input_ids"][0])
        text += piece
    scorer = Scorer(MODEL, tokenizer)
    assert reading.surprisals(scorer, ["the dog"], ["zq"], ["word_1"])[0] == pytest.approx(-np.log(p), abs=1e-4)


def test_reading_names_bad_columns(tmp_path):
    path = tmp_path / "reading.csv"
    suite = registry.load("reading")
    reading_table().drop(columns="RTgopast").to_csv(path)
    with pytest.raises(UserError, match=r"reading\.csv: no column 'RTgopast'"):
        suite.read({"mirror": [path]})
    reading_table().assign(word=lambda data: data["word"].where(data.index != 4)).to_csv(path)
    with pytest.raises(UserError, match="line 6: field 'word' is empty"):
        suite.read({"mirror": [path]})


SIZES = {
    "blimp": (59_875, 67),
    "blimp_fast": (13_400, 67),
    "blimp_supplement": (5_218, 5),
    "blimp_supplement_fast": (250, 5),
    "entity_tracking": (9_483, 18),
    "entity_tracking_fast": (3_152, 6),
    "wug_adj": (200, 1),
    "reading": (1_726, 1),
    "aoa": (682, 1),
    "aoa_surprisal": (8_005, 485),
    "glue_boolq": (3_707, 1),
    "glue_rte": (2_629, 1),
    "glue_wsc": (606, 1),
    "glue_mrpc": (3_872, 1),
    "glue_qqp": (30_215, 1),
    "glue_mnli": (14_908, 1),
    "zorro": (46_000, 23),
    "zorro_fast": (4_600, 23),
}


@pytest.mark.parametrize("name", SIZES)
def test_real_files(name):
    suite = registry.load(name)
    try:
        suite.mirror_files(MIRROR)
    except UserError:
        pytest.skip(f"no {name} in {MIRROR}; set BABYLOGUE_MIRROR to a folder that holds the benchmarks")
    items = suite.read({"mirror": suite.mirror_files(MIRROR)})
    assert (len(items), items["group"].nunique()) == SIZES[name]
    assert items["item"].is_unique
