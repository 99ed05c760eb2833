"""The default configuration cut small: every stage and method of it, and no download."""

import re
from io import BytesIO
from pathlib import Path

import pandas as pd
import yaml

SMALL = {
    "transcripts": {"toy": {"words": 24_000, "children": 16, "transcripts_per_child": 2}},
    "tokenizer": {"vocabulary": 400},
    "published": {"smollm2": None, "tiny": {"path": "tiny_teacher"}},
    "teacher": {
        "writer": "tiny",
        "judge": "tiny",
        "pairs": {"prompts": 40, "max_new_tokens": 6},
        "rollouts": {"prompts": 24, "samples": 2, "max_new_tokens": 6},
    },
    "tuning": {"rollout_share": 0.2},
    "pairs": {
        "natural": {"max_pairs": 400},
        "syntax": {"kind": "syntax", "base": "natural"},
        "mixed": {"shares": {"natural": 0.4, "synthetic": 0.3, "syntax": 0.3}},
        "dialogue_words": {"max_pairs": 200},
        "dialogue_tokens": {"max_pairs": 200},
    },
    "models": {
        "grpo": {"method": "grpo", "parent": "base", "reward": "bleu"},
        "rloo": {"method": "rloo", "parent": "base", "reward": "bleu"},
        "base_sentences": None,
        "dpo_synthetic": None,
        "ppo_semsim": None,
        "ppo_llm_score": None,
        "ppo_confidence": None,
    },
    "pretrain": {
        "architecture": {"hidden_size": 32, "intermediate_size": 64, "layers": 2, "heads": 2},
        "words": 40_000,
        "checkpoints": [10_000],
        "validations": 3,
    },
    "dpo": {"epochs": 1, "evaluations": 3},
    "ppo": {"prompts": 96, "evaluate_every": 2},
    "grpo": {"replies": 64, "batch_size": 32, "minibatch_size": 16, "max_new_tokens": 6, "evaluate_every": 1},
    "rloo": {"replies": 64, "batch_size": 32, "minibatch_size": 16, "max_new_tokens": 6, "evaluate_every": 1},
    "suites": {"lexical_decision": {"pairs": 60}},
    "evaluate": {
        "scores": [
            {"checkpoints": ["kept"], "suites": ["dialogue_words"]},
            {"checkpoints": ["kept"], "suites": ["toy_grammar"], "models": ["base", "dpo_natural"]},
            {"checkpoints": ["kept"], "suites": ["lexical_decision"], "models": ["base"]},
            {"checkpoints": ["chck_10K"], "suites": ["dialogue_words"]},
        ]
    },
}
OVERLAY = ("--configfile", "small.yaml")


TIMED = ("tokens_per_s", "share_of_peak", "seconds")  # columns of a log, by the beginnings of their names


def cut_small(workflow, without=()):
    """Lay `small.yaml`, but for some models, and the teacher that it names beside the files of a Workflow.

    -> the workflow.
    """
    from support.tiny_teacher import save_tiny_teacher  # here, since torch takes seconds, in every test run

    settings = SMALL | {"models": SMALL["models"] | dict.fromkeys(without)}
    workflow.write("small.yaml", yaml.safe_dump(settings, sort_keys=False))
    save_tiny_teacher(workflow.folder / "tiny_teacher")
    return workflow


def made_in(workflow) -> dict[str, bytes]:
    """What a run has made: file -> content, without what tells the time and the teacher's cache, named by it."""
    results = workflow.folder / "results"
    files = {str(path.relative_to(results)): path for path in sorted(results.rglob("*")) if path.is_file()}
    return {
        name: _timeless(path)
        for name, path in files.items()
        if not name.startswith(("logs/", "benchmarks/", "published/", "teacher/cache/", "report/stages."))
    }


def _timeless(path: Path) -> bytes:
    content = path.read_bytes()
    if path.name == "log.csv":
        log = pd.read_csv(BytesIO(content))
        return log[[name for name in log if not name.startswith(TIMED)]].to_csv().encode()
    if path.name == "index.html":
        return re.sub(rb'<details id="stages">.*?</details>', b"", content, flags=re.DOTALL)
    return content
