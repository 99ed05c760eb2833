"""Which rows are models of the paper: by what they are, whatever they are called."""

import pytest

from babylogue.configuration import load_configuration
from babylogue.report.paper_models import PAPER_MODELS, paper_models
from babylogue.suites.pair_suites import description, paper_suite
from support.configurations import laid


def followed(config):
    """Run -> (model of the paper, whether it is mended)."""
    return {run: tuple(own) for run, own in paper_models(load_configuration(config)).items()}


def test_the_papers_preset_has_each_of_its_models():
    assert followed(laid("paper.yaml")) == {
        "base": ("base", False),
        "dpo_natural": ("dpo_natural", True),
        "dpo_natural_published": ("dpo_natural", False),
        "dpo_synthetic": ("dpo_synthetic", True),
        "dpo_synthetic_raw": ("dpo_synthetic", False),
        "ppo_bleu": ("ppo_bleu", True),
        "ppo_semsim": ("ppo_semsim", True),
        "ppo_llm_score": ("ppo_llm_score", True),
        "ppo_confidence": ("ppo_confidence", True),
        "ppo_confidence_sum": ("ppo_confidence", False),
    }


@pytest.mark.parametrize("preset", [[], ["childes_small.yaml"], ["childes_small.yaml", "preferences.yaml"]])
def test_models_of_another_size_are_none_of_the_papers(preset):
    assert followed(laid(*preset)) == {}


def test_a_name_is_no_property():
    config = laid("paper.yaml")
    models = config["models"]
    models["renamed"] = models.pop("dpo_natural_published")
    models["dpo_natural"] |= {"beta": 0.5}
    models["ppo_bleu"] |= {"kl_coefficient": 0.05}
    models["dpo_synthetic"] |= {"pairs": "natural_tokens"}
    config["evaluate"]["scores"] = config["evaluate"]["scores"][:1]
    found = followed(config)
    assert found["renamed"] == ("dpo_natural", False)
    assert found["dpo_synthetic"] == ("dpo_natural", True), "it learns from natural pairs"
    assert "dpo_natural" not in found and "ppo_bleu" not in found


@pytest.mark.parametrize(
    "change",
    [
        {"words": 50_000_000},
        {"text": "sentences"},
        {"architecture": {"hidden_size": 512, "layers": 16, "heads": 16, "intermediate_size": 1024}},
    ],
)
def test_what_starts_from_another_base_is_none_of_the_papers(change):
    config = laid("paper.yaml")
    config["pretrain"]["checkpoints"] = [1_000_000]
    config["models"]["base"] |= change
    config["evaluate"]["scores"] = [{"checkpoints": ["final"], "suites": ["blimp"]}]
    assert followed(config) == {}


def test_every_model_of_the_paper_is_told_by_settings_that_there_are():
    """A misspelt setting would match nothing: each is one of the row that follows the model."""
    config = load_configuration(laid("paper.yaml"))
    for run, (model, _) in paper_models(config).items():
        row, (wanted, published) = config.models[run], PAPER_MODELS[model]
        known = {*type(row).model_fields, "pairs", "triplets", "tokenizer"}
        assert {key.split(".")[0] for key in [*wanted, *published]} <= known


PAIRS = {
    "own": ({"kind": "given", "path": "mine.csv"}, (None, False), "Dialogue minimal pairs made elsewhere"),
    "own_named": ({"kind": "given", "hub": "me/dialogue_eval_words"}, (None, False), "pairs made elsewhere"),
    "theirs": (
        {"kind": "given", "hub": "fpadovani/dialogue_eval_tokens"},
        ("dialogue_tokens_published", True),
        "The paper's dialogue minimal pairs, matched in tokens",
    ),
    "some_of_theirs": (
        {"kind": "given", "hub": "fpadovani/dialogue_eval_tokens", "max_pairs": 9},
        (None, False),
        "Dialogue minimal pairs made elsewhere",
    ),
    "two_sided": ({"kind": "natural"}, ("dialogue_words_published", False), "replies of held-out children"),
    "one_sided": (
        {"kind": "natural", "construction": "published"},
        ("dialogue_words_published", False),
        "one-sided in their filters as the paper's",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_said_of_a_pair_set_follows_from_its_settings(name):
    settings, wanted, said = PAIRS[name]
    config = laid()
    # A name that looks like the paper's makes nothing the paper's.
    config["pairs"]["dialogue_tokens_published"] = settings | {"part": "test"}
    row = load_configuration(config).pairs["dialogue_tokens_published"]
    assert paper_suite(row) == wanted
    assert said in description(row)
    assert ("paper" in description(row)) == (name in ("theirs", "one_sided"))
