"""The figures of the page: as files, with the published trajectory, over several seeds, and alive in a browser."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from babylogue.report.drawing import write_files
from babylogue.report.figures import Figure, Line
from babylogue.report.layers import DRAWN, legend, specification
from babylogue.report.page import draw, render
from babylogue.report.published import published_trajectory
from babylogue.suites.registry import NAMES
from support.browser import page_in_chromium
from support.invented_results import BASELINES, COMPARISONS, LOGS, SCORES, results_of, row, table

NAME = "curve-dialogue_words"


def figures_of(*given, **changes) -> dict[str, Figure]:
    return {figure.name: figure for figure in draw(results_of(*given, **changes)).figures}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page and its figures in a folder."""
    folder, results = tmp_path_factory.mktemp("page"), results_of()
    charts = draw(results)
    write_files(charts.figures, folder / "figures")
    (folder / "index.html").write_text(render(results, charts))
    return folder


def test_every_figure_is_a_file_with_its_data(folder):
    found = {path.name for path in (folder / "figures").iterdir()}
    names = {
        NAME, "validation-loss", "dpo-accuracy", "dpo-parts-dpo_natural", "dpo-rewards-dpo_natural",
        "reinforcement-accuracy", "reinforcement-reward-ppo_bleu", "reinforcement-kl-ppo_bleu",
    }  # fmt: skip
    assert found == {f"{name}.{kind}" for name in names for kind in ("svg", "csv")}
    assert set(re.findall(r'href="figures/([^"]+)"', (folder / "index.html").read_text())) == found


def test_a_file_is_readable_by_itself(folder):
    text = (folder / "figures" / f"{NAME}.svg").read_text()
    svg = ElementTree.fromstring(text)
    words = ["".join(element.itertext()) for element in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"dialogue_words", "base", "words seen", "accuracy, %", "chance", "word_crosses (shallow)"} <= set(
        words
    )
    assert "var(" not in text and "#1d63c4" in text and 'fill="white"' in text
    assert "base: 51.3 at 50K words, 57.1 at 100K words." in svg.get("aria-label")


def test_data_are_tidy_and_whole(folder):
    curve = pd.read_csv(folder / "figures" / f"{NAME}.csv")
    assert list(curve) == ["model", "seed", "quantity", "kind", "x", "y", "low", "high"]
    measured = curve[curve["kind"] == "measured"]
    np.testing.assert_allclose(
        measured[["x", "y", "low", "high"]], [[50_000, 51.3, 49.3, 53.3], [100_010, 57.1, 55.1, 59.1]]
    )
    assert set(measured["model"]) == {"base"} and set(measured["quantity"]) == {"accuracy"}
    levels = curve[curve["kind"] == "reference"].set_index("quantity")["y"].to_dict()
    assert levels == {"chance": 50.0, "bigram (reply alone)": 50.6, "word_crosses (shallow)": 63.8}
    rewards = pd.read_csv(folder / "figures/dpo-rewards-dpo_natural.csv")
    assert set(rewards["model"]) == {"dpo_natural"} and set(rewards["seed"]) == {0} and len(rewards) == 8


@pytest.mark.slow
def test_names_from_files_harm_neither_files_nor_page(tmp_path):
    evil = '</script><!--<script>alert("1")</script>'
    scores = table(
        *(row(evil, evil, 51.0, checkpoint=name, metric=evil) for name in ("chck_50K", "chck_60K", "chck_70K")),
    )
    models = [{"run": evil, "method": "pretrain", "checkpoint": "chck_70K", "text": evil}]
    baselines = BASELINES.assign(suite=evil, baseline=evil)
    nothing = COMPARISONS.head(0)
    results = results_of(scores, models, {evil: LOGS["base"]}, baselines=baselines, comparisons=nothing)
    charts = draw(results)
    write_files(charts.figures, tmp_path / "figures")
    for file in (tmp_path / "figures").iterdir():
        assert re.fullmatch(r"[\w-]+\.(svg|csv)", file.name)
        if file.suffix == ".svg":
            svg = ElementTree.fromstring(file.read_text())
            assert evil in "".join(svg.itertext()) and not svg.findall(".//{*}script")
    text = render(results, charts)
    specs = re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    assert len(specs) == 2
    for spec in specs:
        assert json.loads(spec)["datasets"]["lines"][0]["series"] == evil
    (tmp_path / "index.html").write_text(text)
    with page_in_chromium(tmp_path / "index.html") as visit:
        explore(visit.page, 0)
        assert visit.page.locator("figure").first.locator(".legend button").first.inner_text() == evil
        assert not visit.complaints


def curves(suite, words, metrics=("accuracy",)):
    """Scores of base at numbers of words, in thousands."""
    names = [f"chck_{number}K" if number < 1000 else f"chck_{number // 1000}M" for number in words]
    return table(*(row("base", suite, 60.0, checkpoint=name, metric=own) for name in names for own in metrics))


def drawn(figure):
    return [(line.kind, list(line.x), list(line.y)) for line in figure.lines if line.kind == "published"]


@pytest.mark.parametrize("suite", ["dialogue_words", "dialogue_tokens", "dialogue_tokens_published", "zorro"])
def test_the_published_trajectory_stands_beside_ours_by_its_own_rule(suite):
    metrics = ("accuracy", "accuracy_word_corrected_minicons")
    scores = curves(suite, (1_000, 10_000, 100_000), metrics)
    own, chart = draw(
        results_of(scores, source="local", pair_suites={"dialogue_words": ("dialogue_words_published", False)})
    ).learning_curves
    assert not drawn(own.figure) and (own.metric, chart.metric) == metrics
    assert chart.figure.name == f"curve-{suite}-published"
    ((_, words, values),) = drawn(chart.figure)
    assert (words[0], words[-1], len(words)) == (1e6, 1e8, 12)
    assert values == published_trajectory(suite)["value"].tolist()
    assert legend(chart.figure)[-1].label == "published base"
    assert (
        "accuracy_word_corrected_minicons over words seen" in chart.caption
        and "one seed, no interval" in chart.caption
    )
    assert ("of other pairs than ours" in chart.caption) == (suite == "dialogue_words")
    (toy,) = draw(results_of(scores)).learning_curves
    assert not drawn(toy.figure) and "Padovani" not in toy.caption


def test_the_published_trajectory_leaves_room_for_ours():
    metrics = ("accuracy", "accuracy_word_corrected_minicons")
    _, chart = draw(results_of(curves("zorro", (50, 200, 1_000), metrics), source="local")).learning_curves
    ((_, words, _),) = drawn(chart.figure)
    assert words == [1e6, 2e6, 3e6]
    assert "65.5 at 100M words." in chart.caption
    _, short = draw(results_of(curves("zorro", (50, 80, 100), metrics), source="local")).learning_curves
    assert not drawn(short.figure) and "its checkpoints lie beyond ours" in short.caption
    (other,) = draw(results_of(curves("blimp", (1_000, 10_000)), source="local")).learning_curves
    assert not drawn(other.figure) and "Padovani" not in other.caption


def test_the_published_table_names_suites_and_rises_in_words():
    found = {name: own for name in NAMES if len(own := published_trajectory(name))}
    assert set(found) == {
        "dialogue_words", "dialogue_tokens", "dialogue_words_published", "dialogue_tokens_published", "zorro",
        "lexical_decision_published",
    }  # fmt: skip
    for own in found.values():
        assert own["words"].is_monotonic_increasing and own["words"].iloc[-1] == 100_000_000
        assert own["metric"].nunique() == 1 and own["value"].between(30, 75).all()


def test_seeds_are_thin_beside_their_mean_and_the_guard_is_told_of_each():
    log = pd.DataFrame({"step": range(6), "reward_mean": np.arange(6.0), "checkpoint": ["best", *[None] * 5]})
    log["stopped"] = None
    stopped = log.head(4).copy()
    stopped.loc[3, "stopped"] = "KL is 9, above 6"
    results = results_of(logs={}, seeds=(0, 1))
    logs = {("ppo_bleu", 0): log, ("ppo_bleu", 1): stopped.assign(reward_mean=stopped["reward_mean"] + 1)}
    charts = {chart.figure.name: chart for chart in draw(type(results)(**vars(results) | {"logs": logs})).tuning}
    chart = charts["reinforcement-reward-ppo_bleu"]
    *seeds, mean = chart.figure.lines
    assert [line.seed for line in seeds] == [0, 1] and (mean.kind, mean.seed) == ("mean", None)
    assert mean.y.tolist() == [0.5, 1.5, 2.5, 3.5] and mean.x.tolist() == [0, 1, 2, 3]
    assert chart.figure.events == [("seed 1 stopped", 3)]
    assert "Seed 1 was stopped at step 3: KL is 9, above 6." in chart.caption
    assert "The checkpoints best, ringed, are steps 0 (seed 0), 0 (seed 1)." in chart.caption
    kinds = [(line["kind"], line["of"]) for line in specification(chart.figure)["datasets"]["lines"]]
    assert kinds == [
        ("seed", "seed 0"), ("ring", "seed 0"), ("seed", "seed 1"), ("ring", "seed 1"),
        ("mean", "mean of the seeds"),
    ]  # fmt: skip


def test_a_long_log_is_drawn_as_means_and_kept_whole():
    log = pd.DataFrame({"step": range(13_750), "reward_mean": np.tile([0.0, 1.0], 6875)})
    figure = figures_of(logs={"ppo_bleu": log})["reinforcement-reward-ppo_bleu"]
    (line,) = specification(figure)["datasets"]["lines"]
    assert len(line["x"]) == DRAWN and np.allclose(line["y"], 0.5, atol=0.01)
    assert len(figure.data()) == 13_750


def test_more_lines_than_colours_differ_still():
    figure = Figure("f", "F", "", [Line(f"run{n}", [1, 2], [1, 2], style=n) for n in range(30)], "x", "y")
    looks = {(entry.colour, entry.dash, entry.marker) for entry in legend(figure)}
    assert len(looks) == 30


def explore(page, number: int):
    """Press the button of a figure and wait until it is alive."""
    figure = page.locator("figure").nth(number)
    figure.get_by_role("button", name="Explore").click()
    figure.locator(".live svg").wait_for()
    return figure


def fill_of(locator) -> str:
    return locator.evaluate("element => getComputedStyle(element).stroke")


@pytest.mark.slow
@pytest.mark.parametrize("viewport", [(1280, 900), (390, 800)], ids=["screen", "phone"])
def test_a_figure_comes_alive_under_the_pointer(folder, viewport):
    size = dict(zip(("width", "height"), viewport, strict=True))
    with page_in_chromium(folder / "index.html", viewport=size) as visit:
        page, figure = visit.page, visit.page.locator(f"#{NAME}")
        assert page.evaluate("window.vegaEmbed === undefined"), "nothing is loaded before a reader asks"
        before = figure.bounding_box()
        figure.locator(".plot").hover()
        figure.locator(".live svg").wait_for()
        assert figure.locator(".plot > svg").is_hidden() and page.locator(".live").count() == 1
        after = figure.bounding_box()
        assert abs(before["height"] - after["height"]) < 3, "the page must not jump"
        box = figure.locator(".live svg").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.3, steps=3)
        tip = figure.locator("output")
        tip.filter(has_text="base").wait_for()
        assert tip.inner_text().splitlines() == ["base", "accuracy, %: 57.1 [55.1, 59.1]", "words seen: 100,010"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.mouse.move(1, 1)
        tip.wait_for(state="hidden")
        assert not visit.complaints


@pytest.mark.slow
def test_a_figure_obeys_keyboard_and_legend(folder):
    with page_in_chromium(folder / "index.html") as visit:
        page, figure = visit.page, visit.page.locator("#dpo-parts-dpo_natural")
        button = figure.get_by_role("button", name="Explore")
        button.focus()
        page.keyboard.press("Enter")
        figure.locator(".live:focus").wait_for()
        page.keyboard.press("ArrowRight")
        tip = figure.locator("output")
        assert tip.inner_text().splitlines() == ["training pairs, seed 0", "accuracy, %: 61", "step: 0"]
        page.keyboard.press("End")
        page.keyboard.press("ArrowDown")
        assert tip.inner_text().splitlines() == ["held-out pairs, seed 0", "accuracy, %: 64", "step: 10"]
        page.keyboard.press("Escape")
        assert tip.inner_text() == ""
        lines = figure.locator(".live .mark-line path")
        assert lines.count() == 2
        entry = figure.locator(".legend button").first
        entry.focus()
        page.wait_for_function("document.querySelectorAll('.live .mark-line path[opacity=\"0.15\"]').length === 1")
        page.keyboard.press("Space")
        page.wait_for_function("document.querySelectorAll('.live .mark-line path').length === 1")
        assert entry.get_attribute("aria-pressed") == "false"
        page.keyboard.press("Space")
        page.wait_for_function("document.querySelectorAll('.live .mark-line path').length === 2")
        assert not visit.complaints


@pytest.mark.slow
def test_a_live_figure_follows_the_scheme_and_leaves_paper_to_the_static_one(folder):
    with page_in_chromium(folder / "index.html", color_scheme="light") as visit:
        page = visit.page
        figure = explore(page, 0)
        static, live = figure.locator(".plot > svg"), figure.locator(".live")
        line, paper_line = (place.locator(".mark-line path").first for place in (live, static))
        light = fill_of(line)
        assert light == "rgb(29, 99, 196)"
        page.emulate_media(color_scheme="dark")
        assert fill_of(line) == "rgb(122, 178, 255)"
        page.emulate_media(media="print", color_scheme="dark")
        assert live.is_hidden() and static.is_visible() and fill_of(paper_line) == light
        assert figure.get_by_role("button", name="Explore").is_hidden()
        assert not visit.complaints


@pytest.mark.slow
def test_without_javascript_every_figure_is_there_and_nothing_is_offered(folder):
    with page_in_chromium(folder / "index.html", java_script_enabled=False) as visit:
        plots = visit.page.locator("figure .plot > svg")
        assert plots.count() == 8 and all(plot.is_visible() for plot in plots.all())
        assert not any(button.is_visible() for button in visit.page.locator("figure button").all())


@pytest.mark.slow
@pytest.mark.alone
def test_the_page_with_thirty_figures_is_soon_ready(tmp_path):
    models = [{"run": "base", "method": "pretrain", "checkpoint": "final", "text": "triplets"}]
    models += [
        {"run": f"ppo_{number}", "method": "ppo", "checkpoint": "final", "parent": "base", "reward": "bleu"}
        for number in range(15)
    ]
    log = pd.DataFrame({"step": range(500), "reward_mean": np.sin(np.arange(500.0)), "kl_full": 0.1})
    results = results_of(
        SCORES, models, {f"ppo_{number}": log for number in range(15)}, comparisons=COMPARISONS.head(0)
    )
    charts = draw(results)
    assert len(charts.figures) == 31
    (tmp_path / "index.html").write_text(render(results, charts))
    with page_in_chromium(tmp_path / "index.html") as visit:
        assert visit.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") < 2000  # ms
