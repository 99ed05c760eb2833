"""What a reward is made from, out of files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .rewards import Reward, RewardInputs, build_reward


def reward_from_files(name: str, files: Mapping[str, str], **options: Any) -> Reward:
    """The reward `name`.

    Args:
        files: references (parquet), teacher, judge, embedder (folders): those that the reward needs, or more.
        options: further fields of `RewardInputs`.
    """
    inputs = {role: Path(files[role]) for role in ("teacher", "judge", "embedder") if role in files}
    if "references" in files:
        inputs["references"] = pd.read_parquet(files["references"])
    return build_reward(name, RewardInputs(**inputs, **options))
