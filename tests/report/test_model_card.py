"""Model cards: of a real small run, and of invented ones; published as every branch's own."""

import threading

import pandas as pd
import pytest
import yaml
from huggingface_hub import ModelCard

from babylogue.report.model_card import model_card
from babylogue.report.tables import COLUMNS
from support.hub_server import TOKEN, Hub
from support.project import copy_of
from support.small_workflow import OVERLAY

RUNS = {"base": "final", "dpo_natural": "best", "ppo_bleu": "best"}
SETTINGS = {
    "run": "ppo_judged",
    "seed": 1,
    "method": "ppo",
    "reward": {"llm_score": 0.5, "bleu": 0.5},
    "stopped": "KL <above> 2 | a | b",
    "settings": {"prompts": 96, "guard": {"max_kl": 2.0}},
    "commit": "abc123",
    "python": "3.11",
    "packages": {"babylogue": "0.1.0", "torch": "2.13"},
}
COUNTS = {"transcripts": 3, "children": 2, "utterances": 40, "words": 1200, "types": 30, "triplets": 12}
STATISTICS = {"corpora": {"Made<b>|Up": COUNTS}, "parts": {"pretrain": COUNTS, "test": COUNTS}}
TOLD = {
    "source": "talkbank",
    "repository": "someone/babylogue-ppo_judged-seed1",
    "checkpoint": "best",
    "checkpoints": {"best": None, "final": None},
    "parents": ["dpo_natural/best", "base/final"],
    "published": {"judge": {"name": "smollm2", "origin": "in the package x==1", "fit_to_judge": False}},
    "descriptions": {"blimp": "Minimal pairs", "wug_adj": "Nonce adjectives"},
}
SCORES = pd.DataFrame(
    [
        ("ppo_judged", 1, "best", "blimp", "all", "accuracy", 61.26, 60.1, 62.4, 5000),
        ("ppo_judged", 1, "best", "blimp", "agreement", "accuracy", 99.9, 99.0, 100.0, 50),
        ("ppo_judged", 1, "final", "blimp", "all", "accuracy", 11.1, 10.0, 12.0, 5000),
        ("ppo_judged", 0, "best", "blimp", "all", "accuracy", 22.2, 20.0, 24.0, 5000),
        ("ppo_judged", 1, "best", "wug_adj", "all", "spearman", None, None, None, 50),
    ],
    columns=COLUMNS,
)


def card(**changes) -> str:
    return model_card(SETTINGS, STATISTICS, SCORES, **TOLD | changes)


@pytest.mark.parametrize("run", RUNS)
def test_a_card_beside_the_checkpoints_has_their_scores(small, run):
    folder = small.folder / f"results/models/{run}/seed0"
    assert not list(folder.glob("*/README.md")), "inside a checkpoint it would make its scores stale"
    read = ModelCard.load(folder / "README.md")
    scores = pd.read_csv(small.folder / "results/report/scores.csv")
    own = scores.query("run == @run and checkpoint == @RUNS[@run] and group == 'all' and metric == 'accuracy'")
    expected = {
        row.suite: pytest.approx((row.value, row.ci_low, row.ci_high, row.n), abs=1e-4) for row in own.itertuples()
    }
    assert {
        result.dataset_type: (
            result.metric_value,
            *(result.metric_args[key] for key in ("ci_low", "ci_high", "items")),
        )
        for result in read.data.eval_results
    } == expected
    for row in own.itertuples():
        assert f"| accuracy | {row.value:.1f} [{row.ci_low:.1f}, {row.ci_high:.1f}] % | 50.0 % |" in read.text
    settings = yaml.safe_load((folder / "settings.yaml").read_text())
    assert yaml.safe_load(read.text.split("```yaml\n")[1].split("```")[0]) == settings["settings"]
    for heading in ("Data", "Licence of the data", "Scores", "Intended use", "Limits", "Citation"):
        assert f"\n## {heading}\n" in read.text
    assert "None: the transcripts are generated." in read.text
    assert "CC BY-NC-SA" not in read.text


def test_what_the_card_says_loads_the_model(small, monkeypatch, capsys):
    folder = small.folder / "results/models/base/seed0"
    monkeypatch.chdir(folder)
    exec((folder / "README.md").read_text().split("```python\n")[1].split("```")[0], {})
    assert "*MOT: where is the ball ? *CHI:" in capsys.readouterr().out


def test_words_seen_stand_beside_the_checkpoints_of_a_pretrained_run(small):
    text = small.read("results/models/base/seed0/README.md")
    assert "| `chck_10K` | 10,000 |\n| `best` |  |\n| `final` | 40,000 |" in text
    assert "Checkpoints: best, final." in small.read("results/models/ppo_bleu/seed0/README.md")


def test_only_the_judged_checkpoint_of_the_own_seed_counts():
    (result,) = ModelCard(card()).data.eval_results
    assert (result.dataset_type, result.metric_value) == ("blimp", 61.26)
    assert "| blimp | Minimal pairs | accuracy | 61.3 [60.1, 62.4] % | 50.0 % | 5,000 |" in card()
    assert "| wug_adj | Nonce adjectives | spearman | undefined | 0.00 | 50 |" in card()


def test_real_transcripts_have_their_licence_and_citation():
    text = card()
    for part in ("CC BY-NC-SA 3.0", "TalkBank ground rules", "macwhinney2000childes", "may repeat it"):
        assert part in text
        assert part not in card(source="toy")
    assert "**A toy**" in card(source="toy")


def test_what_is_doubtful_is_said():
    text = card()
    assert "was stopped by its guard**: KL &lt;above&gt; 2 \\| a \\| b." in text
    assert "for the reward `llm_score + bleu`" in text
    assert "smollm2, is not fit to judge" in text
    fit = {"judge": {"name": "smollm2", "origin": "a folder of one's own", "fit_to_judge": True}}
    assert "not fit to judge" not in card(published=fit) + card(published={})
    assert "back, step by step, to base/final." in text


def test_a_method_that_has_no_name_in_words_is_called_what_it_is():
    text = model_card(SETTINGS | {"method": "kto"}, STATISTICS, SCORES, **TOLD)
    assert "`dpo_natural/best`, tuned by kto for the reward" in text
    assert "from scratch" not in text


def test_names_from_files_are_escaped():
    assert "| Made&lt;b&gt;\\|Up | 3 | 2 | 40 | 1,200 |" in card()
    assert "<b>" not in card()


def test_a_parent_of_the_hub_is_the_base_model():
    parent = {"name": "olmo", "origin": "https://huggingface.co/allenai/OLMo (main)", "hub": "allenai/OLMo"}
    assert ModelCard(card(published={"parent": parent})).data.base_model == "allenai/OLMo"


def test_a_run_without_scores_has_a_card():
    read = ModelCard(model_card(SETTINGS, STATISTICS, SCORES[:0], **TOLD))
    assert read.data.eval_results is None
    assert "None: no suite was asked for of this run." in read.text


@pytest.mark.slow
def test_every_branch_has_the_card_with_the_licence(small, tmp_path):
    workflow = copy_of(small, tmp_path / "workflow")
    with Hub() as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        workflow.environment = {"HF_TOKEN": TOKEN, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        settings = "hub={namespace: someone, license: cc-by-nc-sa-3.0}"
        targets = [f"results/pushed/{run}/seed0.json" for run in ("base", "dpo_natural")]
        workflow.snakemake("--cores", "1", *OVERLAY, "--config", settings, "--", *targets)
        hub.shutdown()
    suites = {"dialogue_words", "toy_grammar"}
    # A run's branches, and of these those whose weights are what the scores are of.
    for run, branches, judged, scored in (
        ("base", {"main", "chck_10K", "best", "final"}, {"main", "final"}, suites | {"lexical_decision"}),
        ("dpo_natural", {"main", "best", "final"}, {"best"}, suites),
    ):
        repository = f"someone/babylogue-{run}-seed0"
        assert {branch for name, branch in hub.files if name == repository} == branches
        for branch in branches:
            pushed = ModelCard(hub.files[repository, branch]["README.md"].decode())
            assert pushed.data.license == "cc-by-nc-sa-3.0"
            found = {result.dataset_type for result in pushed.data.eval_results or ()}
            assert found == (scored if branch in judged else set())
            assert f'from_pretrained("{repository}", revision="{RUNS[run]}")' in pushed.text
            assert f"Of the checkpoint `{RUNS[run]}`, and of no other" in pushed.text
