"""Fine-tuning on made-up tasks, its metrics against scikit-learn, and malformed files."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score

from babylogue.errors import UserError
from babylogue.suites import finetuning, glue, registry
from support.tiny_scorers import TOKENIZERS, make_model

FOLDER = "evaluation_data/full_eval/glue_filtered"
TOKENIZER = TOKENIZERS["bos"]


def pairs(count: int, seed: int) -> pd.DataFrame:
    """Texts whose label is whether the second one names the dog."""
    random = np.random.default_rng(seed)
    labels = random.integers(2, size=count)
    second = [f"{random.choice(['the', 'red'])} {'dog' if label else 'ball'} runs ." for label in labels]
    return pd.DataFrame({"group": "rte", "first": "look at", "second": second, "label": labels})


def write_task(mirror, task: str, train: list[dict], valid: list[dict]) -> None:
    for part, records in (("train", train), ("valid", valid)):
        path = mirror / FOLDER / f"{task}.{part}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))


def read(mirror, task: str) -> pd.DataFrame:
    suite = registry.load(f"glue_{task}")
    return suite.read({"mirror": suite.mirror_files(mirror)})


def test_the_last_token_learns_what_the_first_cannot_see(monkeypatch):
    monkeypatch.setattr(finetuning, "LEARNING_RATE", 3e-3)
    model = make_model(positions=64)
    before = [parameter.clone() for parameter in model.parameters()]
    train, valid = pairs(64, seed=0), pairs(40, seed=1)
    settings = {"labels": 2, "batch_size": 16, "epochs": 5}
    last = finetuning.fine_tune(model, TOKENIZER, train, valid, pooling="last", **settings)
    assert last.shape == (5, 40)
    assert (last[-1] == valid["label"]).mean() > 0.9
    first = finetuning.fine_tune(model, TOKENIZER, train, valid, pooling="first", **settings)
    assert all(len(set(epoch)) == 1 for epoch in first)
    again = finetuning.fine_tune(model, TOKENIZER, train, valid, pooling="last", **settings)
    assert (again == last).all()
    assert all(torch.equal(now, then) for now, then in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("pooling", ["first", "last"])
def test_pooling_is_of_the_named_token_whatever_the_padding(pooling):
    torch.manual_seed(0)
    classifier = finetuning.Classifier(make_model(positions=64).base_model, 3, pooling).eval()
    ids = [TOKENIZER(text)["input_ids"] for text in ("the dog runs .", "the dog")]
    padded = torch.tensor([ids[0], ids[1] + [0] * (len(ids[0]) - len(ids[1]))])
    mask = torch.tensor([[1] * len(ids[0]), [1] * len(ids[1]) + [0] * (len(ids[0]) - len(ids[1]))])
    together = classifier(padded, mask)
    for row, own in enumerate(ids):
        # Alone, and for the first token without the rest of the text, as fine_tune runs it.
        kept = torch.tensor([own[:1] if pooling == "first" else own])
        torch.testing.assert_close(together[row], classifier(kept, torch.ones_like(kept))[0], atol=1e-5, rtol=1e-5)


def test_a_batch_that_training_cannot_fill():
    with pytest.raises(UserError, match="rte: 3 training items, fewer than a batch of 16"):
        finetuning.fine_tune(
            make_model(), TOKENIZER, pairs(3, 0), pairs(3, 0), pooling="last", labels=2, batch_size=16, epochs=1
        )


def test_f1_is_scikit_learns():
    random = np.random.default_rng(3)
    labels, predicted = random.integers(2, size=(2, 90))
    estimate = glue.f1(labels, predicted)
    assert estimate.value == pytest.approx(f1_score(labels, predicted))
    assert estimate.ci_low < estimate.value < estimate.ci_high
    assert glue.f1(labels, np.zeros(90, dtype=int)).value == 0


@pytest.mark.parametrize(("task", "epoch"), [("mrpc", 1), ("qqp", 1), ("rte", 0), ("wsc", 0), ("boolq", 0)])
def test_the_best_epoch_is_upstreams(task, epoch, monkeypatch):
    """By F1 of label 1 for mrpc and qqp, by accuracy for the others; the first of equals."""
    labels = [1, 1, 0, 0, 0, 0]
    epochs = np.array([[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 1]])
    assert [f1_score(labels, own, zero_division=0) for own in epochs] == pytest.approx([0, 4 / 7, 4 / 7])
    monkeypatch.setattr(finetuning, "fine_tune", lambda *arguments, **settings: epochs)
    items = pd.DataFrame(
        {"item": range(12), "group": task, "part": ["train"] * 6 + ["valid"] * 6, "label": labels * 2}
    )
    scores = glue.evaluate(None, None, items, 4096)
    for metric in ("predicted", "predicted_last_token"):
        assert scores[metric].tolist() == epochs[epoch].tolist()
    assert scores["predicted_last_token_last_epoch"].tolist() == epochs[-1].tolist()


def test_tasks_are_averaged_without_weights():
    def scores(task: str, labels: list[int], predicted: list[int]) -> pd.DataFrame:
        table = pd.DataFrame({"item": range(len(labels)), "group": task, "label": labels})
        table = table.assign(**{f"predicted{metric}": predicted for metric in glue.METRICS})
        return table.assign(suite=f"glue_{task}", checkpoint="final", words=None)

    parts = pd.concat([scores("rte", [1, 0, 1, 1], [1, 0, 0, 0]), scores("mrpc", [1, 0], [1, 0])])
    suite = registry.load("glue")
    rows = {(row["group"], row["metric"]): row["value"] for row in suite.rows(suite.combiner(parts, None))}
    assert rows["rte", "accuracy"] == 50
    assert rows["all", "accuracy"] == rows["all", "accuracy_last_token"] == 75
    assert rows["mrpc", "f1"] == 100
    assert ("rte", "f1") not in rows


def test_a_task_from_file_to_rows(tmp_path):
    sentence = {"sentence1": "the dog runs .", "sentence2": "the ball runs ."}
    train = [{**sentence, "label": int(number < 30)} for number in range(40)]
    write_task(
        tmp_path, "rte", train, [{**sentence, "label": 1}, {**sentence, "label": 0}, {**sentence, "label": 1}]
    )
    items = read(tmp_path, "rte")
    assert items["part"].value_counts().to_dict() == {"train": 40, "valid": 3}
    assert items["item"].is_unique
    suite = registry.load("glue_rte")
    scores = suite.evaluate(make_model(positions=64), TOKENIZER, items, 4096)
    rows = {(row["group"], row["metric"]): row["value"] for row in suite.rows(scores)}
    assert rows["all", "accuracy_majority"] == pytest.approx(200 / 3)
    assert {f"accuracy{metric}" for metric in glue.METRICS} == {metric for group, metric in rows if group == "rte"}


def test_texts_of_wsc_and_multirc(tmp_path):
    record = {"span2_text": "it", "span1_text": "the ball", "text": "The ball is red, it rolls.", "label": 0}
    write_task(tmp_path, "wsc", [record], [record])
    assert read(tmp_path, "wsc")["first"].iloc[0] == 'Does "it" refer to "the ball" in this passage?'
    record = {"question": "Who {runs}?", "answer": "the dog", "paragraph": "The dog runs.", "label": 1}
    write_task(tmp_path, "multirc", [record], [record])
    item = read(tmp_path, "multirc").iloc[1]
    assert (item["first"], item["second"]) == ("Question: Who {runs}? Answer: the dog", "The dog runs.")


def test_malformed_and_missing_tasks_are_named(tmp_path):
    sentence = {"sentence1": "a", "sentence2": "b"}
    write_task(tmp_path, "rte", [{**sentence, "label": 1}], [{**sentence, "label": 2}])
    with pytest.raises(UserError, match=r"rte\.valid\.jsonl, line 1: field 'label' is 2, not below 2"):
        read(tmp_path, "rte")
    with pytest.raises(UserError, match=r"glue_qqp: no .*qqp\.train\.jsonl in .*; get it from https://osf\.io"):
        read(tmp_path, "qqp")
