"""What every kind of change reruns, on a finished small run: exactly that, and nothing else.

A case names the rules that a change meets; what rests on them follows from FEEDS.
"""

import shutil

import pytest
import yaml

from babylogue import fingerprint
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.settings import ToySettings
from support.project import PROJECT, copy_of, copy_project
from support.small_workflow import OVERLAY

# Rules that tune a model on a reward of its own replies.
ON_REWARDS = ("ppo_ppo_bleu", "grpo_grpo", "rloo_rloo")
# Rule -> the rules that read what it makes, in the small configuration.
FEEDS = {
    "toy_transcripts": {"utterances"},
    "utterances": {"split", "triplets", "corpus_statistics"},
    "split": {"triplets", "natural_pairs", "rollout_prompts", "pair_card"},
    "triplets": {
        "corpus_statistics", "natural_pairs", "pair_card", "reply_prompts", "rollout_prompts", "suite",
        "syntax_pairs", "tokenizer", "tokens", *ON_REWARDS,
    },
    "corpus_statistics": {"model_card", "report"},
    "tokenizer": {"tokens", "pretrain_base", "pair_card"},
    "tokens": {"pretrain_base"},
    "published": {"replies"},
    "rollout_prompts": {"replies", *ON_REWARDS},  # the replies to them, not those in pairs
    "replies": {"synthetic_pairs", *ON_REWARDS},
    "natural_pairs": {
        "replies", "synthetic_pairs", "mixed_pairs", "pair_card", "dpo_dpo_natural", *ON_REWARDS,
        "suite", "baselines",
    },
    "synthetic_pairs": {"mixed_pairs", "pair_card"},
    "syntax_pairs": {"mixed_pairs", "pair_card"},
    "mixed_pairs": {"dpo_dpo_mixed", "pair_card"},
    "pair_card": {"pair_cards"},
    "pair_cards": {"report", "table_parquet"},
    "pretrain_base": {
        "dpo_dpo_natural", "dpo_dpo_mixed", *ON_REWARDS, "score", "reply_samples", "trajectories", "model_card",
        "report",
    },
    "dpo_dpo_natural": {"score", "reply_samples", "model_card", "report"},
    "dpo_dpo_mixed": {"score", "reply_samples", "model_card", "report"},
    **{rule: {"score", "reply_samples", "rewarded_runs", "model_card", "report"} for rule in ON_REWARDS},
    "reply_prompts": {"reply_samples", "replies_table"},
    "reply_samples": {"replies_table"},
    "replies_table": {"report", "table_parquet"},
    "rewarded_runs": {"report", "table_parquet"},
    "suite": {"score", "items"},
    "score": {"comparisons", "model_card", "scores_table", "items"},
    "model_card": set(),
    "scores_table": {"trajectories", "report", "table_parquet"},
    "suite_sources": {"report", "table_parquet"},
    "comparisons": {"report", "table_parquet"},
    "items": {"report"},
    "baselines": {"report", "table_parquet"},
    "trajectories": {"report", "table_parquet"},
    "table_parquet": set(),
    "report": {"table_parquet"},
}  # fmt: skip
TRAINED = {  # of a change in how a model is trained
    "score", "reply_samples", "replies_table", "model_card", "comparisons", "items", "scores_table",
    "trajectories", "report", "table_parquet",
}  # fmt: skip
ROLLOUTS = {"replies", *ON_REWARDS, "rewarded_runs"} | TRAINED
TEACHERS_PAIRS = {
    "replies", "synthetic_pairs", "mixed_pairs", "pair_card", "pair_cards", "dpo_dpo_mixed",
} | TRAINED  # fmt: skip
NATURAL_TUNE = {"natural_pairs", "dpo_dpo_natural", "baselines"} | TEACHERS_PAIRS | ROLLOUTS  # which no suite has
NATURAL_TEST = {  # of a pair set of the test part, which is a suite
    "natural_pairs", "pair_card", "pair_cards", "suite", "baselines", "score", "model_card", "comparisons",
    "items", "scores_table", "trajectories", "report", "table_parquet",
}  # fmt: skip


def rests_on(*rules: str) -> set[str]:
    """The rules and all that rests on what they make."""
    found, waiting = set(), list(rules)
    while waiting:
        if (rule := waiting.pop()) not in found:
            found.add(rule)
            waiting += FEEDS[rule]
    return found


def setting(value, *path):
    """A change of the configuration."""

    def change(workflow):
        config = yaml.safe_load(workflow.read("small.yaml"))
        table = config
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value
        workflow.write("small.yaml", yaml.safe_dump(config, sort_keys=False))

    return change


def behaviour(file):
    """A change of what a file of Python does."""

    def change(workflow):
        workflow.write(f"scripts/{file}", workflow.read(f"scripts/{file}") + "\nBEHAVIOUR = 1\n")

    return change


def remark(file):
    """A comment in a file of Python."""

    def change(workflow):
        workflow.write(f"scripts/{file}", workflow.read(f"scripts/{file}") + "\n# a remark\n")

    return change


def deleted(name):
    """A file or folder of the results is gone."""

    def change(workflow):
        path = workflow.folder / "results" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def touched_teacher(workflow):
    """The folder of a published model has another file."""
    workflow.write("tiny_teacher/added.txt", "added")


def adults(workflow):
    """Dialogue between adults, which the tokenizer reads."""
    workflow.write("adults/Made/one.cha", "@UTF8\n@Begin\n@End\n")
    setting("adults", "adult_dialogue", "path")(workflow)


SCORE = "scores/base/seed0/final/toy_grammar.json"
BASE_SCORES = {
    "score", "model_card", "comparisons", "items", "scores_table", "trajectories", "report", "table_parquet",
}  # fmt: skip
# Items are those of the first seed.
EVERY_SEED = {"pretrain_base", "dpo_dpo_natural", "dpo_dpo_mixed", *ON_REWARDS, "rewarded_runs"} | BASE_SCORES - {
    "items"
}
# What changes -> the change, and the rules that rerun.
CASES = {
    # the configuration, each section of it
    "transcripts.toy": (setting(1, "transcripts", "toy", "seed"), rests_on("toy_transcripts")),
    "transcripts": (setting(0.5, "transcripts", "max_rejected_share"), rests_on("utterances")),
    "adult_dialogue": (adults, rests_on("tokenizer") | {"utterances", "adult_triplets"}),
    "split": (setting(1, "split", "seed"), rests_on("split")),
    "triplets": (setting(6, "triplets", "min_words"), rests_on("triplets")),
    "tokenizer": (setting(420, "tokenizer", "vocabulary"), rests_on("tokenizer")),
    "published": (touched_teacher, rests_on("published")),
    "published, whether it is fit to judge": (
        setting(False, "published", "tiny", "fit_to_judge"),
        {"report", "table_parquet"},
    ),
    "teacher.rollouts": (setting(0.9, "teacher", "rollouts", "temperature"), ROLLOUTS),
    "teacher.rollouts.prompts": (setting(25, "teacher", "rollouts", "prompts"), {"rollout_prompts"} | ROLLOUTS),
    "teacher.pairs": (setting(0.9, "teacher", "pairs", "temperature"), TEACHERS_PAIRS),
    "teacher.judging, which no reward here asks for": (setting(7, "teacher", "judging", "batch_size"), set()),
    "pairs, of the tune part": (setting(1, "pairs", "natural", "seed"), NATURAL_TUNE),
    "tuning, the division of the tune part": (
        setting(0.3, "tuning", "rollout_share"),
        NATURAL_TUNE | {"rollout_prompts", "syntax_pairs"},
    ),
    "pairs, a natural set that nothing uses": (
        setting({"kind": "natural", "match": "tokens", "max_pairs": 100}, "pairs", "unused"),
        set(),
    ),
    "pairs, a set made elsewhere that nothing uses": (
        setting({"kind": "given", "path": "small.yaml"}, "pairs", "unused"),
        set(),
    ),
    "pairs, of the test part": (setting(1, "pairs", "dialogue_words", "seed"), NATURAL_TEST),
    "pretrain": (setting(1e-3, "pretrain", "learning_rate"), rests_on("pretrain_base")),
    "dpo": (setting(0.2, "dpo", "beta"), rests_on("dpo_dpo_natural", "dpo_dpo_mixed")),
    "ppo": (setting(0.3, "ppo", "clip_range"), rests_on("ppo_ppo_bleu")),
    "grpo": (setting(0.3, "grpo", "clip_range"), rests_on("grpo_grpo")),
    "rloo": (setting(0.3, "rloo", "clip_range"), rests_on("rloo_rloo")),
    "models, a setting of a row": (
        setting({"method": "dpo", "parent": "base", "pairs": "natural", "beta": 0.3}, "models", "dpo_natural"),
        rests_on("dpo_dpo_natural"),
    ),
    "models, the checkpoint that a row is judged by": (
        setting({"method": "dpo", "parent": "base", "pairs": "natural", "kept": "final"}, "models", "dpo_natural"),
        {"reply_samples", "replies_table"} | BASE_SCORES,
    ),
    "models, a row more": (
        setting({"method": "dpo", "parent": "base", "pairs": "natural"}, "models", "dpo_more"),
        {"dpo_dpo_more", "reply_samples", "replies_table"} | BASE_SCORES,
    ),
    "models, a row less": (
        setting(None, "models", "rloo"),
        {
            "comparisons",
            "items",
            "scores_table",
            "trajectories",
            "rewarded_runs",
            "replies_table",
            "report",
            "table_parquet",
        },
    ),
    "suites": (setting(512, "suites", "batch_tokens"), rests_on("score")),
    "suites.lexical_decision": (
        setting(1, "suites", "lexical_decision", "seed"),
        rests_on("suite") - {"comparisons"},
    ),
    "evaluate": (
        setting(
            [{"checkpoints": ["kept"], "suites": ["dialogue_words", "toy_grammar", "lexical_decision"]}],
            "evaluate",
            "scores",
        ),
        BASE_SCORES,
    ),
    "seeds": (setting([0, 1], "seeds"), EVERY_SEED),
    "report.replies": (setting(2, "report", "replies", "samples"), rests_on("reply_samples")),
    "report.replies.prompts": (setting(13, "report", "replies", "prompts"), rests_on("reply_prompts")),
    "report, without replies": (setting(None, "report", "replies"), {"report", "table_parquet"}),
    "report, without quotes": (setting(False, "report", "quotes"), {"items", "report", "table_parquet"}),
    "hub": (setting(False, "hub", "private"), set()),
    "results": (setting("elsewhere", "results"), set(FEEDS)),
    # files of the results
    "a score deleted": (deleted(SCORE), BASE_SCORES),
    # What nothing unfinished asks for may go, to make room.
    "its items deleted": (deleted("scores/base/seed0/final/toy_grammar.parquet"), set()),
    "a checkpoint deleted that is scored": (deleted("models/base/seed0/final"), set()),
    "a checkpoint deleted that a score still needs": (
        lambda workflow: (deleted("models/base/seed0/final")(workflow), deleted(SCORE)(workflow)),
        rests_on("pretrain_base"),
    ),
    "the report deleted": (deleted("report/index.html"), {"report", "table_parquet"}),
    "a table deleted": (deleted("report/scores.csv"), {"scores_table", "trajectories", "report", "table_parquet"}),
    # remarks
    "a comment in a script": (remark("pretrain.py"), set()),
    "a comment in the library": (remark("babylogue/dialogue.py"), set()),
    "what is said, and is in no result": (behaviour("babylogue/logs.py"), set()),
}
RULES = {  # script -> its rules, where they are not one of its name
    "pretrain": ["pretrain_base"],
    "dpo": ["dpo_dpo_natural", "dpo_dpo_mixed"],
    "ppo": ["ppo_ppo_bleu"],
    "group_policy": ["grpo_grpo", "rloo_rloo"],
}
SCRIPTS = {
    f"scripts/{script.name}": (
        behaviour(script.name),
        rests_on(*(rule for rule in RULES.get(script.stem, [script.stem]) if rule in FEEDS)),
    )
    for script in sorted((PROJECT / "scripts").glob("*.py"))
}
SCRIPTS["scripts/rollout_prompts.py"] = (behaviour("rollout_prompts.py"), {"rollout_prompts"} | ROLLOUTS)


def assert_reruns(workflow, change, rules):
    change(workflow)
    assert set(workflow.planned(*OVERLAY)) == rules


@pytest.mark.parametrize("case", CASES)
def test_a_change_reruns_what_rests_on_it(case, small, tmp_path):
    assert_reruns(copy_of(small, tmp_path), *CASES[case])


@pytest.mark.slow
@pytest.mark.parametrize("case", SCRIPTS)
def test_a_script_that_behaves_otherwise_reruns_its_rules(case, small, tmp_path):
    assert_reruns(copy_of(small, tmp_path), *SCRIPTS[case])


def test_no_change_reruns_nothing(small):
    assert small.planned(*OVERLAY) == {}


def test_a_transcript_that_changes_is_read_again(tmp_path):
    workflow = copy_project(tmp_path)
    write_toy_transcripts(tmp_path / "data", ToySettings(words=3000, children=12, transcripts_per_child=1))
    workflow.write("local.yaml", yaml.safe_dump({"transcripts": {"source": "local", "path": "data"}}))
    command = ("--configfile", "local.yaml", "--", "results/corpus/split.parquet")
    workflow.snakemake("--cores", "1", *command)
    assert workflow.planned(*command) == {}
    file = next((tmp_path / "data").rglob("*.cha"))
    file.write_text(file.read_text().replace("*CHI:\t", "*CHI:\twell ", 1))
    assert set(workflow.planned(*command)) == {"utterances", "split"}


def test_each_module_of_the_library_reruns_the_scripts_of_the_table():
    """reruns.yaml: the scripts that reach a module through what they import, and so rerun where it changes.

    Suites and rewards are absent: theirs are rules' own (test_workflow.py has examples).
    """
    library = PROJECT / "scripts/babylogue"
    reached = {}
    for script in sorted((PROJECT / "scripts").glob("*.py")):
        for file in fingerprint.files(script):
            if file != script and file.name != "__init__.py":
                reached.setdefault(str(file.relative_to(library)), set()).add(script.stem)
    table = yaml.safe_load((PROJECT / "tests/workflow/reruns.yaml").read_text())
    stated = {module: set(row["scripts"].split()) for row in table for module in row["modules"].split()}
    assert reached == stated
