"""The page in a real browser: tables that sort and filter, models that are chosen, no request to any network."""

import re

import pandas as pd
import pytest

from browser import page_in_chromium
from test_report import SCORES, page_of, row, table

MANY = pd.concat([SCORES, table(*(row("base", f"suite_{number}", 50.0 + number) for number in range(12)))])
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "index.html"
    file.write_text(page_of(MANY), encoding="utf-8")
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


def test_a_model_that_is_not_chosen_is_on_no_table(visit, scores):
    page = visit.page
    everywhere = page.locator("th:visible", has_text=re.compile(r"^ppo_bleu"))
    assert everywhere.count() >= 3
    page.get_by_text("Models shown: 3 of 3").click()
    page.get_by_role("checkbox", name="ppo_bleu").uncheck()
    assert page.get_by_text("Models shown: 2 of 3").is_visible()
    assert everywhere.count() == page.locator('td:visible:has-text("55.4")').count() == 0
    assert len(column(scores, "dpo_natural")) == scores.locator("tbody tr").count()
    page.get_by_role("button", name="All", exact=True).click()
    assert everywhere.count() >= 3


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
