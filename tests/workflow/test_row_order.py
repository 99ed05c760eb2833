"""The order of rows means nothing: neither that of a file nor that in which files are laid over each other."""

import copy
import random

import pytest
import yaml

from babylogue.configuration import load_configuration
from babylogue.suites.pair_suites import baseline_pairs, is_suite
from support.configurations import OVERLAYS, laid
from support.project import PROJECT

PRESETS = sorted(path.name for path in (PROJECT / "presets").glob("*.yaml"))
WIDE = {"method": "pretrain", "text": "triplets", "architecture": {"hidden_size": 256}}
SMALL_SET = {"kind": "natural", "max_pairs": 100, "age_band_months": 12}


def shuffled(config, seed):
    """The same configuration with the rows of its tables in another order."""
    config, draw = copy.deepcopy(config), random.Random(seed)
    for table in ("models", "pairs", "published"):
        rows = list(config[table].items())
        draw.shuffle(rows)
        config[table] = dict(rows)
    return config


def everything_in_order(config):
    """The resolved rows as lists, whose order counts, and what follows from them."""
    loaded = load_configuration(config)
    suites = {name: row for name, row in loaded.pairs.items() if is_suite(row)}
    return {
        "rows": [(name, row.model_dump()) for name, row in [*loaded.models.items(), *loaded.pairs.items()]],
        "published": list(loaded.published),
        "scores": loaded.scores(),
        "contrasts": loaded.contrasts(),
        "reported": list(loaded.reported().items()),
        "baselines": {suite: baseline_pairs(row, loaded.pairs) for suite, row in suites.items()},
    }


@pytest.mark.parametrize("preset", [None, *PRESETS])
def test_nothing_hangs_on_the_order_of_rows(preset):
    files = [name for name in (OVERLAYS.get(preset, (None,))[0], preset) if name]
    config = laid(*files)
    wanted = everything_in_order(config)
    for seed in range(5):
        assert everything_in_order(shuffled(config, seed)) == wanted


TELL = """
for contrast in sorted({(own[0], own[2]) for contrasts in CONTRASTS.values() for own in contrasts}):
    print("CONTRAST", *contrast)
for suite, pairs in DIALOGUE.items():
    print("BASELINES", suite, pairs)
"""


def told_by_snakemake(workflow, *files):
    """What is compared with what, (run, against), and suite -> what its baselines learn from, with these files."""
    workflow.write("Told", workflow.read("Snakefile") + TELL)
    done = workflow.snakemake("--dry-run", "--snakefile", "Told", "--configfile", *files)
    lines = [line.split() for line in done.stdout.splitlines()]
    contrasts = {tuple(own[1:]) for own in lines if own[:1] == ["CONTRAST"]}
    return contrasts, {own[1]: own[2] for own in lines if own[:1] == ["BASELINES"]}


def test_an_overlays_rows_do_not_become_what_others_are_compared_with(with_data):
    """Snakemake puts the rows of a file on its command line in front of those of `configfile:`."""
    with_data.write("first.yaml", yaml.safe_dump({"models": {"a_wide": WIDE}, "pairs": {"a_few": SMALL_SET}}))
    contrasts, baselines = told_by_snakemake(with_data, "first.yaml")
    assert {against for _, against in contrasts} == {"base"}
    assert ("a_wide", "base") in contrasts and ("base_sentences", "base") in contrasts
    assert set(baselines.values()) == {"natural"}


@pytest.mark.parametrize(
    ("preset", "wanted"),
    [
        ("ablations.yaml", {("base_sentences", "base"), ("base_wide", "base")}),
        ("paper_scales.yaml", {("base_350m", "base"), ("base_1300m", "base"), ("dpo_natural", "base")}),
    ],
)
def test_presets_compare_what_they_are_about(with_data, preset, wanted):
    contrasts, _ = told_by_snakemake(with_data, f"presets/{OVERLAYS[preset][0]}", f"presets/{preset}")
    assert wanted <= contrasts
    assert {against for _, against in contrasts} == {"base"}


def natural(**settings):
    return {"kind": "natural"} | settings


@pytest.mark.parametrize(
    ("suite", "sets", "chosen"),
    [
        # A small set in front of the one that is as like the suite and larger.
        ({}, {"a_few": {"max_pairs": 100}, "most": {"max_pairs": 3000}}, "most"),
        # Of equally large ones the first by name.
        ({}, {"b": {"max_pairs": 9}, "a": {"max_pairs": 9}}, "a"),
        # What is matched counts more than size, construction more than either.
        (
            {"match": "tokens"},
            {"words": {"max_pairs": 900}, "tokens": {"max_pairs": 9, "match": "tokens"}},
            "tokens",
        ),
        (
            {"match": "tokens", "construction": "published"},
            {"tokens": {"match": "tokens"}, "one_sided": {"construction": "published", "max_pairs": 5}},
            "one_sided",
        ),
        ({}, {"of_the_test": {"part": "test"}}, None),
    ],
)
def test_baselines_learn_from_the_set_most_like_the_suites_own(suite, sets, chosen):
    config = laid()
    config["pairs"] = {
        "natural": natural(max_pairs=1, construction="two_sided", match="words")
        if chosen
        else natural(part="test"),
        "mine": natural(part="test", **suite),
        **{name: natural(**settings) for name, settings in sets.items()},
    }
    config["models"] = {"base": {"method": "pretrain"}}
    config["evaluate"]["scores"] = [{"checkpoints": ["final"], "suites": ["mine"]}]
    pairs = load_configuration(config).pairs
    assert baseline_pairs(pairs["mine"], pairs) == chosen


def test_baselines_go_by_what_the_papers_pairs_are_and_not_by_a_name():
    config = laid()
    config["pairs"] |= {
        "one_sided": natural(construction="published", max_pairs=10),
        "theirs": {"kind": "given", "hub": "fpadovani/dialogue_eval_words", "part": "test"},
        "mine_published": {"kind": "given", "path": "mine.csv", "part": "test"},
    }
    pairs = load_configuration(config).pairs
    assert baseline_pairs(pairs["theirs"], pairs) == "one_sided"
    assert baseline_pairs(pairs["mine_published"], pairs) == "natural"
