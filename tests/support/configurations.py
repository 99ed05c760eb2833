"""The default configuration, with one value changed or presets laid over it."""

import copy

import yaml
from snakemake.utils import update_config

from support.project import PROJECT

DEFAULT = yaml.safe_load((PROJECT / "config.yaml").read_text())
# What is laid over another preset, and the rows of models that it adds.
OVERLAYS = {
    "ablations.yaml": ("childes_small.yaml", {"base_wide"}),
    "preferences.yaml": ("childes_small.yaml", {"base"}),
    "curricula.yaml": ("childes_small.yaml", {"base"}),
    "reinforcement.yaml": ("childes_small.yaml", {"base"}),
    "reward_correlation.yaml": ("childes_small.yaml", {"base"}),
    "search_ppo.yaml": ("childes_small.yaml", {"base"}),
    "search_pretrain.yaml": ("childes_small.yaml", {"rate_5e-4", "rate_4e-3", "rate_2e-3_rows_32"}),
    "paper_scales.yaml": ("paper.yaml", {"base_350m", "base_1300m"}),
}
SERVER = {"remote": {"url": "http://localhost:8000/v1", "model": "meta-llama/Llama-3.2-3B"}}


def changed(path, value):
    """The default configuration with one value changed."""
    config = copy.deepcopy(DEFAULT)
    config["published"]["far"] = copy.deepcopy(SERVER)
    *inner, last = path.split("/")
    at = config
    for key in inner:
        at = at[int(key) if isinstance(at, list) else key]
    at[last] = value
    return config


def laid(*presets):
    """The default with presets over it, as read from YAML."""
    config = {}
    for file in ("config.yaml", *(f"presets/{name}" for name in presets)):
        update_config(config, yaml.safe_load((PROJECT / file).read_text()))
    return config
