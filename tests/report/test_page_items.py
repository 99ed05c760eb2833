"""Items one by one: the table, what the page has of it, and the explorer in a real browser."""

import json
import runpy
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from babylogue.errors import UserError
from babylogue.report.items import (
    COMPACT,
    PAGE_BYTES,
    decisions_of,
    items_section,
    page_data,
    read_scores,
    shown_first,
    suite_data,
)
from babylogue.report.page import Results
from babylogue.suites.registry import NAMES, load
from support.browser import page_in_chromium
from support.invented_results import MODELS, page_of
from support.project import PROJECT
from support.small_workflow import OVERLAY

RUNS = [model["run"] for model in MODELS]
EVIL = '</script><script>alert("1")</script><!-- & <b> \u2028'
MINUS = "\N{MINUS SIGN}"
# What a spreadsheet would run, by the place of the item.
FORMULAS = {9: ["=1+2", "+1,2"], 10: ["-2 , yes", "@SUM(A1)"], 11: ["\t=1", "\r=2"]}
SECRET = "nobody may copy this"


def items_of(suite: str, count: int, groups: int, candidates: int = 2, context: str = "") -> pd.DataFrame:
    """Invented items; the right candidate stands anywhere."""
    names = [f"group_{number % groups}" for number in range(count)]
    draw = np.random.default_rng(count)
    return pd.DataFrame(
        {
            "item": [f"{name}_{number}" for number, name in enumerate(names)],
            "group": names,
            "contexts": [[context] * candidates] * count,
            "candidates": [[f"the {suite} {n} is {c} ." for c in range(candidates)] for n in range(count)],
            "answer": draw.integers(candidates, size=count),
            "value": np.nan,
        }
    )


def scores_of(items: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Invented item scores of a model, with ties."""
    draw = np.random.default_rng(seed)
    scores = [draw.normal(-20, 2, len(own)).round(1).tolist() for own in items["candidates"]]
    correct = [own.index(max(own)) == answer for own, answer in zip(scores, items["answer"], strict=True)]
    return pd.DataFrame({"item": items["item"], "correct": correct, "scores": scores})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What the rule's script makes of four invented suites: a folder with items.parquet, items.json, page.html.

    Of `ewok_fast` no copies are allowed; on `toy_grammar` one model alone is scored.
    """
    folder = tmp_path_factory.mktemp("items")
    tables = {
        "dialogue_words": items_of("pair", 130, 1, context="*MOT: where is it ?"),
        "entity_tracking": items_of("box", 90, 3, candidates=5, context="a box"),
        "ewok_fast": items_of(SECRET, 40, 2),
        "toy_grammar": items_of("word", 10, 1),
    }
    tables["dialogue_words"].at[7, "candidates"] = [EVIL, f"{EVIL} too"]
    for place, candidates in FORMULAS.items():
        tables["dialogue_words"].at[place, "candidates"] = candidates
    tables["dialogue_words"].at[8, "contexts"] = ["mother says", "father says"]
    suites = {suite: RUNS if suite != "toy_grammar" else RUNS[:1] for suite in tables}
    plain_text = [suite for suite in suites if load(suite).plain_text]
    files = {"suites": [], "scores": []}
    for number, (suite, items) in enumerate(tables.items()):
        if suite in plain_text:
            files["suites"].append(folder / f"{suite}.parquet")
            items.to_parquet(files["suites"][-1])
        for run in suites[suite]:
            files["scores"].append(folder / f"{run}_{suite}.parquet")
            scores_of(items, number + 10 * RUNS.index(run)).to_parquet(files["scores"][-1])
    job = SimpleNamespace(
        input=SimpleNamespace(**files),
        output=SimpleNamespace(table=str(folder / "items.parquet"), page=str(folder / "items.json")),
        params=SimpleNamespace(suites=suites, plain_text=plain_text, seed=0),
    )
    runpy.run_path(str(PROJECT / "scripts/items.py"))["main"](job)
    page = page_of(items=json.loads((folder / "items.json").read_text(encoding="utf-8")))
    (folder / "page.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def table(made):
    return pd.read_parquet(made / "items.parquet")


# --- the table ----------------------------------------------------------------------------------------------


def test_table_has_every_item_with_every_decision_and_margin(made, table):
    assert list(table) == [
        "suite", "group", "item", "context", "candidates", "answer",
        *(f"{column}_{run}" for run in RUNS for column in ("correct", "margin")),
    ]  # fmt: skip
    assert table["suite"].value_counts().to_dict() == {
        "dialogue_words": 130,
        "entity_tracking": 90,
        "toy_grammar": 10,
    }
    for (suite, run), expected in {
        (suite, run): pd.read_parquet(made / f"{run}_{suite}.parquet")
        for suite in ("dialogue_words", "entity_tracking")
        for run in RUNS
    }.items():
        own = table[table["suite"] == suite].reset_index(drop=True)
        assert own[f"correct_{run}"].tolist() == expected["correct"].tolist()
        for scores, answer, margin in zip(expected["scores"], own["answer"], own[f"margin_{run}"], strict=True):
            others = [score for index, score in enumerate(scores) if index != answer]
            assert margin == pytest.approx(scores[answer] - max(others), abs=1e-4)
    unscored = table.loc[table["suite"] == "toy_grammar", [f"correct_{RUNS[1]}", f"margin_{RUNS[1]}"]]
    assert unscored.isna().all(axis=None)


def test_context_that_differs_is_part_of_the_candidates(table):
    own = table[table["suite"] == "dialogue_words"].reset_index(drop=True)
    assert own["context"][0] == "*MOT: where is it ?"
    assert own["context"][8] == ""
    assert own["candidates"][8].tolist() == ["mother saysthe pair 8 is 0 .", "father saysthe pair 8 is 1 ."]


def test_models_on_other_items_are_refused():
    items = items_of("pair", 5, 1)
    with pytest.raises(UserError, match=r"^dialogue_words: b was scored on other items; delete the scores"):
        decisions_of("dialogue_words", {"a": scores_of(items, 1), "b": scores_of(items, 1).iloc[::-1]}, items)


@pytest.mark.parametrize("missing", [["correct"], ["scores"], ["correct", "scores"]])
def test_scores_of_an_own_evaluator_without_decisions_are_refused_in_a_line(missing, tmp_path):
    items = items_of("pair", 5, 1)
    scores_of(items, 1).drop(columns=missing).to_parquet(tmp_path / "a.parquet")
    named = " and no ".join(f"'{name}'" for name in missing)
    with pytest.raises(UserError, match=f"^mine: the item scores of a have no {named}; .* has_answers=False$"):
        read_scores("mine", "a", tmp_path / "a.parquet", plain_text=True)
    if missing == ["scores"]:
        assert list(read_scores("mine", "a", tmp_path / "a.parquet", plain_text=False)) == ["item", "correct"]


def test_suites_without_right_answers_and_without_leave_to_copy_are_known():
    assert {name for name in NAMES if not load(name).plain_text} == {"ewok", "ewok_fast"}
    without = {name for name in NAMES if not load(name).has_answers}
    glue = {name for name in NAMES if name.startswith("glue")}
    assert without == glue | {"wug_adj", "wug_past", "reading", "aoa", "aoa_surprisal"}


def test_items_that_may_not_be_copied_are_nowhere(made):
    for file in ("items.parquet", "items.json", "page.html"):
        assert SECRET.encode() not in (made / file).read_bytes()
    (own,) = (
        suite for suite in json.loads((made / "items.json").read_text())["suites"] if suite["suite"] == "ewok_fast"
    )
    assert (own["items"], own["groups"], own["rows"]) == (40, [], [])
    assert np.trace(own["both_right"]) > 0


def test_workflow_does_not_read_items_that_may_not_be_copied(project, tmp_path):
    folder = tmp_path / "evaluation_data/fast_eval/ewok_fast"
    folder.mkdir(parents=True)
    (folder / "one.jsonl").write_text("{}\n")
    settings = {
        "suites": {"mirror": str(tmp_path), "download": False},
        "evaluate": {
            "scores": [{"checkpoints": ["kept"], "suites": ["ewok_fast", "toy_grammar"], "models": ["base"]}]
        },
    }
    project.write("gated.yaml", yaml.safe_dump(settings))
    target = "results/report/items.json"
    printed = project.snakemake("--dry-run", "--configfile", "gated.yaml", "--", target).stdout
    inputs = printed.split("rule items:\n    input: ")[1].split("\n")[0]
    assert inputs.split(", ") == [
        "results/suites/toy_grammar.parquet",
        "results/scores/base/seed0/final/ewok_fast.parquet",
        "results/scores/base/seed0/final/toy_grammar.parquet",
    ]


def test_a_report_that_quotes_no_transcript_reads_no_pairs(project):
    project.write("unquoted.yaml", "report: {quotes: false}\n")
    target = "results/report/index.html"
    printed = project.snakemake("--dry-run", "--configfile", "unquoted.yaml", "--", target).stdout
    inputs = printed.split("rule items:\n    input: ")[1].split("\n")[0]
    assert [name for name in inputs.split(", ") if "/suites/" in name] == [
        "results/suites/toy_grammar.parquet",
        "results/suites/lexical_decision.parquet",
    ]
    assert "dialogue_words.parquet" in inputs  # scores, for the counts
    assert "rule reply" not in printed and "report/replies.csv" not in printed


# --- what the page has of it --------------------------------------------------------------------------------


def test_any_two_models_that_part_are_shown_first():
    draw = np.random.default_rng(1)
    correct = np.repeat(draw.random((1, 3000)) < 0.5, 4, axis=0)
    correct[1] ^= draw.random(3000) < 0.4
    correct[2, 123] ^= True  # parts from the first on one item alone
    order = shown_first(correct)
    assert sorted(order) == list(range(3000))
    assert 123 in order[:12]
    for one, other in permutations(correct, 2):
        assert (one & ~other)[order[:12]].any() or not (one & ~other).any()
    apart = (correct != correct[0]).any(axis=0)[order]
    assert apart[: apart.sum()].all(), "what all agree on comes last"


def test_page_stays_small_with_many_models_and_suites():
    runs = [f"model_{number}" for number in range(21)]
    large = items_of("a sentence that is about as long as one of BLiMP, in words", 700, 5)
    small = large.head(30)
    scores = {run: scores_of(large, number) for number, run in enumerate(runs)}
    few = {run: own.head(30) for run, own in scores.items()}
    whole = suite_data(decisions_of("s", scores, large))
    data = page_data([*[whole] * 19, suite_data(decisions_of("t", few, small))], 0)
    size = len(json.dumps(data, **COMPACT).encode())
    assert 0.9 * PAGE_BYTES < size < 1.1 * PAGE_BYTES
    shown = {len(suite["rows"]) for suite in data["suites"][:-1]}
    assert min(shown) > 350 and max(shown) < 700
    assert len(data["suites"][-1]["rows"]) == 30, "a suite that needs less is there as a whole"
    for suite in (data["suites"][0], data["suites"][-1]):
        correct = np.array([own["correct"][: suite["items"]] for own in scores.values()], dtype=int)
        assert suite["both_right"] == (correct @ correct.T).tolist(), "counted over all items, shown or not"


def test_only_a_parent_at_the_checkpoint_that_was_tuned_is_counted_against():
    """As the difference from the parent is one from the checkpoint that the model starts from."""
    scores = {run: scores_of(items_of("s", 9, 1), 1) for run in RUNS}
    data = page_data([suite_data(decisions_of("s", scores, None))], 0)
    base, *tuned = MODELS

    def counted(shown_at, *tuned_from):
        models = [base | {"checkpoint": shown_at}]
        models += [model | {"parent_checkpoint": name} for model, name in zip(tuned, tuned_from, strict=True)]
        section = items_section(data, models)
        return [(own.run, own.against) for own in section.contrasts], section.data["start"]

    dpo, ppo = [(model["run"], "base") for model in tuned]
    assert counted("final", "final", "final") == ([dpo, ppo], ["base", "dpo_natural"])
    assert counted("final", "best", "final") == ([ppo], ["base", "ppo_bleu"])
    assert counted("best", "best", "final") == ([dpo], ["base", "dpo_natural"])
    assert counted("best", "final", "final") == ([], RUNS[:2])


def test_page_without_items_has_no_such_section():
    assert Results.__dataclass_fields__["items"].default_factory() == {}
    assert "items-data" not in page_of() and 'href="#items"' not in page_of()
    assert "items-data" not in page_of(items=page_data([], 0))


# --- the explorer -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_page(made):
    with page_in_chromium(made / "page.html") as visit:
        yield visit


@pytest.fixture
def visit(open_page):
    """The page as it opens, and nothing to complain of at the end."""
    open_page.page.reload()
    yield open_page
    assert open_page.complaints == []


def choose(page, **fields):
    labels = {"suite": "Suite", "group": "Group", "a": "Model A", "b": "Model B", "show": "Show", "order": "Order"}
    for name, value in fields.items():
        page.get_by_label(labels[name], exact=True).select_option(value)


def shown(page) -> list[list[str]]:
    """(item, A, B) of every row."""
    rows = page.locator("#items-rows tr").all()
    return [[*row.locator("th > small").all_inner_texts(), *row.locator("td").all_inner_texts()] for row in rows]


def expected(table, suite, a, b):
    """The suite's items with what the page says of both models."""
    own = table[table["suite"] == suite].reset_index(drop=True)
    for side, run in (("a", a), ("b", b)):
        own[side] = own[f"correct_{run}"].astype(bool)
        own[f"said_{side}"] = [
            f"{'✓ right' if right else '✗ wrong'}\n{margin:+.2f}".replace("-", MINUS).replace("+0.00", "0.00")
            for right, margin in zip(own[side], own[f"margin_{run}"], strict=True)
        ]
    hundredths = (own[[f"margin_{a}", f"margin_{b}"]] * 100).round()
    return own.assign(gap=hundredths.diff(axis=1).iloc[:, 1].abs())


@pytest.mark.slow
def test_disagreements_of_two_models_are_those_of_pandas(visit, table):
    page = visit.page
    choose(page, suite="entity_tracking", a="ppo_bleu", b="dpo_natural")
    own = expected(table, "entity_tracking", "ppo_bleu", "dpo_natural")
    apart = own[own["a"] != own["b"]].sort_values("gap", ascending=False, kind="stable")
    assert 10 < len(apart) <= 50
    assert shown(page) == apart[["item", "said_a", "said_b"]].values.tolist()
    status = page.get_by_role("status").inner_text()
    assert status == (
        f"{len(apart)} of {len(apart)} items shown (disagreements). All 90 items of this suite are on the page."
    )
    choose(page, order="suite")
    for show, cell, which in (
        ("both", "both", own["a"] & own["b"]),
        ("a", "only-a", own["a"] & ~own["b"]),
        ("b", "only-b", own["b"] & ~own["a"]),
        ("neither", "neither", ~own["a"] & ~own["b"]),
    ):
        assert page.locator(f"#items-{cell}").inner_text() == f"{which.sum()}\n{100 * which.mean():.1f} %"
        choose(page, show=show)
        assert [row[0] for row in shown(page)] == own.loc[which, "item"].tolist()[:50]
    choose(page, show="agree")
    assert [row[0] for row in shown(page)] == own.loc[own["a"] == own["b"], "item"].tolist()[:50]


@pytest.mark.slow
def test_items_are_filtered_by_group_and_by_text(visit, table):
    page = visit.page
    choose(page, suite="entity_tracking", show="all", order="suite", group="group_1")
    names = table.query("suite == 'entity_tracking' and group == 'group_1'")["item"].tolist()
    assert [row[0] for row in shown(page)] == names and len(names) == 30
    page.get_by_label("Text").fill(" THE BOX 1")
    names = [name for name in names if name.split("_")[-1].startswith("1")]
    assert [row[0] for row in shown(page)] == names and 3 < len(names) < 30
    assert f"{len(names)} of {len(names)} items shown (all items, of the group group_1, with “THE BOX 1”)." in (
        page.get_by_role("status").inner_text()
    )
    page.get_by_label("Text").fill("nothing has this")
    assert shown(page) == [] and not page.get_by_role("button", name="Download as CSV").is_visible()


@pytest.mark.slow
def test_rows_come_by_fifties_and_as_csv(visit, table, tmp_path):
    page = visit.page
    choose(page, suite="dialogue_words", a="base", b="ppo_bleu", show="all", order="suite")
    more = page.get_by_role("button", name="Show 50 more")
    for count in (50, 100):
        assert len(shown(page)) == count
        more.focus()
        page.keyboard.press("Enter")
        assert page.locator(":focus").locator("small").inner_text() == f"group_0_{count}"
    assert len(shown(page)) == 130 and not more.is_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert download.value.suggested_filename == "items_dialogue_words_base_ppo_bleu.csv"
    download.value.save_as(tmp_path / "items.csv")
    own = table[table["suite"] == "dialogue_words"].reset_index(drop=True)
    saved = pd.read_csv(tmp_path / "items.csv", keep_default_na=False)
    for column in ("suite", "group", "item", "context", "correct_base", "correct_ppo_bleu"):
        assert saved[column].tolist() == own[column].tolist(), column
    places = enumerate(zip(own["candidates"], own["answer"], strict=True))
    rights = [("'" if place in FORMULAS else "") + texts[answer] for place, (texts, answer) in places]
    assert saved["right"].tolist() == rights
    assert all(saved["others"][place].startswith("'") for place in FORMULAS)
    assert saved["margin_base"].dtype == float and (saved["margin_base"] < 0).any(), "numbers stay numbers"
    assert saved["margin_base"].to_numpy() == pytest.approx(own["margin_base"].to_numpy(), abs=0.006)


@pytest.mark.slow
def test_what_items_say_is_text_and_nothing_else(visit, made):
    page = visit.page
    text = (made / "page.html").read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script") and "alert(" in text and "<script>alert" not in text
    choose(page, suite="dialogue_words", show="all")
    page.get_by_label("Text").fill("<script>")
    row = page.locator("#items-rows tr")
    assert row.count() == 1 and row.locator("script, b").count() == 0
    said = row.locator("th").inner_text()
    assert said.count('</script><script>alert("1")</script><!-- & <b>') == 2


@pytest.mark.slow
def test_a_suite_that_may_not_be_copied_has_counts_alone(visit):
    page = visit.page
    choose(page, suite="ewok_fast")
    assert shown(page) == []
    assert "forbid copies of its items" in page.get_by_role("status").inner_text()
    assert page.locator(".cells caption").inner_text() == "Decisions on all 40 items of ewok_fast"
    choose(page, suite="toy_grammar")
    assert page.get_by_label("Model B").locator("option").all_inner_texts() == ["base"]
    assert "A and B are the same model." in page.get_by_role("status").inner_text()


@pytest.mark.slow
def test_page_says_how_many_of_how_many_it_has(made, tmp_path):
    data = json.loads((made / "items.json").read_text())
    data["suites"][0]["rows"] = data["suites"][0]["rows"][:70]
    (tmp_path / "page.html").write_text(page_of(items=data), encoding="utf-8")
    with page_in_chromium(tmp_path / "page.html") as visit:
        choose(visit.page, suite="dialogue_words", show="all")
        assert visit.page.get_by_role("status").inner_text() == (
            "50 of 70 items shown (all items). 70 of the 130 items of this suite are on the page; "
            "those on which models disagree went first."
        )
        assert visit.page.locator(".cells caption").inner_text() == "Decisions on all 130 items of dialogue_words"


@pytest.mark.slow
def test_section_without_javascript_has_the_counts(made):
    with page_in_chromium(made / "page.html", java_script_enabled=False) as visit:
        page = visit.page
        assert not page.locator("#items-explorer").is_visible()
        assert "needs JavaScript" in page.locator("section:has(#items) noscript").inner_text()
        rows = [row.locator("th, td").all_inner_texts() for row in page.locator("#items-contrasts tbody tr").all()]
        assert page.locator("#items-contrasts table").is_visible()
    data = {suite["suite"]: suite for suite in json.loads((made / "items.json").read_text())["suites"]}
    assert [row[:2] for row in rows] == [
        [f"{run}\nparent base", suite]
        for suite in ("dialogue_words", "entity_tracking", "ewok_fast")
        for run in RUNS[1:]
    ]
    for name, suite, *numbers in rows:
        right, run = data[suite]["both_right"], RUNS.index(name.split()[0])
        items, both, alone, parent, neither = map(int, numbers)
        assert (both, alone + both, parent + both) == (right[run][0], right[run][run], right[0][0])
        assert items == both + alone + parent + neither == data[suite]["items"]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_section_fits_a_phone_and_prints_what_is_filtered(made, scheme):
    phone = {"viewport": {"width": 390, "height": 800}, "color_scheme": scheme}
    with page_in_chromium(made / "page.html", **phone) as visit:
        page = visit.page
        box = page.locator("section:has(#items)").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        assert page.locator("#items-rows").bounding_box()["width"] <= 390
        page.emulate_media(media="print")
        assert not page.locator("#items-form").is_visible()
        assert page.get_by_role("status").is_visible() and len(shown(page)) > 20
        assert visit.complaints == []


@pytest.mark.slow
def test_small_run_counts_what_its_scores_say(small):
    items = pd.read_parquet(small.folder / "results/report/items.parquet")
    scores = pd.read_csv(small.folder / "results/report/scores.csv")
    scores = scores[(scores["metric"] == "accuracy") & (scores["checkpoint"].isin(["final", "best"]))]
    groups = scores[scores["group"] != "all"].set_index(["run", "suite", "group"])["value"]
    assert set(items["suite"]) == {"dialogue_words", "toy_grammar", "lexical_decision"}
    for (run, suite, group), accuracy in groups.items():
        own = items[(items["suite"] == suite) & (items["group"] == group)]
        assert 100 * own[f"correct_{run}"].mean() == pytest.approx(accuracy)
    assert not small.planned(*OVERLAY)
    with page_in_chromium(small.folder / "results/report/index.html") as visit:
        assert visit.page.locator("#items-explorer").is_visible()
        assert visit.complaints == []
