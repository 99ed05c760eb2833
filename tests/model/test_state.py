"""The states of a training on disk, whatever it left there when it was killed."""

from pathlib import Path

import pytest

from babylogue.errors import UserError
from babylogue.model.state import TrainingState

MADE_WITH = {"dpo": {"beta": 0.1}, "seed": 0}
NAME = "checkpoint-{}"


def write(state: TrainingState, step: int) -> Path:
    """What a trainer writes as its state of a step, not yet sealed."""
    folder = state.folder / NAME.format(step)
    folder.mkdir(exist_ok=True)
    (folder / "weights").write_text(str(step))
    return folder


def names(state: TrainingState) -> list[str]:
    return sorted(path.name for path in state.folder.iterdir() if path.name != "made_with.json")


def test_torn_states_ahead_cost_none_of_those_that_follow(tmp_path):
    state = TrainingState(tmp_path, MADE_WITH, name=NAME)
    write(state, 95)
    state.saved(95)
    write(state, 100)
    write(state, 105)  # both cut short, in two runs
    again = TrainingState(tmp_path, MADE_WITH, name=NAME)
    assert again.newest().name == "checkpoint-95"
    write(again, 97)
    again.saved(97)
    assert again.newest().name == "checkpoint-97"
    assert names(again) == ["checkpoint-95", "checkpoint-95.sha256", "checkpoint-97", "checkpoint-97.sha256"]


def test_the_two_newest_are_kept(tmp_path):
    state = TrainingState(tmp_path, MADE_WITH, name=NAME)
    for step in (1, 2, 3):
        write(state, step)
        state.saved(step)
    assert names(state) == [f"checkpoint-{step}{end}" for step in (2, 3) for end in ("", ".sha256")]
    (state.folder / "checkpoint-3/weights").write_text("other")
    assert state.newest().name == "checkpoint-2"


def test_other_settings_are_refused_once_there_is_something_to_lose(tmp_path):
    state = TrainingState(tmp_path, MADE_WITH, name=NAME)
    (tmp_path / "checkpoints").mkdir()
    other = {"dpo": {"beta": 0.2}, "seed": 0}
    state = TrainingState(tmp_path, other, name=NAME)  # nothing was trained
    assert names(state) == []
    write(state, 1)
    with pytest.raises(UserError, match=r"an interrupted training with another dpo\.beta; delete the folder"):
        TrainingState(tmp_path, MADE_WITH, name=NAME)
    assert TrainingState(tmp_path, other, name=NAME).newest() is None
