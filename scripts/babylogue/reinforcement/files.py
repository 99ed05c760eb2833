"""What a run on rewarded replies reads from files, and what it leaves in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..logs import logger
from ..model.checkpoints import save_model
from ..model.state import content_digest
from ..scoring.architecture import context_length
from .prompts import fitting_prompts, hold_out
from .records import PPOResult
from .rewards.base import Reward, RewardInputs, RewardKind, first_references
from .rewards.multi import build_reward
from .settings import RewardSetting, RolloutSettings


def made_with(method: str, params: Any, files: Mapping[str, str], seed: str) -> dict[str, Any]:
    """What a run depends on, for its `TrainingState`.

    Args:
        params: settings, kinds, options and code, as the rule has them.
        files: every input, by name.
    """
    return {
        "method": method,
        method: params.settings,
        "kinds": params.kinds,
        "options": params.options,
        "seed": seed,
        "code": params.code,
        **{name: content_digest(Path(path)) for name, path in files.items()},
    }


def prompts_from_file(
    file: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: RolloutSettings
) -> tuple[list[str], list[str]]:
    """The prompts of the rollouts and the held-out ones, of those that leave room for a reply.

    Raises:
        UserError: none is left for the rollouts.
    """
    room = context_length(model) - settings.max_new_tokens
    return hold_out(fitting_prompts(pd.read_parquet(file)["prompt"], tokenizer, room), settings.held_out_prompts)


def reward_from_files(
    reward: str | Mapping,
    kinds: Mapping[str, Mapping],
    files: Mapping[str, str],
    prompts: Sequence[str],
    **options,
) -> Reward:
    """The reward of a row of `models`.

    Args:
        reward: as the row has it, in plain values.
        kinds: the fields of `RewardKind` of each of its terms.
        files: references (parquet), parent, dpo_model, teacher, judge, embedder (folders); those needed, or more.
        prompts: every prompt of the run.
        options: further fields of `RewardInputs`.
    """
    roles = ("parent", "dpo_model", "teacher", "judge", "embedder")
    inputs = {role: Path(files[role]) for role in roles if role in files}
    if "references" in files:
        inputs["references"] = pd.read_parquet(files["references"])
    return build_reward(
        TypeAdapter(RewardSetting).validate_python(reward),
        {name: RewardKind(**kind) for name, kind in kinds.items()},
        RewardInputs(prompts=prompts, **inputs, **options),
    )


def write_result(
    result: PPOResult,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    files: Mapping[str, str],
    references: str | None,
) -> None:
    """Write both checkpoints (through `model`, which ends as `best`), the log and the samples.

    Args:
        files: best and final (folders), log (CSV), samples (parquet), and others that are left alone.
        references: parquet of the teacher's replies; the samples get the reply that each was held against.
    """
    for name in ("final", "best"):
        model.load_state_dict(getattr(result, name))
        save_model(model, tokenizer, Path(files[name]))
    result.log.to_csv(files["log"], index=False)
    known = first_references(pd.read_parquet(references)) if references else {}
    held_against = result.samples["prompt"].map(known).astype("string")
    result.samples.assign(reference=held_against).to_parquet(files["samples"])
    logger.info("ended after step %d, best is step %d", result.log["step"].iloc[-1], result.best_step)


def told(result: PPOResult) -> dict[str, Any]:
    """What settings.yaml says of how a run ended."""
    return {"best_step": result.best_step, "stopped": result.stopped or ""}
