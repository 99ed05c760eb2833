"""The tables and the page, from hand-made scores of invented models."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from babylogue.analysis.comparisons import comparisons_table
from babylogue.analysis.fits import trajectory_fits
from babylogue.analysis.trajectories import checkpoint_words, trajectories
from babylogue.benchmarks import COLUMNS as BENCHMARK_COLUMNS
from babylogue.report.replies import REPLY_COLUMNS
from babylogue.report.run_record import stages_table
from babylogue.report.settings import ReplySettings
from babylogue.report.summary import cells, chance, headline, pool
from babylogue.report.tables import COLUMNS, missing_table, read_table, scores_table, sources_table
from babylogue.suites.zorro import SUITES
from support.invented_results import (
    BASELINES,
    CARDS,
    COMPARISONS,
    CORRELATIONS,
    LOGS,
    MODELS,
    PART,
    REWARDED_RUNS,
    SCORES,
    STATISTICS,
    Page,
    difference,
    page_of,
    row,
    table,
)

KEYS = ["run", "suite", "group", "metric"]


default_page = cache(page_of)


def test_scores_table_holds_every_row_of_every_file(tmp_path):
    metric = {"metric": "accuracy", "value": 60.0, "ci_low": None, "ci_high": 70.0, "n": 9}
    for name, groups in (("a", ["all", "x"]), ("b", ["all"])):
        score = {"run": "base", "seed": 1, "checkpoint": "final", "suite": name}
        score["rows"] = [{"group": group, **metric} for group in groups]
        (tmp_path / name).write_text(json.dumps(score))
    found = scores_table([tmp_path / "a", tmp_path / "b"])
    assert list(found) == COLUMNS
    assert found[["suite", "group"]].values.tolist() == [["a", "all"], ["a", "x"], ["b", "all"]]
    assert found["ci_low"].isna().all() and (found["ci_high"] == 70).all()
    assert list(scores_table([])) == COLUMNS


@pytest.mark.parametrize(
    ("name", "words"), [("chck_50K", 50_000), ("chck_1M", 1_000_000), ("chck_123", 123), ("best", np.nan)]
)
def test_checkpoint_words(name, words):
    np.testing.assert_equal(checkpoint_words(name), words)


def test_trajectories_ascend_in_words_and_leave_out_what_has_none():
    scores = table(
        row("zeta", "s", 60.0),
        row("zeta", "s", 52.0, checkpoint="chck_1M"),
        row("zeta", "s", 51.0, checkpoint="chck_200K"),
        row("zeta", "s", 59.0, checkpoint="best"),
        row("zeta", "s", 1.0, checkpoint="chck_200K", group="x"),
        row("alpha", "s", 50.0, checkpoint="chck_200K"),
        row("alpha", "s", 58.0, seed=1),
    )
    found = trajectories(scores, {("zeta", 0): 2_000_000})
    assert found[["run", "checkpoint", "words", "value"]].values.tolist() == [
        ["zeta", "chck_200K", 200_000, 51.0],
        ["zeta", "chck_1M", 1_000_000, 52.0],
        ["zeta", "final", 2_000_000, 60.0],
        ["alpha", "chck_200K", 200_000, 50.0],
    ]
    assert found["words"].dtype.kind == "i"
    assert trajectories(scores.head(0), {}).empty


def test_headline_and_pooled_seeds():
    assert headline(["ties", "accuracy_ties_half", "accuracy"]) == "accuracy"
    assert headline(["odd"]) == "odd"
    values = (50.0, 54.0, 55.0, None)
    scores = table(*(row("base", "s", value, seed=seed) for seed, value in enumerate(values)))
    cell = cells(scores, {"base": "final"})["base", "s", "all", "accuracy"]
    assert (cell.value, cell.range, cell.seeds) == (53.0, (50.0, 55.0), 4)
    # Standard error sqrt(7 / 3) of three seeds, Student's t with two degrees of freedom 4.303; items 2 either way.
    half = np.hypot(2, 4.3027 * np.sqrt(7 / 3))
    assert (cell.low, cell.high) == pytest.approx((53 - half, 53 + half), abs=1e-3)
    one = cells(table(row("base", "s", 50.3)), {"base": "final"})["base", "s", "all", "accuracy"]
    assert (one.low, one.high) == (50.3 - 2, 50.3 + 2)


def test_intervals_of_few_seeds_stay_within_what_the_metric_can_be():
    for metric, ends in (("accuracy", (0, 100)), ("spearman", (-1, 1)), ("partial_r2", (-np.inf, np.inf))):
        scores = table(
            *(row("base", "s", value, seed=seed, metric=metric) for seed, value in enumerate((0.5, 90.0)))
        )
        cell = cells(scores, {"base": "final"})["base", "s", "all", metric]
        assert (cell.low, cell.high) == ends or metric == "partial_r2"


def test_cells_are_those_of_each_groups_rows():
    draw = np.random.default_rng(0)
    scores = table(
        *(
            row(run, suite, draw.choice([draw.normal(60, 30), np.nan], p=[0.8, 0.2]), seed=seed, metric=metric)
            for seed in range(4)
            for metric in ("accuracy", "spearman", "odd")
            for suite in ("s", "t")
            for run in ("base", "dpo_natural", "elsewhere")
        )
    )
    scores = scores.sample(frac=0.8, random_state=1).assign(n=draw.integers(9, 99, 58))
    found = cells(scores, {"base": "final", "dpo_natural": "final"})
    own = scores[scores["run"] != "elsewhere"]
    expected = {key: pool(rows, key[-1]) for key, rows in own.groupby(KEYS, sort=False)}
    assert list(found) == list(expected) and len(found) == 12
    for key, cell in expected.items():
        np.testing.assert_equal(vars(found[key]), vars(cell))
    assert cells(scores.head(0), {"base": "final"}) == {}


def test_chance_is_that_of_the_suites_choices(monkeypatch):
    levels = {suite: chance(suite, "accuracy") for suite in ("blimp", "entity_tracking", "entity_tracking_fast")}
    assert levels == {"blimp": 50.0, "entity_tracking": 20.0, "entity_tracking_fast": 20.0}
    assert chance("of_another_version", "accuracy") == 50.0
    assert chance("entity_tracking", "spearman") == 0.0 and np.isnan(chance("glue_rte", "accuracy"))
    # A suite of one's own.
    monkeypatch.setitem(SUITES, "zorro", replace(SUITES["zorro"], choices=4))
    assert chance("zorro", "accuracy_mean") == 25.0
    assert Page(page_of(table(row("base", "zorro", 61.0)))).scores()["zorro", "Chance"] == "25.0"


def test_chance_is_known_without_torch():
    asked = """
import sys
from babylogue.report.summary import chance
from babylogue.suites.registry import NAMES
print(sum(chance(suite, "accuracy") > 0 for suite in NAMES), {"torch", "transformers"} & set(sys.modules))
"""
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True).stdout.split()
    assert int(said[0]) > 10 and said[1:] == ["set()"]


def test_tables_are_read_as_they_were_written(tmp_path):
    scores = table(row("NA", "null", None, group="nan"), row("1", "s", 60.0))
    curves = trajectories(scores, {("1", 0): 100_010})
    for written in (scores, COMPARISONS, BASELINES, curves, trajectory_fits(curves), BASELINES.head(0)):
        written.to_csv(tmp_path / "table.csv", index=False)
        found = read_table(tmp_path / "table.csv")
        pd.testing.assert_frame_equal(found, written, check_dtype=False)
        assert "nan" not in found.get("note", [])


def test_page_has_every_score_and_says_what_is_missing():
    page = Page(default_page())
    scores = page.scores()
    for suite, run, value in (
        ("dialogue_words", "base", "57.1 [55.1, 59.1]"),
        ("dialogue_words", "dpo_natural", "61.9 \N{BLACK UP-POINTING TRIANGLE} [59.9, 63.9]"),
        ("dialogue_words", "ppo_bleu", "55.4 [53.4, 57.4]"),
        ("toy_grammar", "base", "71.7 [69.7, 73.7]"),
        ("toy_grammar", "dpo_natural", "not scored"),
        ("wug_adj", "base", "-0.26 [-0.36, -0.16]".replace("-", "\N{MINUS SIGN}")),
        ("wug_adj", "dpo_natural", "undefined"),
        ("dialogue_words", "Chance", "50.0"),
        ("wug_adj", "Chance", "0.00"),
        ("dialogue_words", "Baseline", "63.8 word_crosses reply alone 50.6"),
        ("toy_grammar", "Baseline", ""),
    ):
        assert scores[suite, run] == value, (suite, run)
    groups = page.table("toy_grammar: accuracy of each group")
    assert [cells[0] for cells in groups.values()] == ["base", "80.2 [78.2, 82.2]", "63.3 [61.3, 65.3]"]
    baselines = page.table("Accuracy of shallow baselines")
    assert baselines["bigram"] == ["reply alone", "50.6 [48.0, 66.0]", "77.7 [48.0, 66.0]"]
    assert baselines["word_crosses"][0] == "prompt and reply"
    assert baselines["dpo_natural"] == ["language model", "61.9 [59.9, 63.9]", "not scored"]
    assert baselines["Baseline"][1:] == [
        "dialogue_words all pairs, 200 learnt from natural",
        "dialogue_words no shared token, 90 learnt from natural",
    ]
    assert page.table("Cards of the pair sets") == {
        "Quantity": ["natural", "mixed"],
        "pairs sizes": ["4,321", "1,500"],
        "short_prompt filters": ["77", "\N{EN DASH}"],
        "mean_difference_tokens length": ["+0.25", "\N{EN DASH}"],
        "accuracy_percent reply_only": ["50.0 [48.5, 51.5]", "\N{EN DASH}"],
    }
    assert page.table("Corpus by part")["pretrain"][-3:] == ["9,876", "55", "7"]
    assert page.table("Utterances by the speaker's role")["Target Child"] == ["40", "200", "30"]
    assert list(page.table("Utterances by the target child's age in years")) == ["Ages", "2", "unknown"]
    assert page.table("Models")["dpo_natural"] == ["dpo", "base, final", "pairs natural", ""]
    assert page.table("dialogue_words: the numbers")["base"][0] == "100,010"
    assert page.table("Validation loss: the numbers") == {
        "Model": ["Words", "Value"],
        "base, chck_50K": ["50,040", "3.40"],
        "base, best": ["50,040", "3.40"],
        "base, final": ["100,010", "3.50"],
    }


def without_scripts(text: str) -> str:
    """The page but for what stands in script elements, whose ends the page writes itself."""
    return re.sub(r"<script\b.*?</script>", "", text, flags=re.DOTALL)


def test_page_asks_the_network_for_nothing():
    text = default_page()
    page = Page(text)
    shown = without_scripts(text)
    assert "http" not in re.sub("http-equiv", "", shown)
    assert "//" not in re.sub(r"<style>.*?</style>", "", shown, flags=re.DOTALL)
    assert "@import" not in text and "url(" not in re.sub(r"url\(#[\w.-]+\)", "", shown)
    policy = next(
        value for tag, name, value in page.attributes if (tag, name) == ("meta", "content") and "src" in value
    )
    assert policy.startswith("default-src 'none';") and "unsafe-eval" not in policy
    assert not re.search(r"<script[^>]*\ssrc", text)
    links = {value for _, name, value in page.attributes if name in ("src", "href", "xlink:href")}
    assert {link for link in links if not link.startswith(("#", "data:", "figures/"))} == {
        "scores.csv", "comparisons.csv", "baselines.csv", "trajectories.csv", "trajectory_fits.csv",
        "pair_cards.csv",
    }  # fmt: skip
    assert len(text.encode()) < 2_000_000


def test_the_papers_figures_stand_beside_ours_where_they_compare():
    def beside(page):
        (rows,) = (rows for caption, rows in page.tables.items() if caption.startswith("The paper's figures"))
        return {
            (row[0].split()[0], name): cell for row in rows[1:] for name, cell in zip(rows[0], row, strict=True)
        }

    scores = table(
        row("base", "blimp", 55.0, n=900),
        row("base", "zorro", 60.0),
        row("base", "zorro", 62.5, metric="accuracy_word_corrected_minicons"),
    )
    real = Page(page_of(scores, source="local"))
    assert real.scores()["blimp", "base"] == "55.0 [53.0, 57.0] paper 56.0"
    assert real.scores()["zorro", "base"] == "60.0 [58.0, 62.0]"  # the paper's is by another metric
    assert beside(real)["zorro", "base"] == "65.50 base 62.5 [60.5, 64.5]"
    assert beside(real)["zorro", "simpo"] == "77.70" and beside(real)["wug_past", "simpo"] == "\N{EN DASH}"
    toy = Page(page_of(scores))
    assert toy.scores()["blimp", "base"] == "55.0 [53.0, 57.0]"
    assert beside(toy)["zorro", "base"] == "65.50"
    assert "Models of generated talk do not compare" in " ".join(toy.text)


def test_the_papers_figures_are_of_the_runs_that_follow_it_and_of_its_own_pairs():
    runs = ("dpo_natural", "by_the_paper", "dpo_strong")
    row_of = {"method": "dpo", "checkpoint": "final", "parent": "base"}
    papers = [{"model": "dpo_natural", "mended": mended} for mended in (True, False)] + [None]
    models = [MODELS[0], *({"run": run, "paper": own} | row_of for run, own in zip(runs, papers, strict=True))]
    suites = ("blimp", "dialogue_words_published")
    scores = table(
        *(row(run, suite, 60.0) for run in runs for suite in suites),
        *(row(run, suites[1], 61.0, metric="accuracy_word_corrected_minicons") for run in runs),
    )
    compared = {"models": models, "source": "local", "comparisons": COMPARISONS.head(0)}
    theirs = {suites[1]: (suites[1], True)}
    page = Page(page_of(scores, **compared, pair_suites=theirs))
    assert page.scores()["blimp", "by_the_paper"].endswith("] paper 55.6")
    assert page.scores()["blimp", "dpo_strong"] == "60.0 [58.0, 62.0]"
    assert page.scores()["blimp", "dpo_natural"].endswith("] paper, unmended 55.6")
    (rows,) = (rows for caption, rows in page.tables.items() if caption.startswith("The paper's figures"))
    beside = {cells[0].split()[0]: dict(zip(rows[0], cells, strict=True)) for cells in rows}
    assert beside[suites[1]]["dpo_natural"] == (
        "68.40 dpo_natural 61.0 [59.0, 63.0] by_the_paper 61.0 [59.0, 63.0]"
    )
    for own in ({suites[1]: (suites[1], False)}, {suites[1]: (None, False)}):
        page = Page(page_of(scores, **compared, pair_suites=own))
        assert "68.40" in " ".join(page.text) and "61.0 [" not in str(page.table("The paper's figures"))
    renamed = scores.replace({"suite": {suites[1]: "pairs_of_the_paper"}})
    page = Page(page_of(renamed, **compared, pair_suites={"pairs_of_the_paper": (suites[1], True)}))
    assert "68.40 dpo_natural 61.0 [59.0, 63.0]" in str(page.table("The paper's figures"))


def test_a_page_that_quotes_transcripts_says_so():
    said = "This page quotes transcripts"
    replies = pd.DataFrame(
        [("*MOT: hi .", "hello .", "Made", "one", 30.0, "base", 0, "final", 0, "yes .", True)],
        columns=REPLY_COLUMNS,
    )
    quoting = {"replies": replies, "sampling": ReplySettings().model_dump()}
    assert said in page_of(**quoting, source="local")
    assert said not in page_of(**quoting) and said not in page_of(source="local")


def test_a_run_whose_best_is_its_start_is_said_to_be_its_parent():
    models = [model | ({"checkpoint": "best"} if model["run"] == "ppo_bleu" else {}) for model in MODELS]
    scores = SCORES.assign(checkpoint=SCORES["checkpoint"].mask(SCORES["run"] == "ppo_bleu", "best"))
    moved, unmoved = (
        page_of(scores, models, rewarded_runs=REWARDED_RUNS.assign(best_step=step)) for step in (40, 0)
    )
    assert "ppo, best: its parent" in unmoved and "the start is what was kept" in unmoved
    assert "its parent<" not in moved and "the start is what was kept" not in moved


def test_a_model_with_the_weights_of_its_parent_is_said_to_be_it():
    same = difference("dpo_natural", "dialogue_words", 0.0, np.nan, half=0.0) | {"test": "same_weights"}
    other = difference("ppo_bleu", "dialogue_words", -1.7, 0.4)
    page = Page(page_of(comparisons=comparisons_table([same, other])))
    (head,) = (rows[0] for caption, rows in page.tables.items() if caption.startswith("Scores;"))
    assert [name for name in head if "its parent" in name] == ["dpo_natural dpo: its parent"]
    found = page.table("Differences between models")
    assert found["dialogue_words accuracy; 200 items"][0] == "0 same weights"
    assert "for the 1 test of the family" in " ".join(" ".join(page.text).split())


def test_a_mark_is_of_the_parents_checkpoint_that_the_model_starts_from():
    """A model that starts from an early checkpoint of the reference is compared with it at two checkpoints."""
    models = [MODELS[0], MODELS[1] | {"parent_checkpoint": "chck_50K"}]
    rows = [
        difference("dpo_natural", "dialogue_words", value, 1e-6, against_checkpoint=name)
        for name, value in (("final", -5.0), ("chck_50K", 5.0))
    ]
    for order in (rows, rows[::-1]):
        scores = Page(page_of(models=models, comparisons=comparisons_table(order))).scores()
        assert "\N{BLACK UP-POINTING TRIANGLE}" in scores["dialogue_words", "dpo_natural"]


def test_page_says_what_made_the_models_and_what_it_took():
    made = {"settings": {"beta": 0.1}, "commit": "c0ffee", "python": "3.12.1", "packages": {"torch": "2.13.0"}}
    settings = {"base": made, "dpo_natural": made | {"commit": "bead", "packages": {"torch": "2.11.0"}}}
    benchmarks = pd.DataFrame(
        [
            ("models", "base/seed0", 100.0, 150.0, 900.0),
            ("models", "base/seed1", 3500.0, np.nan, 800.0),
            ("scores", "base/seed0/final/blimp", 61.0, 60.0, np.nan),
        ],
        columns=BENCHMARK_COLUMNS,
    )
    page = Page(page_of(settings=settings, stages=stages_table(benchmarks)))
    assert page.table("What the jobs of each stage took") == {
        "Stage": ["Jobs", "Wall time", "Processor time", "Largest memory, MB"],
        "training base": ["2", "1:00:00", "0:02:30", "900"],
        "scores": ["1", "0:01:01", "0:01:00", "\N{EN DASH}"],
        "All": ["3", "1:01:01", "0:03:30", ""],
    }
    assert page.table("Versions that the models were made with")["torch"] == ["2.13.0, 2.11.0"]
    text = " ".join(" ".join(page.text).split())
    assert "Commit c0ffee : base." in text and "Commit bead : dpo_natural." in text and "beta: 0.1" in text


def test_ids_are_unique_and_links_inside_the_page_arrive():
    page = Page(default_page())
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    wanted = {
        value[1:] for _, name, value in page.attributes if name in ("href", "xlink:href") and value[:1] == "#"
    }
    wanted |= {value for _, name, value in page.attributes if name == "aria-labelledby"}
    assert wanted <= set(ids)


def test_figures_have_words_and_follow_the_colours_of_the_page():
    text = default_page()
    page = Page(text)
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == text.count("<figure ") == text.count("<figcaption>") == 8
    assert any("base: 51.3 at 50K words, 57.1 at 100K words." in label for label in labels)
    figures = re.findall(r'<svg[^>]* role="img".*?</svg>', text, re.DOTALL)
    assert len(figures) == 8
    colours = {colour for figure in figures for colour in re.findall(r'(?:fill|stroke)="([^"]*)"', figure)}
    assert {"var(--series-1)", "var(--series-2)", "var(--ink)", "var(--muted)", "var(--rule)"} <= colours
    assert {colour for colour in colours if not colour.startswith("var(")} <= {"none", "transparent"}
    assert not any("<style" in figure or "<script" in figure or " id=" in figure for figure in figures)
    assert "chance" in figures[0] and "word_crosses" in figures[0]


def test_dpo_is_shown_on_training_and_on_held_out_pairs():
    page = Page(default_page())
    rows = next(rows for caption, rows in page.tables.items() if caption.startswith("Evaluations during DPO"))
    minus = "\N{MINUS SIGN}"
    assert rows[0][3:5] == ["Accuracy, % training pairs", "Accuracy, % held-out pairs"]
    assert rows[1][:5] == ["dpo_natural seed 0", "0", "0.00", "61.00", "60.00"]
    assert rows[2][3:] == [
        "83.00", "64.00", "91.00", "70.00", "0.90", "0.25", "0.40", "0.05", f"{minus}0.50", f"{minus}0.20",
        "0.41", "0.60",
    ]  # fmt: skip
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    (accuracy,) = (label for label in labels if label.startswith("Training and held-out accuracy of dpo_natural"))
    assert "training pairs: 61.00 at step 0, 83.00 at step 10. held-out pairs: 60.00 at step 0, 64.00" in accuracy
    (rewards,) = (label for label in labels if label.startswith("Rewards of dpo_natural"))
    assert "rejected, held-out pairs: 0.00 at step 0, -0.20 at step 10." in rewards


def test_checkpoints_by_epoch_are_on_no_curve():
    scores = table(*(row("dpo_natural", "toy_grammar", 60.0, checkpoint=name) for name in ("epoch_1", "final")))
    assert trajectories(scores, {("base", 0): 100_010}).empty
    assert np.isnan(checkpoint_words("epoch_1"))
    assert Page(page_of(scores)).scores()["toy_grammar", "dpo_natural"] == "60.0 [58.0, 62.0]"


def test_names_from_files_are_escaped():
    evil = "<script>alert(1)</script>"
    models = [{"run": evil, "method": "pretrain", "checkpoint": "final", "text": evil}]
    scores = table(
        row(evil, evil, 51.0, checkpoint="chck_50K", metric=evil),
        *(row(evil, evil, 52.0, group=group, metric=evil) for group in ("all", evil, "x")),
    )
    text = page_of(
        scores,
        models,
        {evil: LOGS["base"]},
        judge=evil,
        source=evil,
        settings={
            evil: {"settings": {evil: evil}, "commit": evil, "python": evil, "packages": {evil: evil}},
        },
        stages=stages_table(pd.DataFrame([(evil, evil, 1.0, 1.0, 1.0)], columns=BENCHMARK_COLUMNS)),
        descriptions={evil: evil},
        baselines=BASELINES.assign(suite=evil, baseline=evil),
        pair_cards=CARDS.assign(pairs=evil, section=evil, quantity=evil).head(1),
        trajectories=trajectories(scores, {(evil, 0): 100_000}),
        fits=trajectory_fits(trajectories(scores, {(evil, 0): 100_000})).assign(note="", best="constant"),
        comparisons=COMPARISONS.assign(run=evil, against=evil, suite=evil, metric=evil, against_checkpoint=evil),
        statistics=STATISTICS | {"corpora": {evil: STATISTICS["corpora"]["Invented"]}, "parts": {evil: PART}},
    )
    page = Page(text)
    assert text.count("<script") == text.count("</script>") == 4 + text.count("<figure ")
    assert "alert(1)" not in re.sub(r"\\u003cscript\\u003ealert\(1\)|&lt;script&gt;alert\(1\)", "", text)
    assert without_scripts(text).count("&lt;script&gt;") > 15
    names = {value for tag, name, value in page.attributes if (tag, name) == ("figure", "id")}
    assert names == {"curve--script-alert-1-script-", "validation-loss"}


def test_benchmarks_that_are_missing_or_of_another_release_are_named():
    assert "Benchmarks" not in Page(default_page()).text
    missing = missing_table([{"suite": "ewok", "reason": "<b> is not set", "home": "https://example.org"}])
    source = {"path": "zorro/*.txt", "licence": "MIT", "home": "https://example.org", "expected": 23}
    read = [
        source | {"files": 22, "sha256": "a", "pinned": "b"},
        source | {"files": 23, "sha256": "b", "pinned": "b"},
        source | {"files": 23, "sha256": "b", "pinned": None},
    ]
    place = {"folder": "data", "release": None, "url": None, "revision": None}
    sources = sources_table(
        {"suite": f"zorro_{number}", **place, "sources": [own]} for number, own in enumerate(read)
    )
    page = Page(page_of(missing=missing, sources=sources.astype(str)))
    assert page.table("Suites without their files")["ewok"] == ["<b> is not set", "https://example.org"]
    files = page.table("Files that the suites were read from")
    assert files["zorro_0"] == ["zorro/*.txt: 22, 23 expected", "data", "MIT", "no, another release"]
    assert files["zorro_1"] == ["zorro/*.txt: 23", "data", "MIT", "yes"]
    assert files["zorro_2"][-1] == "not pinned"


def test_notes_on_what_the_numbers_are_worth():
    toy = default_page()
    assert "not fit to judge" in toy and "generated talk" in toy
    real = page_of(judge="smollm2", judge_fits=True, source="local")
    assert "not fit to judge" not in real and "generated talk" not in real
    assert "<code>smollm2</code>" in real
    assert "udge" not in page_of(judge=None).split("What was run")[1].split("</section>")[0]


def test_several_seeds():
    scores = table(
        *(row("base", "toy_grammar", value, seed=seed) for seed, value in enumerate((70.0, 72.0))),
        *(row("base", "toy_grammar", 60.0, seed=seed, checkpoint="chck_50K") for seed in (0, 1)),
    )
    curves = trajectories(scores, {("base", 0): 100_010, ("base", 1): 100_030})
    page = Page(page_of(scores, seeds=(0, 1), trajectories=curves))
    # Student's t of two seeds: 12.706 times a standard error of 1, and 2 of the items, as squares.
    assert page.scores()["toy_grammar", "base"] == "71.0 [58.1, 83.9] seeds 70.0 to 72.0"
    numbers = next(rows for caption, rows in page.tables.items() if caption.startswith("toy_grammar: the numbers"))
    assert [cells[1] for cells in numbers[1:]] == ["50,000", "100,020"]
    assert "means over 2 seeds" in " ".join(" ".join(page.text).split())


def test_only_differences_that_hold_are_marked():
    page = Page(default_page())
    found = page.table("Differences between models")
    assert found["Suite"] == ["dpo_natural minus base", "ppo_bleu minus base", "ppo_bleu minus dpo_natural, best"]
    assert found["dialogue_words accuracy; 200 items"] == [
        "+4.8 \N{BLACK UP-POINTING TRIANGLE} [2.8, 6.8]",
        "\N{MINUS SIGN}1.7 [\N{MINUS SIGN}3.7, 0.3]",
        "\N{MINUS SIGN}6.5 \N{BLACK DOWN-POINTING TRIANGLE} [\N{MINUS SIGN}8.5, \N{MINUS SIGN}4.5]",
    ]
    # Its interval excludes zero and p is 0.04, but four comparisons were made.
    assert found["wug_adj spearman; 200 items"] == ["+0.12 [0.02, 0.22]", "undefined", "not compared"]
    text = " ".join(" ".join(page.text).split())
    assert "for the 4 tests of the family, is below 0.05: 2 are marked" in text
    assert "these two trained models" in text
    assert "these two trained models" not in " ".join(" ".join(Page(page_of(seeds=(0, 1))).text).split())
    assert 'id="differences"' not in page_of(comparisons=COMPARISONS.head(0))


def learning_page(values, half=0.3):
    """The page of one model scored at seven checkpoints, and its one fit."""
    names = [f"chck_{words}K" for words in (5, 10, 15, 20, 40, 60, 80)]
    scores = table(
        *(
            row("base", "toy_grammar", value, checkpoint=name, half=half)
            for name, value in zip(names, values, strict=True)
        ),
        row("base", "toy_grammar", values[-1], half=half),
    )
    return Page(page_of(scores))


def test_a_curve_has_its_form_and_peak_in_words_where_they_hold():
    words = np.array([5.0, 10, 15, 20, 40, 60, 80])
    rising = learning_page(80 - 60 * words**-0.5)
    assert "base: power." in " ".join(rising.text)
    peaked = learning_page(70 - 20 * np.log10(words / 15) ** 2)
    said = " ".join(" ".join(peaked.text).split())
    assert "peaks at 15K (15K to 20K) words and falls after it, as none of the forms does." in said
    fits = next(rows for caption, rows in peaked.tables.items() if caption.startswith("Error on left-out"))
    assert fits[1][-1] == "yes" and fits[1][0].startswith("toy_grammar base; accuracy, 8 checkpoints")
    flat = learning_page(60 + np.array([0.1, -0.2, 0.1, 0.2, -0.1, 0.0, 0.1]), half=2.0)
    assert "base: not told from a constant." in " ".join(flat.text)
    assert (
        next(rows for caption, rows in flat.tables.items() if caption.startswith("Error on"))[1][-1] == "not shown"
    )
    assert "five checkpoints that a form can be fitted to" in " ".join(" ".join(Page(default_page()).text).split())


@pytest.mark.parametrize("baselines", [BASELINES, BASELINES.head(0)], ids=["baselines", "none"])
def test_a_single_checkpoint_without_a_curve(baselines):
    text = page_of(table(row("base", "toy_grammar", 61.0)), baselines=baselines)
    assert "No suite was scored at more than one checkpoint" in text
    assert ('id="baselines"' in text) == bool(len(baselines))
    Page(text)


def test_what_the_guard_did_stands_beside_the_curves():
    reason = "entropy (nats a token) is 0.31 over the last 2 steps, below min_entropy 0.5"
    log = pd.DataFrame(
        {"step": range(5), "reward_mean": 0.1, "kl_full": 0.2, "empty_share": 0.0, "reply_tokens": 4.0}
    ).assign(checkpoint=["best", None, "best", None, None], stopped=[None] * 4 + [reason])
    text = page_of(SCORES, logs=LOGS | {"ppo_bleu": log})
    told = f"Seed 0 was stopped at step 4: {reason}. The checkpoint best of seed 0, ringed, is step 2."
    assert text.count(told) == 4  # reward, KL, length, shares
    for title in ("Reward", "KL from the parent", "Length of the replies", "Replies"):
        assert f"{title} of ppo_bleu" in text
    assert without_scripts(text).count(">stopped<") == 2 * 4  # over a halo each
    calm = page_of(SCORES, logs=LOGS | {"ppo_bleu": log.assign(stopped=np.nan)})
    assert "was stopped" not in calm and ">stopped<" not in without_scripts(calm)


def test_undefined_numbers_leave_the_page_whole():
    scores = table(
        *(row("base", "toy_grammar", None, checkpoint=name) for name in ("chck_50K", "chck_100K", "final")),
        row("base", "wug_adj", np.nan, metric="spearman"),
    )
    empty = {"ppo_bleu": LOGS["ppo_bleu"].assign(held_out_accuracy=np.nan, reward_mean=np.nan)}
    text = page_of(scores, logs=LOGS | empty)
    page = Page(text)
    assert page.scores()["toy_grammar", "base"] == page.scores()["wug_adj", "base"] == "undefined"
    assert "base: no value." in text
    assert "Reward of ppo_bleu" not in text
    visible = " ".join(page.text).casefold()
    assert not re.search(r"\b(nan|none)\b", visible)


def test_runs_on_rewarded_replies_stand_in_tables():
    page = Page(page_of(rewarded_runs=REWARDED_RUNS, correlations=CORRELATIONS))
    rows = page.tables[next(caption for caption in page.tables if caption.startswith("At the start"))][-3:]
    assert [row[0] for row in rows] == ["ppo_bleu ppo, seed 0"] * 3
    assert rows[0][1:] == ["960", "start", "0", "0.11", "", "51.0", "0.00", "3.10", "0.61", ""]
    assert rows[1][1:] == ["960", "best", "40", "0.25", "", "52.3", "1.75", "2.90", "0.57", ""]
    assert rows[2][2:5] == ["final", "60", "0.27"] and rows[2][5] == "0.16 [0.05, 0.27]"
    assert rows[2][-1] == "KL <above> 2"
    _, known, unknown = page.tables["Correlation of reward and dialogue accuracy"]
    assert known == ["ppo_bleu", "bleu", "30 1 seed", "0.41 [0.10, 0.62]"]
    assert unknown == ["ppo_bleu", "bleu", "0 0 seeds", "\N{EN DASH}"]


def test_the_alternatives_to_ppo_have_its_charts():
    models = [
        *MODELS,
        {"run": "grpo_bleu", "method": "grpo", "checkpoint": "best", "parent": "base", "reward": "bleu"},
    ]
    text = page_of(models=models, logs=LOGS | {"grpo_bleu": LOGS["ppo_bleu"]})
    assert "Reward of grpo_bleu" in text and "Reward of ppo_bleu" in text
    owners = dict(re.findall(r'<figure id="([^"]+)"(?: data-run="([^"]+)")?>', text))
    assert owners["reinforcement-reward-ppo_bleu"] == "ppo_bleu"
    assert owners["reinforcement-accuracy"] == "", "of several models: none hides it"
    assert "Reward of grpo_bleu" not in default_page()
