"""Mistakes in the configuration: one line each, that names the key, before any job."""

import copy
import json
import re

import jsonschema
import pytest
import yaml

from babylogue.configuration import load_configuration, schema
from babylogue.errors import UserError
from support.configurations import DEFAULT, changed
from support.project import PROJECT


def test_default_is_valid_and_lists_its_scores_once():
    scores = load_configuration(copy.deepcopy(DEFAULT)).scores()
    assert len(scores) == len(set(scores)) > 30


def test_a_grid_of_all_checkpoints_has_those_of_each_model():
    grid = {"checkpoints": ["all"], "suites": ["dialogue_words"], "models": ["base", "dpo_natural"]}
    scores = load_configuration(changed("evaluate/scores", [grid])).scores()
    assert [(run, checkpoint) for run, _, checkpoint, _ in scores] == [
        *(("base", name) for name in ("chck_50K", "chck_150K", "best", "final")),
        *(("dpo_natural", name) for name in ("best", "final")),
    ]


def test_checkpoints_by_epoch_are_scored_like_others():
    config = changed("models/dpo_natural/epochs", 3)
    config["models"]["dpo_natural"] |= {"checkpoints": [1, 3], "patience": None}
    config["models"]["after"] = config["models"]["dpo_natural"] | {
        "parent": "dpo_natural", "parent_checkpoint": "epoch_3",
    }  # fmt: skip
    config["evaluate"]["scores"] = [
        {"checkpoints": ["all"], "suites": ["blimp"], "models": ["dpo_natural", "dpo_mixed"]}
    ]
    loaded = load_configuration(config)
    assert [(run, checkpoint) for run, _, checkpoint, _ in loaded.scores()] == [
        *(("dpo_natural", name) for name in ("epoch_1", "epoch_3", "best", "final")),
        *(("dpo_mixed", name) for name in ("best", "final")),
    ]
    assert loaded.models["dpo_natural"].patience is None
    assert loaded.models["dpo_natural"].words_at() == {}


def test_every_model_is_compared_with_its_parent_and_with_the_reference():
    models = DEFAULT["models"] | {
        "after": {"method": "ppo", "parent": "dpo_natural", "parent_checkpoint": "best", "reward": "bleu"},
        "outside": {"method": "dpo", "parent": "smollm2", "pairs": "natural"},
    }
    contrasts = load_configuration(changed("models", models)).contrasts()
    assert len(contrasts) == len(set(contrasts)) == len(models) - 1 + 1
    assert ("base_sentences", "final", "base", "final") in contrasts
    assert [own for own in contrasts if own[0] == "after"] == [
        ("after", "best", "dpo_natural", "best"),
        ("after", "best", "base", "final"),
    ]
    assert [own[2] for own in contrasts if own[0] == "outside"] == ["base"]
    config = changed("models", models) | {"evaluate": DEFAULT["evaluate"] | {"reference": "dpo_natural"}}
    contrasts = load_configuration(config).contrasts()
    assert [own for own in contrasts if own[0] == "base"] == [("base", "final", "dpo_natural", "best")]
    assert {own[2] for own in contrasts if own[0] == "dpo_mixed"} == {"base", "dpo_natural"}
    config["evaluate"] = DEFAULT["evaluate"] | {"reference": None}
    parents = {(own[0], own[2]) for own in load_configuration(config).contrasts()}
    assert parents == {(run, row["parent"]) for run, row in models.items() if row.get("parent") in models}


def test_a_reference_that_a_preset_leaves_out_is_named():
    with pytest.raises(UserError, match=r"^evaluate\.reference: no model 'base_sentences'; name one of base, "):
        load_configuration(
            changed("models/base_sentences", None)
            | {"evaluate": {"reference": "base_sentences", "scores": DEFAULT["evaluate"]["scores"][:1]}}
        )


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("colour", "blue", r"^colour: unknown key"),
        ("tokenizer/vocabularry", 900, r"^tokenizer\.vocabularry: unknown key"),
        ("tokenizer/vocabulary", "many", r"^tokenizer\.vocabulary: .*integer.*'many'"),
        ("models/base/learning_rate", "fast", r"^models\.base\.learning_rate: .*number.*'fast'"),
        ("ppo/learning_rate", -1, r"^ppo\.learning_rate: .*greater than 0.*-1"),
        ("models/dpo_natural/gamma", 1, r"^models\.dpo_natural\.gamma: unknown key"),
        ("models/dpo_natural/parent", "bass", r"models\.dpo_natural\.parent: no model 'bass'; there are base,"),
        ("models/dpo_natural/parent_checkpoint", "chck_9M", r"models\.dpo_natural\.parent_checkpoint: .*chck_9M"),
        ("models/dpo_natural/pairs", "organic", r"models\.dpo_natural\.pairs: no set 'organic'"),
        ("models/dpo_natural/pairs", "dialogue_words", r"models\.dpo_natural\.pairs: .*test part"),
        ("models/ppo_bleu/reward", "rouge", r"models\.ppo_bleu\.reward: no reward 'rouge'"),
        (
            "models/ppo_bleu/reward",
            {"bleu": 1, "rouge": 1},
            r"models\.ppo_bleu\.reward: no reward 'rouge'; there are",
        ),
        (
            "models/ppo_like",
            {"method": "ppo", "parent": "dpo_natural", "reward": "implicit_reward"},
            r"^models\.ppo_like\.dpo_model: .* row of method dpo with the parent dpo_natural \(final\)",
        ),
        (
            "models/ppo_like",
            {"method": "grpo", "parent": "base", "reward": {"implicit_reward": 1}, "dpo_model": "base"},
            r"^models\.ppo_like\.dpo_model: .* and 'base' is none",
        ),
        (
            "models",
            {
                **DEFAULT["models"],
                "dpo_mean": {"method": "dpo", "parent": "base", "pairs": "natural", "length_normalised": True},
                "ppo_like": {
                    "method": "ppo",
                    "parent": "base",
                    "reward": "implicit_reward",
                    "dpo_model": "dpo_mean",
                },
            },
            r"^models\.ppo_like\.dpo_model: dpo_mean is length_normalised",
        ),
        (
            "models/ppo_bleu/reward",
            {"bleu": "much"},
            r"^models\.ppo_bleu\.reward\.bleu: .*valid number.*, not 'much'$",
        ),
        ("models/ppo_bleu/reward", {"bleu": -1}, r"^models\.ppo_bleu\.reward\.bleu: .*greater than or equal to 0"),
        ("models/ppo_bleu/reward", {}, r"^models\.ppo_bleu\.reward: .*at least 1 item"),
        ("models/ppo_bleu/reward", ["bleu"], r"^models\.ppo_bleu\.reward: .*valid string"),
        ("ppo/temperature", "hot", r"^ppo\.temperature: .*valid number.*, not 'hot'"),
        ("ppo/temperature", 0, r"^ppo\.temperature: the temperature must be above 0, not 0"),
        (
            "ppo/temperature",
            {"values": [1, 0], "steps": 5},
            r"^ppo\.temperature: the temperature must be above 0",
        ),
        ("ppo/temperature", {"values": [1, 2]}, r"^ppo\.temperature\.steps: missing"),
        (
            "ppo/entropy_coefficient",
            {"values": [1], "steps": 5},
            r"^ppo\.entropy_coefficient\.values: .*at least 2",
        ),
        ("ppo/entropy_coefficient", {"cycle": [1, 0]}, r"^ppo\.entropy_coefficient\.(values|cycle|steps): "),
        (
            "ppo/kl_coefficient",
            {"values": [0.1, 0.3], "steps": 5},
            r"^models\.ppo_bleu: kl_coefficient: a schedule needs kl_target: null",
        ),
        ("ppo/kl_coefficient", 0, r"^models\.ppo_bleu: kl_coefficient: 0 can adapt to no kl_target"),
        (
            "models/alternative",
            {"method": "rloo", "parent": "base", "reward": "bleu", "guard": {"max_ratio": 3.0}},
            r"^models\.alternative: guard: max_ratio can be watched in PPO alone",
        ),
        ("models/ppo_bleu/method", "ppoo", r"^models\.ppo_bleu: .*ppoo"),
        ("models/base", "llama", r"^models\.base: must be a table"),
        (
            "evaluate",
            [{"checkpoints": ["final"], "suites": ["blimp"]}],
            r"^evaluate: is a table now; put the list",
        ),
        ("evaluate/reference", "ghost", r"^evaluate\.reference: no model 'ghost'; name one of base, .*, or null"),
        (
            "pairs/zorro",
            {"kind": "given", "path": "a.csv", "part": "test"},
            r"^pairs\.zorro: the name is taken",
        ),
        ("evaluate/scores/0/suites", ["natural"], r"scores\.0\.suites: the pair set natural is no suite; only"),
        ("evaluate/scores/0/suites", ["blump"], r"evaluate\.scores\.0\.suites: no suite 'blump'"),
        (
            "evaluate/scores/0/checkpoints",
            ["chck_5M"],
            r"evaluate\.scores\.0\.checkpoints: no model has a checkpoint 'chck_5M'",
        ),
        ("transcripts/source", "talkbank", r"transcripts: source 'talkbank' needs `talkbank: \{corpora"),
        ("transcripts/source", "childes_db", r"transcripts: source 'childes_db' needs `childes_db: \{version"),
        ("transcripts/talkbank", {"corpora": ["../x"]}, r"transcripts\.talkbank\.corpora\.0: '\.\./x' is neither"),
        ("pretrain/adult_share", 0.2, r"models\.base\.adult_share: needs adult_dialogue\.path"),
        ("pretrain/checkpoints", [50_000, 9_000_000], r"checkpoint 9,000,000 is beyond the budget of"),
        ("dpo/checkpoints", [1, 2], r"^models\.dpo_natural: checkpoints: 2 is beyond the 1\.5 epochs of the run"),
        (
            "dpo/checkpoints",
            [1, 1],
            r"^models\.dpo_natural: checkpoints: epochs ascending, each once",
        ),
        ("dpo/checkpoints", [0.5], r"^dpo\.checkpoints\.0: .*integer"),
        ("dpo/label_smoothing", 0.5, r"^dpo\.label_smoothing: .*less than 0\.5"),
        (
            "models/dpo_natural",
            DEFAULT["models"]["dpo_natural"] | {"length_normalised": True, "label_smoothing": 0.1},
            r"^models\.dpo_natural: label_smoothing: not with length_normalised",
        ),
        ("split/shares", {"pretrain": 1.0}, r"^split: .*shares must name"),
        ("transcripts/source", "local", r"^transcripts: source 'local' needs `path`"),
        ("teacher/judge", "gpt", r"teacher\.judge: no row 'gpt' in published"),
        ("teacher/embedder", "far", r"teacher\.embedder: far is a server, which can be the writer alone"),
        ("models/dpo_natural/parent", "far", r"models\.dpo_natural\.parent: far is a server"),
        ("teacher/writer", "far", r"models\.ppo_confidence\.reward: confidence asks .* and far is a server"),
        (
            "published/far/remote/url",
            "far:80/v1",
            r"published\.far\.remote\.url: must be an address such as https://host/path",
        ),
        ("published/smollm2/sha256", None, r"^published\.smollm2: .*needs sha256"),
        ("pairs/mixed/shares", {"natural": 0.9}, r"pairs\.mixed: shares must"),
        ("seeds", [], r"^seeds: "),
        ("seeds", [-1], r"^seeds\.0: .*greater than or equal to 0"),
        ("seeds", [1, 1], r"^seeds: each seed once"),
        (
            "models/alternative",
            {"method": "grpo", "parent": "base", "reward": "rouge"},
            r"alternative\.reward: no rew",
        ),
        (
            "models/alternative",
            {"method": "rloo", "parent": "base", "reward": "bleu", "heldout_pairs": "dialogue_words"},
            r"^models\.alternative\.heldout_pairs: no natural set",
        ),
        (
            "models/alternative",
            {"method": "grpo", "parent": "base", "reward": "bleu", "group_size": 5},
            r"^models\.alternative: group_size 5 does not divide batch_size 16",
        ),
        ("models/ppo_bleu/heldout_pairs", "dialogue_words", r"models\.ppo_bleu\.heldout_pairs: no natural set"),
        ("pairs/dialogue_words/part", "tune", r"pairs\.dialogue_words: the suite .* wants .*part: test"),
        (
            "pairs/dialogue_words_published",
            {"kind": "given", "path": "pairs.json"},
            r"pairs\.dialogue_words_published: the suite .* wants .*part: test",
        ),
        ("pairs/authors", {"kind": "given"}, r"pairs\.authors: give exactly one of path and hub"),
        ("evaluate/scores/0/suites", ["dialogue_words_published"], r"pairs\.dialogue_words_published: missing"),
        ("pairs/synthetic/base", "dialogue_words", r"pairs\.mixed\.shares: built on dialogue_words and natural"),
        ("pairs/rollouts", {"kind": "natural"}, r"pairs\.rollouts: the name is taken"),
        ("published/base", {"hub": "a/b"}, r"published\.base: a row of models has that name"),
        ("split/shares/test", -0.1, r"^split: shares must"),
    ],
)
def test_mistake_is_named(path, value, message):
    with pytest.raises(UserError, match=message) as caught:
        load_configuration(changed(path, value))
    assert "\n" not in str(caught.value)


def test_a_sum_and_a_schedule_replace_those_of_the_section():
    config = changed("ppo/reward", {"ranking": 0.5, "grammaticality": 0.5})
    config["ppo"] |= {"kl_target": None, "kl_coefficient": {"values": [0, 1], "steps": 5, "form": "line"}}
    config["models"]["ppo_bleu"]["reward"] = {"bleu": 0.5, "semsim": 0.5}
    config["models"]["ppo_bleu"]["kl_coefficient"] = {"values": [0.1, 0.3], "steps": 2}
    row = load_configuration(config).models["ppo_bleu"]
    assert row.reward == {"bleu": 0.5, "semsim": 0.5} and row.kl_coefficient.form == "cycle"


def test_cycle_of_parents_is_shown():
    config = changed("models/dpo_natural/parent", "ppo_bleu")
    config["models"]["ppo_bleu"]["parent"] = "dpo_natural"
    with pytest.raises(UserError, match=r"a cycle, dpo_natural -> ppo_bleu -> dpo_natural"):
        load_configuration(config)


def test_a_suite_of_a_whole_run_is_scored_once_a_pretrained_run():
    grid = {"checkpoints": ["chck_50K", "final"], "suites": ["aoa", "aoa_surprisal"]}
    scores = load_configuration(changed("evaluate/scores", [grid])).scores()
    assert [score for score in scores if score[3] == "aoa"] == [
        ("base", 0, "final", "aoa"), ("base_sentences", 0, "final", "aoa"),
    ]  # fmt: skip
    assert ("dpo_natural", 0, "final", "aoa_surprisal") in scores
    for grid in (
        {"checkpoints": ["chck_50K"], "suites": ["aoa"]},
        {"checkpoints": ["final"], "suites": ["aoa"], "models": ["dpo_natural"]},
    ):
        with pytest.raises(
            UserError, match=r"evaluate\.scores\.0\.suites: aoa is of a pre-trained run as a whole"
        ):
            load_configuration(changed("evaluate/scores", [grid]))


def test_words_seen_at_every_checkpoint():
    base = load_configuration(DEFAULT).models["base"]
    assert list(base.words_at()) == [f"chck_{words // 1000}K" for words in base.checkpoints] + ["final"]
    last = base.model_copy(update={"checkpoints": [50_000, base.words]})
    assert list(last.words_at().values()) == [50_000, base.words]


def test_row_set_to_null_is_left_out():
    config = changed("models/ppo_semsim", None)
    assert "ppo_semsim" not in load_configuration(config).models


def test_row_overrides_its_methods_defaults():
    config = changed("models/dpo_natural/beta", 0.5)
    models = load_configuration(config).models
    assert (models["dpo_natural"].beta, models["dpo_mixed"].beta) == (0.5, 0.1)


def test_snakemake_stops_before_any_job_with_one_line(project):
    done = project.snakemake("--cores", "1", "--config", "colour=blue", check=False)
    assert done.returncode == 1
    assert "configuration: colour: unknown key" in done.stdout
    assert "Traceback" not in done.stdout
    assert "Job stats" not in done.stdout


def test_nothing_left_to_score_stops_with_where_to_get_it(project):
    grid = {"checkpoints": ["final"], "suites": ["zorro"]}
    project.write("m.yaml", yaml.safe_dump({"evaluate": {"scores": [grid]}, "suites": {"download": False}}))
    done = project.snakemake("--dry-run", "--configfile", "m.yaml", check=False)
    assert done.returncode == 1
    assert "suite zorro is left out: no suites.mirror with zorro/*.txt" in done.stdout
    assert "get it from https://github.com/phueb/Zorro" in done.stdout
    assert "evaluate: none of its suites can be had: zorro" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("preset", sorted(path.name for path in (PROJECT / "presets").glob("*.yaml")))
def test_presets_are_valid(preset):
    overlay = yaml.safe_load((PROJECT / "presets" / preset).read_text())

    def lay(over, under):
        for key, value in over.items():
            if isinstance(value, dict) and isinstance(under.get(key), dict):
                lay(value, under[key])
            else:
                under[key] = value

    config = copy.deepcopy(DEFAULT)
    lay(overlay, config)
    assert load_configuration(config).results != "results", "a preset must not overwrite the default's results"


def test_every_setting_is_in_the_default_file():
    text = (PROJECT / "config.yaml").read_text()

    def names(node):
        if isinstance(node, dict):
            yield from node.get("properties", {})
            for value in node.values():
                yield from names(value)
        elif isinstance(node, list):
            for value in node:
                yield from names(value)

    assert not sorted(name for name in set(names(schema())) if not re.search(rf"\b{name}\b", text))


def test_schema_is_in_step():
    assert json.loads((PROJECT / "config.schema.json").read_text()) == schema()


FILES = [PROJECT / "config.yaml", *sorted((PROJECT / "presets").glob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_editor_finds_the_schema_and_no_mistake(path):
    first, *_ = path.read_text().splitlines()
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert (path.parent / named[1]).resolve() == PROJECT / "config.schema.json"
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads((path.parent / named[1]).read_text()))


@pytest.mark.parametrize(
    ("overlay", "valid"),
    [
        (
            {
                "models": {"base_sentences": None, "ppo_bleu": {"kl_coefficient": 0.1}},
                "teacher": {"engine": "auto"},
            },
            True,
        ),
        ({"pairs": {"natural": {"max_pairs": 10}}, "published": {"smollm2": None}}, True),
        ({"ppo": {"guard": {"max_kl": None}, "temperature": {"values": [1, 0.5], "steps": 3}}}, True),
        ({"tokenizer": {"vocabularry": 900}}, False),
        ({"tokenizer": {"vocabulary": "many"}}, False),
        ({"models": {"dpo_natural": {"method": "dpo", "gamma": 1}}}, False),
        ({"models": {"dpo_natural": {"method": "sft"}}}, False),
        ({"pairs": {"natural": {"kind": "natural", "shares": {"natural": 1}}}}, False),
        ({"evaluate": {"scores": [{"suites": ["blimp"]}]}}, False),
    ],
)
def test_an_editor_marks_mistakes_in_an_overlay_and_nothing_else(overlay, valid):
    assert jsonschema.Draft202012Validator(schema()).is_valid(overlay) == valid


def test_a_model_stands_by_its_kept_checkpoint_or_by_what_is_scored_of_it():
    assert set(load_configuration(DEFAULT).reported().items()) >= {("base", "final"), ("dpo_natural", "best")}
    final = [{"checkpoints": ["chck_50K", "final"], "suites": ["toy_grammar"]}]
    assert set(load_configuration(changed("evaluate/scores", final)).reported().values()) == {"final"}
    early = [{"checkpoints": ["chck_50K"], "suites": ["toy_grammar"]}]
    assert load_configuration(changed("evaluate/scores", early)).reported()["base"] == "chck_50K"
    kept = [{"checkpoints": ["kept", "best"], "suites": ["toy_grammar"], "models": ["dpo_natural"]}]
    loaded = load_configuration(changed("evaluate/scores", kept))
    assert loaded.scores() == [("dpo_natural", 0, "best", "toy_grammar")]
    learning = [{"checkpoints": ["chck_150K", "chck_50K"], "suites": ["toy_grammar"]}]
    assert load_configuration(changed("evaluate/scores", learning)).reported()["base"] == "chck_150K"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("published/far", {"remote": {"url": "https://me:hunter2@host/v1", "model": "m"}}),
        ("published/far", {"remote": {"url": "https://host/v1?key=hunter2", "model": "m"}}),
        ("suites/urls/zorro", "ftp://me:hunter2@host/zorro.zip"),
    ],
)
def test_no_secret_of_an_address_is_repeated(path, value):
    with pytest.raises(UserError) as caught:
        load_configuration(changed(path, value))
    assert "hunter2" not in str(caught.value)
