"""Values that YAML reads as something else than what was meant, paths, and order that means nothing."""

import copy
from datetime import date
from pathlib import Path

import pytest
import yaml

from babylogue.configuration import load_configuration
from babylogue.configuration_files import check_files
from babylogue.errors import UserError
from support.configurations import DEFAULT, changed

NUMBER = "must be a number, and YAML reads no, off, yes and on as booleans"
OFF = f"{NUMBER}; write null to switch it off"
TALKBANK = {"corpora": ["Eng-UK", "Eng-NA"]}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("ppo/guard/max_empty_share", False, f"ppo.guard.max_empty_share: {OFF}"),
        ("ppo/length_tolerance", False, f"ppo.length_tolerance: {OFF}"),
        ("ppo/unfinished_reward", False, f"ppo.unfinished_reward: {OFF}"),
        ("dpo/patience", False, r"dpo.patience: .* greater than 0, not False \(YAML reads no, off"),
        ("ppo/temperature", True, f"ppo.temperature: {NUMBER}"),
        ("ppo/temperature", {"values": [True, 0.5], "steps": 2}, f"ppo.temperature.values: {NUMBER}"),
        ("models/ppo_bleu/reward", {"bleu": True}, f"models.ppo_bleu.reward: {NUMBER}"),
        ("pairs/mixed/shares", {"natural": True, "synthetic": False}, f"pairs.mixed.shares: {NUMBER}"),
        ("pretrain/words", True, f"pretrain.words: {NUMBER}"),
        ("seeds", [True], f"seeds: {NUMBER}"),
        ("triplets/stride", True, f"triplets.stride: {NUMBER}"),
        ("split/shares/test", float("nan"), "split.shares.test: Input should be a finite number, not nan"),
        ("pretrain/learning_rate", float("inf"), "pretrain.learning_rate: .* finite number, not inf"),
        ("pretrain/learning_rate", "inf", "Input should be a finite number, not 'inf'"),
        ("suites/network", {"backoff_s": float("inf")}, "suites.network.backoff_s: .* finite number"),
        ("models/dpo_natural/parent", False, "dpo_natural.parent: must be text, and YAML reads it as False"),
        ("published/smollm2", {"hub": "a/b", "revision": date(2024, 1, 1)}, "reads it as 2024-01-01; put it in"),
        ("transcripts/childes_db", {"version": 1.4, "collections": ["Eng-NA"]}, "must be text, .* 1.4; put it in"),
        ("tokenizer/vocabulary", [900], r"tokenizer.vocabulary: Input should be a valid integer, not \[900\]"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_named(path, value, message):
    with pytest.raises(UserError, match=message) as caught:
        load_configuration(changed(path, value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [False, 7, 1.5, date(2024, 1, 1), None])
@pytest.mark.parametrize("table", ["models", "pairs", "published", "suites/urls", "models/base", ""])
def test_a_name_that_is_no_text_is_refused(table, name):
    config = copy.deepcopy(DEFAULT)
    at = config
    for key in filter(None, table.split("/")):
        at = at[key]
    at[name] = None
    with pytest.raises(UserError, match=f"a name that YAML reads as {name}, .*put it in quotes") as caught:
        load_configuration(config)
    assert str(caught.value).startswith(f"{table.replace('/', '.')}: " if table else "a name")


def test_numbers_are_read_however_they_are_written():
    config = changed("pretrain/learning_rate", "1e-3")  # text to YAML 1.1, for want of a dot
    config["pretrain"] |= {"words": 3.0e5, "weight_decay": "0"}
    base = load_configuration(config).models["base"]
    assert (base.learning_rate, base.words, base.weight_decay) == (0.001, 300_000, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "ppo:\n  gamma: 1\n  prompts: 8\n  gamma: 0.9\n",
            r"line 4: ppo\.gamma: .* in line 2 already",
        ),
        ("models: {a: null}\nseeds: [0]\nmodels: {b: null}\n", "line 3: models: the key stands in line 1 already"),
        ("seeds: [1, 010]\n", r"line 1: seeds\.1: YAML reads 010 as 8"),
        ("suites:\n  batch_tokens: 20:48\n", r"line 2: suites\.batch_tokens: YAML reads 20:48 as 1248"),
    ],
)
def test_what_yaml_hides_is_named_with_its_line(project, text, message):
    project.write("hidden.yaml", text)
    with pytest.raises(UserError, match=rf"hidden\.yaml, {message}"):
        check_files([project.folder / "hidden.yaml"])


def test_what_yaml_means_is_let_pass(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 0\nb: 0.5\nc: 1_000\nd: 0x1F\ne: -0.0\nf: '010'\ng: [{h: 1}, {h: 1}]\n")
    (tmp_path / "b.yaml").write_text("")
    (tmp_path / "c.json").write_text('{"a":\t1}')
    check_files(sorted(tmp_path.iterdir()))


def test_a_path_is_expanded_and_brought_to_one_form(monkeypatch):
    monkeypatch.setenv("HOME", "/people/me")
    monkeypatch.setenv("DATA", "/data/")
    for written, path in {
        "results/": "results",
        "./results//seeds/": "results/seeds",
        "~/res": "/people/me/res",
        "$HOME/res": "/people/me/res",
        "${DATA}/res": "/data/res",
        "../res": "../res",
    }.items():
        config = changed("results", written)
        config["transcripts"] = {"source": "local", "path": written}
        config["adult_dialogue"] = {"path": written}
        config["suites"]["mirror"] = written
        config["published"]["mine"] = {"path": written}
        config["pairs"]["mine"] = {"kind": "given", "path": written}
        loaded = load_configuration(config)
        assert loaded.results == loaded.transcripts.path == loaded.adult_dialogue.path == path
        assert loaded.suites.mirror == loaded.published["mine"].path == loaded.pairs["mine"].path == path


@pytest.mark.parametrize("key", ["results", "adult_dialogue/path", "suites/mirror"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "a path must not be empty"),
        ("  ", "a path must not be empty"),
        ("res{seed}", "'res{seed}': a path must not have { or } in it"),
        ("$BABYLOGUE_NOWHERE/x", "the environment variable BABYLOGUE_NOWHERE is not set"),
        ("${BABYLOGUE_NOWHERE}", "the environment variable BABYLOGUE_NOWHERE is not set"),
        ("~nobody_of_that_name/x", "there is no home folder ~nobody_of_that_name; write the whole path"),
        (7, "must be text, and YAML reads it as 7; put it in quotes"),
    ],
)
def test_a_path_that_is_none_is_named(key, path, message):
    with pytest.raises(UserError) as caught:
        load_configuration(changed(key, path))
    assert str(caught.value).startswith(f"{key.replace('/', '.')}: ") and message in str(caught.value)


@pytest.mark.parametrize("folder", [".", "./", "/"])
def test_results_have_a_folder_of_their_own(folder):
    with pytest.raises(UserError, match=r"^results: .* name a folder of its own"):
        load_configuration(changed("results", folder))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("split/shares", DEFAULT["split"]["shares"]),
        ("pairs/mixed/shares", {"natural": 0.25, "synthetic": 0.75}),
        ("models/ppo_bleu/reward", {"grammaticality": 0.5, "bleu": {"values": [1, 2], "steps": 3}}),
        ("suites/urls", {"zorro": "https://a.org", "babylm_2025": "https://b.org"}),
        ("triplets/exclude_roles", ["Toy", "Media"]),
        ("pairs/syntax", {"kind": "syntax", "base": "natural", "violations": ["order", "case"]}),
        ("transcripts", {"source": "talkbank", "talkbank": TALKBANK}),
        ("transcripts/childes_db", {"version": "1.4", "collections": ["b", "a"], "corpora": ["d", "c"]}),
    ],
)
def test_an_order_without_meaning_makes_no_other_settings(path, value):
    def turned(item):
        if isinstance(item, dict):
            return {key: turned(inner) for key, inner in reversed(item.items())}
        return item[::-1] if isinstance(item, list) and not isinstance(item[0], int) else item

    assert repr(turned(value)) != repr(value)
    assert repr(load_configuration(changed(path, turned(value)))) == repr(load_configuration(changed(path, value)))


def test_a_default_that_is_stated_makes_no_other_settings():
    bare = {key: value for key, value in DEFAULT.items() if key != "split"}
    silent = load_configuration(copy.deepcopy(bare))
    stated = {
        "by": "child",
        "shares": {"test": 0.14, "validation": 0.04, "tune": 0.22, "pretrain": 0.6},
        "seed": 0,
    }
    stated = load_configuration(copy.deepcopy(bare) | {"split": stated})
    assert repr(stated) == repr(silent)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("models:\n  no: {method: pretrain}\n", "models: a name that YAML reads as False, not as text"),
        ("ppo:\n  gamma: 1\n  gamma: 0.9\n", "mine.yaml, line 3: ppo.gamma: the key stands in line 2 already"),
        ("results: 'res{seed}'\n", "results: 'res{seed}': a path must not have { or } in it"),
    ],
)
def test_the_run_stops_with_one_line(project, text, line):
    project.write("mine.yaml", text)
    done = project.snakemake("--dry-run", "--configfile", "mine.yaml", check=False)
    lines = [own for own in done.stdout.splitlines() if own.startswith("configuration: ")]
    assert done.returncode == 1 and "Traceback" not in done.stdout
    assert len(lines) == 1 and line in lines[0]


def test_a_slash_at_the_end_of_results_changes_nothing(project):
    project.write("slash.yaml", yaml.safe_dump({"results": "results/"}))
    done = project.snakemake("--dry-run", "--configfile", "slash.yaml", "--", "results/corpus/split.parquet")
    assert "double '/'" not in done.stdout and "//" not in done.stdout
    assert not Path(project.folder, "~").exists()
