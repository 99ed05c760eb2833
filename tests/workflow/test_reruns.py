"""What every kind of change reruns, on a finished small run: exactly that, and nothing else.

A case names the rules that a change meets; what rests on them follows from FEEDS. Dry runs, two at a time.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from babylogue import fingerprint
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.settings import ToySettings
from support.project import PROJECT, copy_of, copy_project
from support.small_workflow import OVERLAY

# Rule -> the rules that read what it makes, in the small configuration.
FEEDS = {
    "toy_transcripts": {"utterances"},
    "utterances": {"split", "triplets", "corpus_statistics"},
    "split": {"triplets", "natural_pairs", "rollout_prompts", "pair_card"},
    "triplets": {
        "corpus_statistics", "natural_pairs", "pair_card", "ppo_ppo_bleu", "reply_prompts", "rollout_prompts",
        "suite", "tokenizer", "tokens",
    },
    "corpus_statistics": {"model_card", "report"},
    "tokenizer": {"tokens", "pretrain_base", "pair_card"},
    "tokens": {"pretrain_base"},
    "published": {"replies"},
    "rollout_prompts": {"replies", "ppo_ppo_bleu"},
    "replies": {"ppo_ppo_bleu"},
    "natural_pairs": {"pair_card", "dpo_dpo_natural", "ppo_ppo_bleu", "suite", "baselines"},
    "pair_card": {"pair_cards"},
    "pair_cards": {"report", "table_parquet"},
    "pretrain_base": {
        "dpo_dpo_natural", "ppo_ppo_bleu", "score", "reply_samples", "trajectories", "model_card", "report",
    },
    "dpo_dpo_natural": {"score", "reply_samples", "model_card", "report"},
    "ppo_ppo_bleu": {"score", "reply_samples", "rewarded_runs", "model_card", "report"},
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
NATURAL_TUNE = {  # of a pair set of the tune part, which no suite has
    "natural_pairs", "pair_card", "pair_cards", "dpo_dpo_natural", "ppo_ppo_bleu", "reply_samples",
    "replies_table", "rewarded_runs", "baselines", "score", "model_card", "comparisons", "items", "scores_table",
    "trajectories", "report", "table_parquet",
}  # fmt: skip
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
EVERY_SEED = {"pretrain_base", "dpo_dpo_natural", "ppo_ppo_bleu", "rewarded_runs"} | BASE_SCORES - {"items"}
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
    "teacher.rollouts": (setting(0.9, "teacher", "rollouts", "temperature"), rests_on("replies")),
    "teacher.rollouts.prompts": (setting(25, "teacher", "rollouts", "prompts"), rests_on("rollout_prompts")),
    "teacher.pairs, which nothing asks for": (setting(0.9, "teacher", "pairs", "temperature"), set()),
    "teacher.judging, which no reward here asks for": (setting(7, "teacher", "judging", "batch_size"), set()),
    "pairs, of the tune part": (setting(1, "pairs", "natural", "seed"), NATURAL_TUNE),
    "tuning, the division of the tune part": (
        setting(0.3, "tuning", "rollout_share"),
        NATURAL_TUNE | {"rollout_prompts", "replies"},
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
    "dpo": (setting(0.2, "dpo", "beta"), rests_on("dpo_dpo_natural")),
    "ppo": (setting(0.3, "ppo", "clip_range"), rests_on("ppo_ppo_bleu")),
    "grpo, of which there is no row": (setting(0.3, "grpo", "clip_range"), set()),
    "rloo, of which there is no row": (setting(0.3, "rloo", "clip_range"), set()),
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
        setting(None, "models", "ppo_bleu"),
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
RULES = {"pretrain": "pretrain_base", "dpo": "dpo_dpo_natural", "ppo": "ppo_ppo_bleu"}
CASES |= {
    f"scripts/{script.name}": (behaviour(script.name), rests_on(rule) if rule in FEEDS else set())
    for script in sorted((PROJECT / "scripts").glob("*.py"))
    for rule in [RULES.get(script.stem, script.stem)]
}


@pytest.fixture(scope="module")
def plans(small, tmp_path_factory):
    """Case -> the rules that a dry run after the change would run."""
    folder = tmp_path_factory.mktemp("reruns")

    def plan(case):
        workflow = copy_of(small, folder / str(list(CASES).index(case)))
        CASES[case][0](workflow)
        return set(workflow.planned(*OVERLAY))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(CASES, pool.map(plan, CASES), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_a_change_reruns_what_rests_on_it(case, plans):
    assert plans[case] == CASES[case][1]


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
