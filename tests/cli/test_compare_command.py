"""`babylogue compare`: against comparisons.csv of the workflow, and where seeds, suites and checkpoints differ."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from babylogue.analysis.differences import holm, of_credits
from support.command_line import babylogue, refused
from support.project import copy_of
from support.small_workflow import OVERLAY
from support.written_scores import write_scores


def test_differences_are_those_of_the_report(small):
    results = small.folder / "results"
    done = babylogue("compare", "dpo_natural", "base", "--json", "--results", results)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["a"], found["b"]) == (
        {"run": "dpo_natural", "checkpoint": "best"},
        {"run": "base", "checkpoint": "final"},
    )
    table = pd.DataFrame(found["differences"]).astype({"p": float, "p_holm": float})
    report = pd.read_csv(results / "report/comparisons.csv").query("run == 'dpo_natural' and against == 'base'")
    columns = [name for name in report if name not in ("p_holm", "family", "differs")]
    order = ["suite", "metric"]
    pd.testing.assert_frame_equal(
        table[columns].sort_values(order, ignore_index=True),
        report[columns].sort_values(order, ignore_index=True),
        check_dtype=False,
    )
    assert (table["a"] - table["b"]).to_numpy() == pytest.approx(table["difference"].to_numpy())
    # Fewer are shown than the report has, so less is adjusted for.
    headline = table["metric"] == "accuracy"
    adjusted = holm(table.loc[headline, "p"])
    assert table.loc[headline, "p_holm"].to_numpy() == pytest.approx(adjusted, nan_ok=True)
    assert table.loc[~headline, "p_holm"].isna().all() and (~headline).any()


@pytest.mark.slow
def test_a_model_that_is_its_parent_bit_for_bit_is_no_test(small, tmp_path):
    """Steps that change no weight: of the run nothing is left but its start."""
    workflow = copy_of(small, tmp_path)
    config = yaml.safe_load(workflow.read("small.yaml"))
    still = {"method": "ppo", "parent": "base", "reward": "bleu", "prompts": 32, "learning_rate": 1.0e-300}
    config["models"]["ppo_still"] = still
    (grid,) = (grid for grid in config["evaluate"]["scores"] if grid["suites"] == ["toy_grammar"])
    grid["models"].append("ppo_still")
    workflow.write("small.yaml", yaml.safe_dump(config))
    workflow.snakemake("--cores", "1", *OVERLAY, "--", "results/report/comparisons.csv")
    table = pd.read_csv(workflow.folder / "results/report/comparisons.csv").set_index("run")
    own, others = table.loc["ppo_still"], table.drop("ppo_still")
    assert set(own["suite"]) == {"dialogue_words", "toy_grammar"} and set(own["test"]) == {"same_weights"}
    assert (own[["difference", "ci_low", "ci_high"]] == 0).all(axis=None)
    assert own[["p", "p_holm", "family"]].isna().all(axis=None)
    before = pd.read_csv(small.folder / "results/report/comparisons.csv").set_index("run")
    pd.testing.assert_frame_equal(
        others.sort_values("suite", kind="stable"), before.sort_values("suite", kind="stable")
    )
    done = babylogue("compare", "ppo_still", "base", "--results", workflow.folder / "results")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"\+0\.00 +\+0\.00 to \+0\.00", done.stdout)) == 3


@pytest.fixture
def results(tmp_path):
    """Runs a (seeds 0, 1, 2; checkpoints best and final) and b (seeds 1, 2, 5; final), and one more suite of a."""
    (tmp_path / "models/a/seed0").mkdir(parents=True)
    (tmp_path / "models/a/seed0/settings.yaml").write_text("method: dpo\n")  # so it is judged by `best`
    random = np.random.default_rng(0)
    for seed in (0, 1, 2):
        write_scores(tmp_path, "a", "best", seed, random.random(300) < 0.8)
        write_scores(tmp_path, "a", "final", seed, random.random(300) < 0.5)
        write_scores(tmp_path, "a", "best", seed, random.random(40) < 0.8, suite="blimp_fast")
    for seed in (1, 2, 5):
        write_scores(tmp_path, "b", "final", seed, random.random(300) < 0.5)
    return tmp_path


def decisions(results, run, checkpoint):
    files = [results / "scores" / run / f"seed{seed}" / checkpoint / "toy_grammar.parquet" for seed in (1, 2)]
    return np.array([pd.read_parquet(file)["correct"] for file in files])


def test_common_seeds_and_suites_at_the_checkpoints_that_are_named(results):
    done = babylogue("compare", "a", "b", "--json", "--results", results)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["differences"]
    wanted = of_credits(decisions(results, "a", "best"), decisions(results, "b", "final"), ["one"] * 300)
    assert row["seeds"] == 2 and row["n"] == 300 and row["test"] == "two_level"
    assert [row[name] for name in ("difference", "ci_low", "ci_high")] == pytest.approx(
        [100 * number for number in wanted[:3]]
    )
    assert row["p"] == row["p_holm"] == pytest.approx(wanted.p)
    assert row["a"] - row["b"] == pytest.approx(row["difference"])

    plain = babylogue("compare", "a/best", "a/final", "--suite", "toy_grammar", "--results", results)
    head, empty, columns, line = plain.stdout.splitlines()
    assert (head, empty) == ("a: a/best   b: a/final", "")
    assert columns.split()[:4] == ["suite", "metric", "items", "seeds"]
    assert line.split()[:4] == ["toy_grammar", "accuracy", "300", "3"]
    assert line.endswith("*")  # 30 points


def test_a_run_is_taken_at_the_checkpoint_that_the_report_judges_it_by(results):
    def side():
        return babylogue("compare", "a", "b", "--results", results).stdout.splitlines()[0]

    assert side() == "a: a/best   b: b/final"  # without a report by its method
    table = results / "report/models.csv"
    table.parent.mkdir()
    table.write_text("run,method,parent,parent_checkpoint,checkpoint\nother,dpo,base,final,final\n")
    assert side() == "a: a/best   b: b/final"
    with table.open("a") as file:
        file.write("a,dpo,base,final,final\n")
    assert side() == "a: a/final   b: b/final"
    table.write_text("nothing\nof the kind\n")
    message = refused("compare", "a", "b", "--results", results)
    assert message == f"babylogue: {table}: it cannot be read; delete it and run snakemake"


def test_runs_that_cannot_be_compared(results):
    def said(*arguments):
        return refused("compare", *arguments, "--results", results)

    assert "there are a, b" in said("c", "b")
    assert "those of b that are: final" in said("a", "b/best")
    assert "both are a/best" in said("a", "a/best")
    assert "suites that both have: toy_grammar" in said("a", "b", "--suite", "blimp_fast")
    write_scores(results, "alone", "final", 9, [True, False])
    assert "no suite that both are scored on" in said("alone", "b")
    write_scores(results, "other", "final", 1, [True, False])
    assert "were scored on different items" in said("other", "b")
    (results / "scores/other/seed1/final/toy_grammar.parquet").write_text("cut off")
    message = said("other", "b")
    assert "toy_grammar.parquet: it cannot be read as a score" in message
    assert "required: RUN" in refused("compare", "a", status=2)
