"""The default configuration run to its end, and what every kind of change reruns."""

import json
import time

import pandas as pd
import psutil
import pytest
import yaml

from support.project import COPIED, copy_of

TABLE = {
    "scores_table", "comparisons", "items", "trajectories", "suite_sources", "report", "model_card",
    "table_parquet", "all",
}  # fmt: skip
REPLIES = {"reply_samples", "replies_table"}
PAIR_SETS = {"natural", "synthetic", "mixed", "dialogue_words", "dialogue_tokens"}
MODELS = [
    "base", "base_sentences", "dpo_natural", "dpo_synthetic", "dpo_mixed",
    "ppo_bleu", "ppo_semsim", "ppo_llm_score", "ppo_confidence",
]  # fmt: skip
COLUMNS = ["run", "seed", "checkpoint", "suite", "group", "metric", "value", "ci_low", "ci_high", "n"]


@pytest.fixture(scope="module")
def scores(finished):
    return pd.read_csv(finished.folder / "results/report/scores.csv")


def headline(scores, run, suite, checkpoint="final"):
    """The suite's accuracy of a run: value, ci_low, ci_high."""
    chosen = scores.query(
        "run == @run and suite == @suite and checkpoint == @checkpoint and group == 'all' and metric == 'accuracy'"
    )
    assert len(chosen) == 1
    return chosen[["value", "ci_low", "ci_high"]].iloc[0]


def runs_of(outputs):
    """The runs that score or model files belong to."""
    return {output.split("/")[2] for output in outputs}


# --- what comes out -----------------------------------------------------------------------------------------


def test_a_second_run_does_nothing(finished):
    assert finished.planned() == {}
    assert "Nothing to be done" in finished.snakemake("--cores", "all").stdout


def test_scores_table_has_every_score_with_its_interval(finished, scores):
    assert list(scores.columns) == COLUMNS
    config = yaml.safe_load(finished.read("config.yaml"))
    for grid in config["evaluate"]["scores"]:
        for run in grid.get("models", MODELS):
            pretrained = run.startswith("base")
            kept = "final" if pretrained else "best"
            for checkpoint in (kept if name == "kept" else name for name in grid["checkpoints"]):
                if checkpoint != kept and not pretrained:
                    continue
                for suite in grid["suites"]:
                    value, low, high = headline(scores, run, suite, checkpoint)
                    assert 0 <= low < value < high <= 100
    assert scores.query("suite == 'toy_grammar' and metric == 'accuracy'")["group"].nunique() == 8 + 1


def test_models_load_with_transformers_alone(finished):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for run in ("base", "dpo_natural", "ppo_bleu"):
        folder = finished.folder / f"results/models/{run}/seed0/final"
        model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        ids = tokenizer("*MOT: where's the spoon ? *CHI:", return_tensors="pt")
        written = model.generate(**ids, max_new_tokens=5, do_sample=False)
        assert written.shape[1] > ids["input_ids"].shape[1]


def test_settings_say_how_a_model_was_made(finished):
    settings = yaml.safe_load(finished.read("results/models/dpo_natural/seed0/settings.yaml"))
    assert settings["seed"] == 0
    assert settings["parent"] == "results/models/base/seed0/final"
    assert settings["settings"]["beta"] == 0.1
    assert {"torch", "transformers", "trl"} <= set(settings["packages"])
    assert "commit" in settings


def test_page_names_every_model(finished):
    page = finished.read("results/report/index.html")
    for run in MODELS:
        assert run in page
    assert "not fit to judge" in page


def test_base_beats_what_the_reply_alone_gives_away(finished, scores):
    baselines = pd.read_csv(finished.folder / "results/report/baselines.csv")
    for suite in ("dialogue_words", "dialogue_tokens"):
        reply_alone = baselines.query("suite == @suite and reply_only and metric == 'accuracy'")
        assert len(reply_alone) >= 4
        low = headline(scores, "base", suite)["ci_low"]
        assert low > reply_alone["ci_high"].max(), "the intervals must lie apart"


def test_dpo_on_natural_pairs_beats_base(finished):
    comparisons = pd.read_csv(finished.folder / "results/report/comparisons.csv")
    contrasts = comparisons[["run", "against"]].drop_duplicates().values.tolist()
    assert sorted(contrasts) == sorted([run, "base"] for run in MODELS if run != "base")
    gain = comparisons.query("run == 'dpo_natural' and suite == 'dialogue_words' and metric == 'accuracy'").iloc[0]
    assert gain["ci_low"] > 0 and gain["p_holm"] < 0.05 and gain["differs"], gain


def test_models_stand_beside_the_baselines_of_every_dialogue_suite(finished, scores):
    baselines = pd.read_csv(finished.folder / "results/report/baselines.csv")
    for suite in ("dialogue_words", "dialogue_tokens"):
        wanted = f"suite == '{suite}' and metric == 'accuracy_no_shared_token'"
        models = scores.query(f"{wanted} and checkpoint in ('final', 'best')")
        models = models[(models["checkpoint"] == "final") == models["run"].str.startswith("base")]
        assert set(models["run"]) == set(MODELS)
        assert set(baselines.query(wanted)["n"]) == set(models["n"]) != {0}
    assert set(baselines["trained_on"]) == {"natural"}


def test_every_pair_set_has_its_card(finished):
    table = pd.read_csv(finished.folder / "results/report/pair_cards.csv")
    assert set(table["pairs"]) == PAIR_SETS
    for name in PAIR_SETS:
        card = json.loads(finished.read(f"results/pairs/{name}.card.json"))
        own = "tune" if name in ("natural", "synthetic", "mixed") else "test"
        assert {part: shared > 0 for part, shared in card["children"].items()} == {
            "train_and_heldout": False, "pretrain": False, "validation": False, "tune": own == "tune",
            "test": own == "test",
        }  # fmt: skip
        counts = card["filters"]
        assert counts["candidates"] - sum(counts["removed"].values()) == card["sizes"]["pairs"]
        if card["settings"].get("construction") == "two_sided":
            assert card["reply_only"]["ci_low"] < 50
            assert card["balance"]["balanced_uses_percent"] == 100
            assert card["overlap"]["chosen_percent"] == card["overlap"]["rejected_percent"] == 0


def test_children_of_the_pairs_are_apart(finished):
    pairs = {
        name: pd.read_parquet(finished.folder / f"results/pairs/{name}.parquet")
        for name in ("natural", "dialogue_words")
    }
    pretrain = pd.read_parquet(finished.folder / "results/corpus/triplets/pretrain.parquet")
    assert not set(pairs["natural"]["child"]) & set(pairs["dialogue_words"]["child"])
    assert not set(pairs["dialogue_words"]["child"]) & set(pretrain["child"])


def test_log_and_benchmark_beside_every_model(finished):
    for run in MODELS:
        assert finished.read(f"results/logs/models/{run}/seed0.log")
        assert finished.read(f"results/benchmarks/models/{run}/seed0.tsv")


# --- what a change reruns -----------------------------------------------------------------------------------


def replace(workflow, file, old, new):
    text = workflow.read(file)
    assert old in text
    workflow.write(file, text.replace(old, new, 1))


@pytest.fixture(scope="module")
def own_copy(finished, tmp_path_factory):
    return copy_of(finished, tmp_path_factory.mktemp("edited"))


@pytest.fixture
def edited(own_copy):
    """A copy of `finished` whose files can be changed: those of the workflow are put back after each test."""
    files = [path for name in COPIED for path in sorted((own_copy.folder / name).rglob("*")) if path.is_file()]
    files += [own_copy.folder / name for name in COPIED if (own_copy.folder / name).is_file()]
    before = {path: path.read_bytes() for path in files}
    yield own_copy
    for path, content in before.items():
        if path.read_bytes() != content:
            path.write_bytes(content)


def test_ppo_learning_rate_reruns_ppo_alone(edited):
    config = yaml.safe_load(edited.read("config.yaml"))
    config["ppo"]["learning_rate"] = 7.7e-5
    edited.write("config.yaml", yaml.safe_dump(config, sort_keys=False))
    planned = edited.planned()
    ppo = {run for run in MODELS if run.startswith("ppo_")}
    assert set(planned) - TABLE == {"score", "rewarded_runs"} | {f"ppo_{run}" for run in ppo} | REPLIES
    assert runs_of(planned["score"]) == runs_of(planned["reply_samples"]) == ppo


def test_new_row_adds_its_own_work_alone(edited):
    replace(
        edited,
        "config.yaml",
        "  dpo_natural: {",
        "  dpo_gentle: {method: dpo, parent: base, pairs: natural, beta: 0.5}\n  dpo_natural: {",
    )
    planned = edited.planned()
    assert set(planned) - TABLE == {"dpo_dpo_gentle", "score"} | REPLIES
    assert runs_of(planned["score"]) == runs_of(planned["reply_samples"]) == {"dpo_gentle"}


def test_dropped_row_reruns_the_tables_alone(edited):
    replace(edited, "config.yaml", "  ppo_semsim: {method: ppo, parent: base, reward: semsim}\n", "")
    left = {"all", "suite_sources", "model_card"}
    assert set(edited.planned()) == {"rewarded_runs", "replies_table"} | TABLE - left


def test_comment_and_docstring_rerun_nothing(edited):
    for module in ("model/pretrain.py", "dialogue.py", "scoring/scorer.py", "reinforcement/settings.py"):
        file = f"scripts/babylogue/{module}"
        edited.write(file, edited.read(file).replace('"""', '"""Reworded. ', 1) + "\n# a remark\n")
    edited.write("scripts/dpo.py", edited.read("scripts/dpo.py") + "\n# a remark\n")
    assert edited.planned() == {}


@pytest.mark.parametrize(
    ("module", "old", "new", "rules", "runs"),
    [
        (
            "reinforcement/objective.py",
            "import torch\n",
            "import torch\n\nBEHAVIOUR = 1\n",
            {"score", "rewarded_runs"} | {f"ppo_{run}" for run in MODELS if run.startswith("ppo_")} | REPLIES,
            {run for run in MODELS if run.startswith("ppo_")},
        ),
        (
            "reinforcement/rewards/semsim.py",
            "import numpy",
            "BEHAVIOUR = 1\nimport numpy",
            {"score", "rewarded_runs", "ppo_ppo_semsim"} | REPLIES,
            {"ppo_semsim"},
        ),
        ("reinforcement/rewards/registry.py", "REWARDS = {", "OTHERS = 1\nREWARDS = {", set(), set()),
        (
            "preferences/dpo.py",
            "import torch\n",
            "import torch\n\nBEHAVIOUR = 1\n",
            {"score"} | {f"dpo_{run}" for run in MODELS if run.startswith("dpo_")} | REPLIES,
            {run for run in MODELS if run.startswith("dpo_")},
        ),
        ("suites/toy_grammar.py", "SEED = ", "SEED = 1 + ", {"suite", "score"}, set(MODELS)),
        ("suites/registry.py", '"zorro": "zorro"', '"zorro": "zorro", "other": "zorro"', set(), set()),
        ("report/tables.py", "import json", "import json\nBEHAVIOUR = 1", {"pair_cards"}, set()),
        ("analysis/pair_cards.py", "FOLDS = 5", "FOLDS = 4", {"pair_card", "pair_cards"}, set()),
    ],
)
def test_behaviour_of_a_module_reruns_what_uses_it(edited, module, old, new, rules, runs):
    replace(edited, f"scripts/babylogue/{module}", old, new)
    planned = edited.planned()
    assert set(planned) - TABLE == rules
    assert runs_of(planned.get("score", ())) == runs
    if module == "suites/toy_grammar.py":
        assert all("toy_grammar" in output for output in planned["score"])


def test_deleted_score_is_made_again_alone(edited):
    score = edited.folder / "results/scores/base/seed0/final/toy_grammar.json"
    content = score.read_bytes()
    score.unlink()
    try:
        planned = edited.planned()
        assert planned["score"] == ["results/scores/base/seed0/final/toy_grammar.json"]
        assert set(planned) <= TABLE | {"score"}
        edited.snakemake("--cores", "2", "results/scores/base/seed0/final/toy_grammar.json")
        assert score.read_bytes() == content, "scoring the same model again gives the same score"
        edited.snakemake("--cores", "2")
    finally:
        score.write_bytes(content) if not score.exists() else None


def test_one_score_by_its_name_from_nothing(project):
    planned = project.planned("results/scores/base/seed0/final/toy_grammar.json")
    assert set(planned) == {
        "toy_transcripts", "utterances", "split", "triplets", "tokenizer", "tokens", "pretrain_base", "suite",
        "score",
    }  # fmt: skip
    assert planned["score"] == ["results/scores/base/seed0/final/toy_grammar.json"]


def test_changed_benchmark_file_reruns_that_suites_scores(edited):
    sentences = [f"the {noun} {verb} ." for noun in ("dog", "cat", "boat") for verb in ("sleep", "sleeps")]
    for paradigm in range(23):
        edited.write(f"mirror/zorro/paradigm-{paradigm}.txt", "\n".join(sentences) + "\n")
    for name in ("hypernym", "qa_congruence_easy", "qa_congruence_tricky", "subject_aux_inversion", "turn_taking"):
        item = {"sentence_good": "the dog sleeps .", "sentence_bad": "the dog sleep ."}
        edited.write(f"mirror/evaluation_data/full_eval/supplement_filtered/{name}.jsonl", json.dumps(item) + "\n")
    edited.write(
        "mirror.yaml",
        yaml.safe_dump(
            {
                "suites": {"mirror": "mirror"},
                "evaluate": {
                    "scores": [
                        {"models": ["base"], "checkpoints": ["final"], "suites": ["zorro", "blimp_supplement"]}
                    ]
                },
            }
        ),
    )
    targets = [f"results/scores/base/seed0/final/{suite}.json" for suite in ("zorro", "blimp_supplement")]
    overlay = ("--configfile", "mirror.yaml", "--")
    edited.snakemake("--cores", "2", *overlay, *targets)
    assert edited.planned(*overlay, *targets) == {}
    assert json.loads(edited.read(targets[0]))["rows"][0]["n"] == 3
    edited.write("mirror/zorro/paradigm-0.txt", "\n".join(sentences[2:]) + "\n")
    planned = edited.planned(*overlay, *targets)
    assert planned == {"suite": ["results/suites/zorro.parquet"], "score": [targets[0]]}


@pytest.mark.parametrize(
    ("source", "rule", "made"),
    [
        ({"source": "talkbank", "talkbank": {"corpora": ["Eng-NA/Brown"]}}, "talkbank", "talkbank.json"),
        (
            {"source": "childes_db", "childes_db": {"version": "1.4", "collections": ["Eng-NA"]}},
            "childes_db",
            "childes_db.parquet",
        ),
    ],
)
def test_sources_that_are_downloaded(project, source, rule, made):
    project.write("source.yaml", yaml.safe_dump({"transcripts": source}))
    target = "results/corpus/triplets/pretrain.parquet"
    planned = project.planned("--configfile", "source.yaml", "--", target)
    assert set(planned) == {rule, "utterances", "split", "triplets"}
    assert planned[rule] == [f"results/transcripts/{made}"]


def test_adult_dialogue_is_read_and_mixed_in_where_a_row_asks(project):
    folder = project.folder / "adults/Made"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "one.cha").write_text("@UTF8\n@Begin\n@End\n")
    overlay = {
        "adult_dialogue": {"path": "adults"},
        "models": {"base_adult": {"method": "pretrain", "adult_share": 0.5}},
    }
    project.write("adult.yaml", yaml.safe_dump(overlay))
    planned = project.planned("--configfile", "adult.yaml", "--", "results/models/base_adult/seed0/final")
    assert set(planned) == {
        "toy_transcripts", "utterances", "split", "triplets", "adult_triplets", "tokenizer", "tokens",
        "pretrain_base_adult",
    }  # fmt: skip
    assert len(planned["utterances"]) == 2
    assert set(planned["tokens"]) == {
        "results/tokens/triplets_adult0.5/pretrain",
        "results/tokens/triplets/validation",
    }
    (folder / "one.cha").unlink()
    done = project.snakemake("--dry-run", "--configfile", "adult.yaml", check=False)
    assert "adult_dialogue.path: adults has no .cha file and no .zip" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_training_that_was_killed_goes_on_and_ends_in_the_same_weights(edited):
    row = {"method": "pretrain", "words": 60_000, "checkpoints": [20_000], "validations": 3}
    edited.write("killed.yaml", yaml.safe_dump({"models": {"whole": row, "killed": row}}))
    command = ["--cores", "2", "--configfile", "killed.yaml", "--"]
    edited.snakemake(*command, "results/models/whole/seed0/final")

    folder = edited.folder / "results/models/killed/seed0"
    snakemake = edited.start(*command, "results/models/killed/seed0/final")
    while not list((folder / "state").glob("*.sha256")):
        assert snakemake.poll() is None
        time.sleep(0.01)
    (job,) = [
        process
        for process in psutil.Process(snakemake.pid).children(recursive=True)
        if any(part.endswith("pretrain.py") for part in process.cmdline()) and not process.children()
    ]
    job.kill()
    snakemake.communicate()
    assert snakemake.returncode != 0
    assert not (folder / "final").exists()

    edited.snakemake(*command, "results/models/killed/seed0/final")
    assert "going on from step" in edited.read("results/logs/models/killed/seed0.log")
    assert not (folder / "state").exists()
    for checkpoint in ("chck_20K", "best", "final"):
        whole, killed = (
            edited.folder / f"results/models/{run}/seed0/{checkpoint}/model.safetensors"
            for run in ("whole", "killed")
        )
        assert whole.read_bytes() == killed.read_bytes()


def test_age_of_acquisition_is_fitted_to_all_checkpoints_of_a_run(edited):
    folder = "mirror/evaluation_data/full_eval/cdi_childes"
    contexts = {word: [{"context": "where is the"}, {"context": "I want a"}] for word in ("dog", "ball", "spoon")}
    edited.write(f"{folder}/cdi_childes.json", json.dumps(contexts))
    months = range(16, 31)
    shares = [
        [word, *(min(1.0, 0.05 * (month - 14 - late)) for month in months)] for late, word in enumerate(contexts)
    ]
    table = pd.DataFrame(shares, columns=["word", *map(str, months)])
    edited.write(f"{folder}/cdi_human.csv", table.to_csv(index=False))
    overlay = ("--config", "suites={mirror: mirror}", "--")
    score = "results/scores/base/seed0/final/aoa.json"
    planned = edited.planned(*overlay, score)
    assert set(planned) == {"suite", "score", "combined_score"}
    words = yaml.safe_load(edited.read("config.yaml"))["pretrain"]["checkpoints"]
    checkpoints = [f"chck_{number // 1000}K" for number in words] + ["final"]
    assert sorted(planned["score"]) == sorted(
        f"results/scores/base/seed0/{name}/aoa_surprisal.json" for name in checkpoints
    )
    edited.snakemake("--cores", "2", *overlay, score)
    metrics = {row["metric"]: row for row in json.loads(edited.read(score))["rows"]}
    assert metrics["words"]["n"] == 3
    assert edited.planned(*overlay, score) == {}
    edited.write(f"{folder}/cdi_human.csv", table.iloc[:2].to_csv(index=False))
    assert set(edited.planned(*overlay, score)) == {"suite", "combined_score"}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("results/scores/dpo_natural/seed0/final/aoa.json", "aoa is of a pre-trained run as a whole"),
        ("results/scores/base/seed0/chck_50K/aoa.json", "under the checkpoint final"),
        ("results/suites/glue.parquet", "the suite is made of other suites' scores"),
    ],
)
def test_a_combined_score_that_cannot_be_stops_with_one_line(project, target, message):
    done = project.snakemake("--dry-run", target, check=False)
    assert done.returncode == 1
    assert message in done.stdout
    assert "Traceback" not in done.stdout
