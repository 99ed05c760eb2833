"""GRPO and RLOO of a tiny model, in a second or so."""

import pandas as pd
import torch

from babylogue.model.state import TrainingState
from babylogue.reinforcement.group_policy import STATE, train_group_policy
from babylogue.reinforcement.group_settings import GRPOSettings, RLOOSettings
from babylogue.reinforcement.settings import GuardSettings
from babylogue.scoring.loading import load_model
from support.tiny_ppo import PROMPTS, ball

METHODS = {"grpo": GRPOSettings, "rloo": RLOOSettings}

UNWATCHED = {name: None for name in GuardSettings.model_fields if name != "window_steps"}

HELDOUT = pd.DataFrame(
    {
        "prompt": ["*MOT: what is that ?"] * 4,
        "chosen": ["*CHI: a ball .", "*CHI: a dog .", "*CHI: no .", "*CHI: go ."],
        "rejected": ["*CHI: what ?", "*CHI: is .", "*CHI: where .", "*CHI: a ."],
        "part": "heldout",
    }
)


def settings_of(method, **changes):
    """Settings of a run that takes a second or so."""
    defaults = dict(
        replies=48, batch_size=16, minibatch_size=8, group_size=4, learning_rate=3e-3, max_new_tokens=6, beta=0.01,
        evaluate_every=2, length_control=False, guard=UNWATCHED,
    )  # fmt: skip
    return METHODS[method](**(defaults | changes))


def tune(method, parent, folder, seed=0, reward=ball, every_s=1e9, prompts=PROMPTS, **changes):
    """A training whose state is in `folder`, saved after every step if `every_s` is 0."""
    torch.set_num_threads(1)
    model, own = load_model(parent, "cpu")
    settings = settings_of(method, **changes)
    state = TrainingState(folder, {method: settings.model_dump()}, every_s, STATE)
    return train_group_policy(model, own, prompts, reward, settings, seed=seed, state=state, heldout=HELDOUT)
