"""Which rows of a configuration are models of Padovani et al. (2025), by what they are and not by their names."""

from collections.abc import Mapping
from typing import Any, NamedTuple

_PARENT = {"parent.paper": ["base"], "parent_checkpoint": ["final"]}
_DPO = _PARENT | {
    "method": ["dpo"],
    "beta": [0.1],
    "learning_rate": [5e-6],
    "epochs": [10],
    "batch_size": [16, 32],  # that of the paper's text, and that of its logs
    "length_normalised": [False],
    "label_smoothing": [0],
    "sft_weight": [0],
}
_PPO = _PARENT | {
    "method": ["ppo"],
    "prompts": [220_000],
    "batch_size": [16],
    "minibatch_size": [4],
    "epochs_per_batch": [4],
    "learning_rate": [1.41e-5],
    "kl_penalty": ["k1"],
    "kl_coefficient": [0.2],
    "kl_target": [6],
    "max_new_tokens": [20],
    "temperature": [1],
    "top_p": [0.9],
    "entropy_coefficient": [0],
    "language_model_coefficient": [0],
}
_CONFIDENCE = {
    "prompts": [150_000],
    "minibatch_size": [2],
    "learning_rate": [5e-6],
    "kl_penalty": ["abs"],
    "kl_coefficient": [0.02],
}
# What presets/paper.yaml mends in PPO.
_PPO_PUBLISHED = {"reply": "published", "value_start": "zero", "length_control": False, "kept": "final"}


class _PaperModel(NamedTuple):
    """A model of the paper."""

    wanted: dict[str, list]
    """Setting of a row -> the values that make it this model; those that the paper names, and no others."""
    published: dict[str, Any]
    """Setting -> the paper's value, where a row of this model may depart from it on purpose."""


PAPER_MODELS = {
    "base": _PaperModel(
        {
            "method": ["pretrain"],
            "text": ["triplets"],
            "adult_share": [0],
            "words": [100_000_000],
            "architecture.layers": [16],
            "architecture.heads": [16],
            "architecture.hidden_size": [1024],
            "architecture.intermediate_size": [1024],
            "architecture.tie_embeddings": [False],
            "triplets.pretrain_words": [10_000_000],
            "tokenizer.vocabulary": [8_000],
        },
        {},
    ),
    "dpo_natural": _PaperModel(_DPO | {"pairs.kind": ["natural"]}, {"pairs.construction": "published"}),
    "dpo_synthetic": _PaperModel(_DPO | {"pairs.kind": ["synthetic"]}, {"pairs.form": "raw"}),
    "ppo_bleu": _PaperModel(_PPO | {"reward": ["bleu"]}, _PPO_PUBLISHED),
    "ppo_semsim": _PaperModel(_PPO | {"reward": ["semsim"]}, _PPO_PUBLISHED),
    "ppo_llm_score": _PaperModel(
        # Evaluated at step 5,000 of 16 prompts.
        _PPO | {"prompts": [80_000], "reward": ["llm_score", "llm_score_sampled"]},
        _PPO_PUBLISHED | {"reward": "llm_score_sampled"},
    ),
    "ppo_confidence": _PaperModel(
        _PPO | _CONFIDENCE | {"reward": ["confidence", "confidence_sum"]},
        _PPO_PUBLISHED | {"reward": "confidence_sum"},
    ),
}
"""Names of published_scores.csv -> what a row is that stands beside them."""


class Follows(NamedTuple):
    """The model of the paper that a row is."""

    model: str
    mended: bool
    """Whether the row departs on purpose from how the paper made it."""


def paper_models(config) -> dict[str, Follows]:
    """Run -> the model of the paper that it is, for the rows of a Configuration that are one."""
    shared = {"triplets": config.triplets.model_dump(), "tokenizer": config.tokenizer.model_dump()}
    found: dict[str, Follows | None] = {}

    def follow(run: str) -> Follows | None:
        if run not in config.models:  # a model made elsewhere
            return None
        if run not in found:
            row = config.models[run]
            settings = row.model_dump() | shared
            if parent := settings.get("parent"):
                above = follow(parent)
                settings["parent"] = {"paper": above and above.model}
            if settings.get("pairs"):
                settings["pairs"] = config.pairs[settings["pairs"]].model_dump()
            found[run] = _match(settings)
        return found[run]

    return {run: own for run in config.models if (own := follow(run))}


def _match(settings: Mapping[str, Any]) -> Follows | None:
    for name, (wanted, published) in PAPER_MODELS.items():
        if all(_value(settings, key) in values for key, values in wanted.items()):
            return Follows(name, any(_value(settings, key) != value for key, value in published.items()))
    return None


def _value(settings: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; None where there is no such setting."""
    value: Any = settings
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
