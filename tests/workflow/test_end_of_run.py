"""What a finished run leaves to look at: tables as parquet, the lines at its end, Snakemake's own report."""

import json
import re
import shutil

import pandas as pd
import pytest

from babylogue.report.ending import ending
from babylogue.report.tables import MISSING_COLUMNS, SOURCE_COLUMNS, missing_table, read_table
from support.project import Workflow, copy_of
from support.small_workflow import OVERLAY

MODELS = ("base", "dpo_natural", "dpo_mixed", "ppo_bleu", "grpo", "rloo")
PAIRS = ("natural", "synthetic", "syntax", "mixed", "dialogue_words")


def test_every_table_is_parquet_too_with_the_same_values(small):
    report = small.folder / "results/report"
    tables = sorted(path.stem for path in report.glob("*.csv"))
    assert {*tables, "items"} == {path.stem for path in report.glob("*.parquet")}
    assert {"scores", "sources", "missing", "trajectory_fits"} <= set(tables)
    for table in tables:
        parquet = pd.read_parquet(report / f"{table}.parquet")
        pd.testing.assert_frame_equal(parquet, read_table(report / f"{table}.csv"))
        assert object not in set(parquet.dtypes), table
    scores = pd.read_parquet(report / "scores.parquet")
    assert (scores["seed"].dtype, scores["value"].dtype) == ("int64", "float64")


def test_the_table_of_models_says_what_each_is_judged_by(small):
    table = read_table(small.folder / "results/report/models.csv")
    assert table.to_numpy().tolist() == [
        ["base", "pretrain", "", "", "final"],
        ["dpo_natural", "dpo", "base", "final", "best"],
        ["dpo_mixed", "dpo", "base", "final", "best"],
        ["ppo_bleu", "ppo", "base", "final", "best"],
        ["grpo", "grpo", "base", "final", "best"],
        ["rloo", "rloo", "base", "final", "best"],
    ]


def test_names_are_texts_whatever_they_look_like(tmp_path):
    row = {"suite": "null", "files": 2, "revision": "0012", "sha256": "11e2", "as_pinned": True}
    pd.DataFrame([row], columns=SOURCE_COLUMNS).to_csv(tmp_path / "sources.csv", index=False)
    (read,) = read_table(tmp_path / "sources.csv").to_dict("records")
    assert {name: read[name] for name in row} == row
    assert read["url"] == ""


# --- the last lines -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_end_of_a_run_says_what_was_made_and_where_to_look(small, tmp_path):
    workflow = copy_of(small, tmp_path)
    page = "results/report/index.html"
    (workflow.folder / page).unlink()
    (workflow.folder / "results/report/scores.parquet").unlink()
    quiet = workflow.snakemake("--cores", "1", *OVERLAY, "--", "results/report/scores.parquet").stdout
    assert "Done." not in quiet and "Made:" not in quiet
    told = workflow.snakemake("--cores", "1", *OVERLAY, "--", page).stdout
    assert "Done. The report is results/report/index.html, its table results/report/scores.csv." in told
    assert "Made: 6 models with 1 seed, 10 scores on 3 suites" in told
    assert "Left out:" not in told
    assert "`babylogue chat dpo_natural`, to talk to a model" in told


def test_a_run_that_fails_says_where_the_logs_are_and_how_to_go_on(small, tmp_path):
    workflow = copy_of(small, tmp_path)
    workflow.write("results/report/missing.csv", "")  # no table
    failed = workflow.snakemake("--cores", "1", *OVERLAY, "--", "results/report/missing.parquet", check=False)
    assert failed.returncode == 1
    told = " ".join(failed.stdout.split())
    assert "Not done. Each job that failed is named above with its log in results/logs" in told
    assert "run the same command again" in told


def test_what_was_left_out_is_told_with_the_reason(small, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(small.folder / "results/report", results / "report")
    (results / "corpus").mkdir()
    rejected = pd.DataFrame({"transcript": ["a", "b"], "corpus": "Made", "reason": ["no end", "no end"]})
    rejected.to_csv(results / "corpus/rejected.csv", index=False)
    missing = [
        ("blimp", "no folder has it", "x"),
        ("ewok", "HF_TOKEN: not set", "y"),
        ("comps", "no folder has it", "x"),
    ]
    missing_table([dict(zip(MISSING_COLUMNS, row, strict=True)) for row in missing]).to_csv(
        results / "report/missing.csv", index=False
    )
    runs = read_table(results / "report/rewarded_runs.csv").assign(stopped="KL above 25", final_step=17)
    runs.to_csv(results / "report/rewarded_runs.csv", index=False)
    told = ending(results, ["base", "ppo_bleu"], [0, 1], talk_to="base").splitlines()
    assert told[1].startswith("Made: 2 models with 2 seeds, 10 scores on 3 suites")
    assert told[2:6] == [
        "Left out: blimp, comps: no folder has it.",
        "Left out: ewok: HF_TOKEN: not set.",
        f"Left out: 2 transcripts, which could not be read: {results}/corpus/rejected.csv.",
        "Left out: the rest of ppo_bleu, seed 0, which its guard stopped at step 17: KL above 25.",
    ]
    assert f"`babylogue chat base --results {results}`" in told[-1]


# --- snakemake --report -------------------------------------------------------------------------------------


def assigned(page: str, name: str):
    """The value of a variable in the scripts of Snakemake's report."""
    return json.JSONDecoder().raw_decode(page, re.search(rf'\bvar {name} = (?=["{{])', page).end())[0]


def test_snakemakes_report_has_the_main_results_with_captions_and_needs_no_network(small, tmp_path):
    workflow = Workflow(small.folder, {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"})
    workflow.snakemake(*OVERLAY, "--report", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r'(src|href)="https?:', page)
    files = {
        category: {file for own in groups.values() for file in own}
        for category, groups in assigned(page, "categories").items()
    }
    tables = {f"results/report/{path.name}" for path in (small.folder / "results/report").glob("*.csv")}
    figures = list((small.folder / "results/report/figures").glob("*.svg"))
    assert len(figures) > 5
    assert files == {
        "Report": {"results/report/index.html"},
        "Figures": {f"results/report/figures/{path.name}" for path in figures},
        "Tables": tables,
        "Pair cards": {f"results/pairs/{name}.card.json" for name in PAIRS},
        "Model cards": {f"results/models/{run}/seed0/README.md" for run in MODELS},
    }
    results = assigned(page, "results")
    assert all(len(result["caption"]) > 60 for result in results.values())
    card = results["results/models/dpo_natural/seed0/README.md"]
    assert card["labels"] == {"model": "dpo_natural", "seed": "0"}
    assert ">dpo_natural</tt> (seed 0)" in card["caption"]
    assert "Language models of child-caregiver dialogue" in assigned(page, "workflow_desc")


def test_every_caption_is_of_something(project):
    rules = "".join(path.read_text() for path in (project.folder / "rules").glob("*.smk"))
    named = set(re.findall(r"captions/(\w+)\.rst", rules)) | set(re.findall(r'shown\("(\w+)"\)', rules))
    assert {path.stem for path in (project.folder / "rules/captions").iterdir()} == named
