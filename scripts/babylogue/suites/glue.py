"""(Super)GLUE: seven tasks that a model is fine-tuned for (Wang et al. 2018, 2019), as filtered by BabyLM.

The rules are those of the BabyLM 2025 pipeline (finetune). Upstream pools the first token, which in a causal model
sees nothing of the text, and picks the best epoch on the file that it reports: by F1 for mrpc and qqp, by accuracy
for the other tasks. `accuracy` keeps both, `accuracy_last_token` pools the last token and picks as upstream does,
`accuracy_last_token_last_epoch` pools the last token and picks nothing. `accuracy_majority` is what the most
frequent label of training scores. `f1...` of mrpc and qqp likewise. `glue` is the unweighted mean over the tasks.

Item table of a task: item, group (the task), part (train, valid), first, second (the pair of texts), label.
Item scores: item, group, label, and for every metric the predicted label, columns METRICS.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from ..scoring.intervals import Estimate, percentiles, stratified_mean, wilson
from .base import Suite, percent_row
from .records import read_jsonl
from .sources import BABYLM_HOME, Source

LICENCE = "each task's own, see gluebenchmark.com and super.gluebenchmark.com"
# release_digest of the training and the validation file; None where the release's own was not at hand.
PINNED = {
    "boolq": (None, "c7c56940362dfb3dc45952cbfae7ada27aaa73a98d976e80cb33539e7dde5dec"),
    "multirc": (None, "c24d77168b5e9814ac24721f7cb4a784a476b418642e1b5504e1fb38984eb6bf"),
    "rte": (
        "c322ef110ff9307edc90f9e64d6e8c6fea9830643308a2b7db66f0b9b780a78a",
        "3c4410a82dcae979383091d7155262fe28a9214fd688bc9305705fe5b144cd62",
    ),
    "wsc": (
        "6e094bcb037b04a1e376e408b8e58be78f1249786c0c43790c2f355d53c0aab3",
        "d975dd7129af5b1db26677c1f802b32d16aa7a69291a7ce892c6d3fbf0014947",
    ),
    "mrpc": (
        "031bd6c7a9c304f32cd92fc486bb01643e7e96d6d049cc8121fad54bacc4d973",
        "3cd836674381312509705016f672975c2684a48717c9af2ed8ccb7aa372ac2b6",
    ),
    "qqp": (None, "c2bd125770ec06bd47bde9814326cdc22e05257106f93c80de6183b458f5311f"),
    "mnli": (None, "7c867dce849601ea234347c0cb011a96cac4588b66ea2e6050700df7c0d167f7"),
}
METRICS = ("", "_last_token", "_last_token_last_epoch", "_majority")
BOOTSTRAP_SEED = 0
BOOTSTRAP_SAMPLES = 2000


@dataclass(frozen=True)
class Task:
    """How records become pairs of texts, and what differs from task to task in fine-tuning."""

    first: str
    second: str
    fields: tuple[str, ...]
    labels: int = 2
    batch_size: int = 32
    epochs: int = 10
    f1: bool = False
    """Whether F1 is reported too, and picks the epoch."""


TASKS = {
    "boolq": Task("{question}", "{passage}", ("question", "passage"), batch_size=16),
    "multirc": Task(
        "Question: {question} Answer: {answer}", "{paragraph}", ("question", "answer", "paragraph"), batch_size=16
    ),
    "rte": Task("{sentence1}", "{sentence2}", ("sentence1", "sentence2")),
    "wsc": Task(
        'Does "{span2_text}" refer to "{span1_text}" in this passage?',
        "{text}",
        ("span2_text", "span1_text", "text"),
        epochs=30,
    ),
    "mrpc": Task("{sentence1}", "{sentence2}", ("sentence1", "sentence2"), f1=True),
    "qqp": Task("{question1}", "{question2}", ("question1", "question2"), f1=True),
    "mnli": Task("{premise}", "{hypothesis}", ("premise", "hypothesis"), labels=3),
}


def read(inputs: dict[str, list[Path]]) -> pd.DataFrame:
    """Pairs of texts of a task's training and validation file."""
    name = inputs["mirror"][0].name.split(".")[0]
    task = TASKS[name]
    rows = []
    for path, number, record in read_jsonl(inputs["mirror"], {**dict.fromkeys(task.fields, str), "label": int}):
        if not 0 <= record["label"] < task.labels:
            raise UserError(f"{path}, line {number}: field 'label' is {record['label']}, not below {task.labels}")
        part = path.name.split(".")[1]
        texts = (text.format_map(record) for text in (task.first, task.second))
        rows.append((f"{name}_{part}_{number}", name, part, *texts, record["label"]))
    return pd.DataFrame(rows, columns=["item", "group", "part", "first", "second", "label"])


def evaluate(model, tokenizer, items: pd.DataFrame, _batch_tokens: int) -> pd.DataFrame:
    """Fine-tune on the training items, once for each pooling, and predict the validation items."""
    from .finetuning import fine_tune  # slow to load; the workflow asks a suite for its files without

    task = TASKS[items["group"].iloc[0]]
    train, valid = (items[items["part"] == part] for part in ("train", "valid"))
    labels = valid["label"].to_numpy()
    scores = valid[["item", "group", "label"]].reset_index(drop=True)
    for pooling, suffix in (("first", ""), ("last", "_last_token")):
        predictions = fine_tune(
            model, tokenizer, train, valid,
            pooling=pooling, labels=task.labels, batch_size=task.batch_size, epochs=task.epochs,
        )  # fmt: skip
        scores[f"predicted{suffix}"] = predictions[best_epoch(labels, predictions, by_f1=task.f1)]
    scores["predicted_last_token_last_epoch"] = predictions[-1]
    return scores.assign(predicted_majority=train["label"].mode().iloc[0])


def best_epoch(labels: np.ndarray, predictions: np.ndarray, *, by_f1: bool) -> int:
    """The epoch, from 0, with the highest F1 or else accuracy on `labels` [items]; the first of equals.

    `predictions` are [epochs, items].
    """
    if by_f1:
        return int(np.argmax([_f1(_confusion(labels, predicted)) for predicted in predictions]))
    return int((predictions == labels).mean(axis=1).argmax())


def rows(item_scores: pd.DataFrame) -> list[dict]:
    """Accuracy of each task and, as "all", their unweighted mean, in percent; F1 of mrpc and qqp.

    F1 is of label 1; its interval is a bootstrap over items, BOOTSTRAP_SAMPLES samples, seed BOOTSTRAP_SEED.
    """
    tasks = dict(iter(item_scores.groupby("group")))
    found = []
    for metric in METRICS:
        correct = {
            name: (own["label"] == own[f"predicted{metric}"]).to_numpy(dtype=float) for name, own in tasks.items()
        }
        found += [percent_row(name, f"accuracy{metric}", wilson(own)) for name, own in correct.items()]
        found.append(percent_row("all", f"accuracy{metric}", stratified_mean(list(correct.values()))))
        for name, own in tasks.items():
            if TASKS[name].f1:
                estimate = f1(own["label"].to_numpy(), own[f"predicted{metric}"].to_numpy())
                found.append(percent_row(name, f"f1{metric}", estimate))
    return found


def f1(labels: np.ndarray, predicted: np.ndarray) -> Estimate:
    """F1 of label 1 as a fraction, with its interval; 0 where nothing is or is called 1."""
    counts = _confusion(labels, predicted)
    samples = np.random.default_rng(BOOTSTRAP_SEED).multinomial(
        len(labels), counts / len(labels), size=BOOTSTRAP_SAMPLES
    )
    return Estimate(_f1(counts), *percentiles(list(map(_f1, samples))), len(labels))


def _confusion(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """How many items are 1 in neither, in the prediction alone, in the label alone, in both."""
    return np.bincount(2 * (labels == 1) + (predicted == 1), minlength=4)


def _f1(counts: np.ndarray) -> float:
    """F1 from the counts of `_confusion`."""
    _, only_predicted, only_label, both = counts
    return 2 * both / (2 * both + only_predicted + only_label) if both else 0.0


def combine(parts: pd.DataFrame, _items: None) -> pd.DataFrame:
    """All tasks' item scores in one table."""
    return parts.drop(columns=["suite", "checkpoint", "words"])


def _suite(task: str) -> Suite:
    folder = "evaluation_data/full_eval/glue_filtered"
    train, valid = PINNED[task]
    return Suite(
        f"glue_{task}",
        f"(Super)GLUE: {task}, fine-tuned",
        read,
        (
            Source(
                f"{folder}/{task}.train.jsonl",
                BABYLM_HOME,
                LICENCE,
                release="babylm_2025",
                sha256=train,
                instead=f"{folder}/{task}.train*.json*",
            ),
            Source(f"{folder}/{task}.valid.jsonl", BABYLM_HOME, LICENCE, release="babylm_2025", sha256=valid),
        ),
        evaluator=evaluate,
        aggregator=rows,
        has_answers=False,
    )


SUITES = {
    "glue": Suite(
        "glue",
        "(Super)GLUE: the mean over seven tasks, fine-tuned",
        combiner=combine,
        aggregator=rows,
        has_answers=False,
    ),
    **{f"glue_{task}": _suite(task) for task in TASKS},
}
