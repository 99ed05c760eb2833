"""The page in a real browser: tables that sort and filter, models that are chosen, no request to any network."""

import re

import pandas as pd
import pytest

from babylogue.report.items import page_data
from babylogue.report.replies import REPLY_COLUMNS
from babylogue.report.run_record import STAGE_COLUMNS
from support.browser import page_in_chromium
from support.invented_results import CORRELATIONS, REWARDED_RUNS, SCORES, page_of, row, table

pytestmark = pytest.mark.slow

MANY = pd.concat([SCORES, table(*(row("base", f"suite_{number}", 50.0 + number) for number in range(12)))])
MINUS = "\N{MINUS SIGN}"
RUNS = ["base", "dpo_natural", "ppo_bleu"]
SECONDS = {"corpus": 59, "training base": 36_000, "scores": 312, "pairs": 3725, "figures": 2}
STAGES = pd.DataFrame([(name, 1, took, took, 9.0) for name, took in SECONDS.items()], columns=STAGE_COLUMNS)
PEAKS = {"suite_0": 50e3, "suite_1": 1.5e6, "suite_2": 900.0, "suite_3": 20e6}
FITS = pd.DataFrame(
    [(run, suite, peak) for run in RUNS[:2] for suite, peak in PEAKS.items()],
    columns=["run", "suite", "peak_words"],
).assign(
    metric="accuracy", checkpoints=8, note="", best="power", not_worse="", falls=False, constant_cv_error=2.0,
    power_cv_error=1.0, exponential_cv_error=1.5, peak_from_words=800.0, peak_to_words=3e7,
)  # fmt: skip
REPLIES = pd.DataFrame(
    [("where ?", "there .", "Ours", "ann", 30.0, run, 0, "final", 0, f"said by {run}", True) for run in RUNS],
    columns=REPLY_COLUMNS,
)
SAMPLING = {"samples": 1, "temperature": 0, "max_new_tokens": 9}
ITEMS = {
    "suite": "ewok_fast", "runs": RUNS, "items": 9, "plain_text": False, "groups": [], "rows": [],
    "both_right": [[5, 3, 2], [3, 6, 1], [2, 1, 4]],
}  # fmt: skip
MADE = {"commit": "c0ffee", "python": "3.12.1", "packages": {"torch": "2.13.0"}}
SETTINGS = {run: MADE | {"settings": {"name": f"settings of {run}"}} for run in RUNS}


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "index.html"
    page = page_of(
        MANY, fits=FITS, stages=STAGES, replies=REPLIES, sampling=SAMPLING, items=page_data([ITEMS], 0),
        settings=SETTINGS, rewarded_runs=REWARDED_RUNS, correlations=CORRELATIONS,
    )  # fmt: skip
    file.write_text(page, encoding="utf-8")
    with page_in_chromium(file) as visit:
        yield visit
        assert visit.complaints == []


@pytest.fixture
def scores(visit):
    """The main table, as it is when the page opens."""
    visit.page.reload()
    visit.page.wait_for_selector("html[data-ready]")
    return visit.page.locator("table.scores").first


def column(shown, heading: str) -> list[str]:
    """The visible cells of a table's column, first line each."""
    names = [text.split("\n")[0] for text in shown.locator("thead th").all_inner_texts()]
    place = names.index(heading)
    rows = shown.locator("tbody tr:visible").all()
    return [row.locator("th, td").nth(place).inner_text().split("\n")[0] for row in rows]


def test_numbers_sort_down_then_up_then_as_they_were(scores):
    before = column(scores, "base")
    heading = scores.get_by_role("columnheader", name=re.compile("^base"))
    button = heading.get_by_role("button")
    values = sorted((float(text.replace(MINUS, "-")) for text in before), reverse=True)
    button.click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert [float(text.replace(MINUS, "-")) for text in column(scores, "base")] == values
    button.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [float(text.replace(MINUS, "-")) for text in column(scores, "base")] == values[::-1]
    button.press(" ")
    assert heading.get_attribute("aria-sort") == "none" and column(scores, "base") == before


def test_what_was_not_scored_stays_last_either_way(scores):
    button = scores.get_by_role("columnheader", name=re.compile("^dpo_")).get_by_role("button")
    for first in ("61.9 ▲", "61.9 ▲"):
        button.click()
        cells = column(scores, "dpo_natural")
        assert cells[0] == first and set(cells[1:]) == {"not scored", "undefined"}


def test_names_sort_by_the_alphabet_with_their_numbers(scores):
    scores.get_by_role("columnheader", name="Suite").get_by_role("button").click()
    names = column(scores, "Suite")
    assert names.index("suite_2") < names.index("suite_10") and names[0] == "dialogue_words"


def test_rows_are_filtered_by_words_and_counted(visit, scores):
    field = visit.page.get_by_label(re.compile("Filter rows of Scores"))
    field.fill("suite 1")
    assert column(scores, "Suite") == ["suite_1", "suite_10", "suite_11"]
    assert (
        visit.page.locator(".tools output").first.inner_text() == f"3 of {scores.locator('tbody tr').count()} rows"
    )
    field.fill("")
    assert len(column(scores, "Suite")) == scores.locator("tbody tr").count()


@pytest.mark.parametrize("heading", ["Wall time", "Processor time"])
def test_durations_sort_by_how_long_they_are(visit, scores, heading):
    visit.page.get_by_text("Time and memory").click()
    stages = visit.page.locator("#stages table")
    button = stages.get_by_role("columnheader", name=heading).get_by_role("button")
    lasting = sorted(SECONDS, key=SECONDS.get)
    for expected in (lasting[::-1], lasting, list(SECONDS)):
        button.click()
        assert column(stages, "Stage") == expected
    assert column(stages, heading)[1:4] == ["10:00:00", "0:05:12", "1:02:05"]


def test_counts_sort_by_their_size(visit, scores):
    visit.page.get_by_text("Forms and peaks").click()
    peaks = visit.page.get_by_role("region", name="Table of forms and peaks").locator("table")
    button = peaks.get_by_role("columnheader", name="Peak").get_by_role("button")
    button.click()
    ends = "(800 to 30M)"
    shown = [f"{text} {ends}" for text in ("20M", "1.5M", "50K", "900") for _ in RUNS[:2]]
    assert column(peaks, "Peak") == shown
    button.click()
    assert column(peaks, "Peak") == shown[::-1]


def test_a_model_that_is_not_chosen_is_nowhere_on_the_page(visit, scores):
    page = visit.page
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    # The explorer of items chooses its two models itself.
    shown = page.locator("main :is(th, td, h3, pre, figcaption strong):visible:not(#items-explorer *)")

    def named(run):
        return [*map(str.split, shown.filter(has_text=re.compile(run)).all_inner_texts())]

    before = {run: named(run) for run in RUNS}
    for words in ("ppo_bleu", "said by ppo_bleu", "name: settings of ppo_bleu", "Reward of ppo_bleu."):
        assert words.split() in before["ppo_bleu"], words
    page.get_by_role("checkbox", name="ppo_bleu").uncheck()
    assert page.get_by_text("Models shown: 2 of 3").is_visible()
    assert named("ppo_bleu") == [] and min(len(named(run)) for run in RUNS[:2]) > 12
    page.get_by_role("button", name="None", exact=True).click()
    # What a stage took is in the sum below.
    assert [named(run) for run in RUNS] == [[["training", "base"]], [], []]
    for name in ("forms and peaks", "decisions", "runs on rewarded replies", "rewards and dialogue accuracy"):
        rows = page.get_by_role("region", name=f"Table of {name}", exact=True).locator("tbody tr")
        assert rows.count() > 0 and rows.locator("visible=true").count() == 0, name
    assert column(page.locator("table.replies"), "Caregiver's turn") == ["where ?"]
    assert page.locator("table.replies td:visible").all_inner_texts() == ["there ."]
    assert page.locator("figure").count() == 8 and page.locator("figure:visible").count() == 0
    assert len(column(scores, "Suite")) == scores.locator("tbody tr").count()
    page.get_by_role("button", name="All", exact=True).click()
    assert {run: named(run) for run in RUNS} == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_shuts_readers_out(scheme, tmp_path):
    """Contrast, names, roles and order, by the rules of WCAG 2 and the good practice that axe-core knows."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    (tmp_path / "index.html").write_text(page_of(MANY), encoding="utf-8")
    # The page's own policy would keep the examiner out.
    with page_in_chromium(tmp_path / "index.html", color_scheme=scheme, bypass_csp=True) as visit:
        for folded in visit.page.locator("details").all():
            folded.evaluate("element => { element.open = true; }")
        found = axe.Axe().run(visit.page)
    assert found.response["passes"] and found.violations_count == 0, found.generate_report()


def test_page_of_the_default_run(finished):
    file = finished.folder / "results/report/index.html"
    assert file.stat().st_size < 5e6
    for scheme, width in (("light", 1280), ("dark", 390)):
        with page_in_chromium(file, color_scheme=scheme, viewport={"width": width, "height": 844}) as visit:
            visit.page.wait_for_selector("html[data-ready]")
            assert visit.complaints == []
            # A table scrolls by itself; the page does not.
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
            assert visit.page.locator("table.scores").first.is_visible()
