"""A dry run of every preset, over data that are there by name alone."""

import pytest

from babylogue.configuration import load_configuration
from support.configurations import OVERLAYS, laid
from support.project import PROJECT


def test_curricula_differ_in_what_they_are_about_alone():
    models = {
        name: row
        for name, row in load_configuration(laid("childes_small.yaml", "curricula.yaml")).models.items()
        if row.method == "ppo"
    }
    assert len(models) == 9
    for name, row in models.items():
        if name != "ppo_kl":
            assert row.kl_coefficient == 0.02, name
        assert (row.learning_rate, row.prompts, row.kl_target) == (3e-5, 1920, None), name


def test_alternatives_to_ppo_are_rewarded_alike(with_data):
    """The same number of replies, and of optimiser steps on them."""
    planned = with_data.planned("--configfile", "presets/childes_small.yaml", "presets/reinforcement.yaml")
    runs = [f"{method}_{method}_semsim" for method in ("ppo", "grpo", "rloo")]
    assert [len(planned[run]) for run in runs] == [3] * len(runs)
    assert "rewarded_runs" in planned
    models = load_configuration(laid("childes_small.yaml", "reinforcement.yaml")).models
    ppo, grpo, rloo = (
        (row.steps, row.batch_size, row.minibatch_size, row.epochs_per_batch)
        for row in (models[f"{method}_semsim"] for method in ("ppo", "grpo", "rloo"))
    )
    assert ppo == grpo == rloo


@pytest.mark.slow
@pytest.mark.parametrize("preset", sorted(path.name for path in (PROJECT / "presets").glob("*.yaml")))
def test_dry_run(with_data, preset):
    below, added = OVERLAYS.get(preset, (None, set()))
    planned = with_data.planned("--configfile", *(f"presets/{name}" for name in (below, preset) if name))
    assert {f"pretrain_{run}" for run in added} <= set(planned)
    assert {"utterances", "tokens", "report"} <= set(planned)
    if not below or preset == "paper_scales.yaml":
        assert len(planned["score"]) > 50
        assert "replies" in planned
    assert any(rule.startswith("pretrain_") for rule in planned)
    assert all(output.startswith("results/") and output.count("/") > 1 for output in planned["score"])
