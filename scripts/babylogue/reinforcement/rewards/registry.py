"""Reward names, where each is defined and what it needs; no reward is imported before it is asked for.

To add one: a function of its name, from `RewardInputs` to a `Reward`, in a module of this package, and a line
here.
"""

from collections.abc import Mapping

from .base import RewardKind


def _kind(module: str, lowest: float, highest: float, *needs: str) -> RewardKind:
    return RewardKind(f"{__package__}.{module}", needs, lowest, highest)


REWARDS = {
    "bleu": _kind("bleu", 0, 1, "references"),
    "semsim": _kind("semsim", -1, 1, "references", "embedder"),
    "llm_score": _kind("llm_score", 0, 5, "judge"),
    "llm_score_sampled": _kind("llm_score", 0, 5, "judge"),
    "confidence": _kind("confidence", -1, 1, "references", "teacher"),
    "confidence_sum": _kind("confidence", -1, 1, "references", "teacher"),
    "ranking": _kind("ranking", 0, 1, "prompts", "teacher"),
    "grammaticality": _kind("grammaticality", 0, 1, "parent"),
    "implicit_reward": _kind("implicit_reward", 0, 1, "parent", "dpo_model", "beta"),
}


def terms(reward: str | Mapping) -> dict[str, RewardKind]:
    """The rewards that a row's `reward` is made of, a name or a table of weights. Raises KeyError for no name."""
    return {name: REWARDS[name] for name in ([reward] if isinstance(reward, str) else reward)}


def needs(reward: str | Mapping) -> set[str]:
    """The fields of `RewardInputs` that all terms together read."""
    return {need for kind in terms(reward).values() for need in kind.needs}
