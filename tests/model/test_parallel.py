"""Several processes that train one model, here two on the CPU: the same losses, and mistakes in one line."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from babylogue.errors import UserError
from babylogue.logs import job_log
from babylogue.model.parallel import launch
from babylogue.model.pretrain import pretrain_from_files
from babylogue.model.settings import ArchitectureSettings, PretrainSettings
from support.tiny_texts import exchanges, save_tiny_texts

pytestmark = pytest.mark.slow

# 5 rows a batch do not divide by 2, and the last batch of an epoch has fewer.
SETTINGS = PretrainSettings(
    architecture=ArchitectureSettings(hidden_size=32, intermediate_size=64, layers=2, heads=2, context_tokens=64),
    words=9_000,
    checkpoints=[4_000],
    row_tokens=64,
    batch_rows=5,
    validations=3,
    validation_texts=30,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Folders of a tokenizer and of texts."""
    folder = save_tiny_texts(tmp_path_factory.mktemp("data"), exchanges(["dog", "cat"], rounds=81))
    return folder / "tokenizer", folder / "tokens", folder / "tokens"


def train(data, folder, processes, settings=SETTINGS):
    return launch(
        pretrain_from_files, processes, *data, settings, 3, folder / "state", folder / "events", "code", 1
    )


def test_two_processes_learn_what_one_does(data, tmp_path):
    with job_log(str(tmp_path / "log"), "both"):
        (one, whole), (two, shared) = (
            train(data, tmp_path / name, count) for name, count in (("one", 1), ("two", 2))
        )
    pd.testing.assert_frame_equal(one[["words", "step", "checkpoint"]], two[["words", "step", "checkpoint"]])
    for name in ("loss", "validation_loss"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4)
    weights = [load_file(folders["final"] / "model.safetensors") for folders in (whole, shared)]
    for name, own in weights[0].items():
        np.testing.assert_allclose(weights[1][name], own, atol=2e-3, err_msg=name)
    # One process writes the curves: every row once.
    events = EventAccumulator(str(tmp_path / "two" / "events")).Reload()
    curve = [(event.step, event.value) for event in events.Scalars("validation_loss")]
    np.testing.assert_allclose(curve, two[["words", "validation_loss"]], rtol=1e-6)
    told = (tmp_path / "log").read_text()
    assert told.count("parameters, 162 texts") == 2, "once a training, not once a process"


def test_a_mistake_in_one_of_two_processes_is_one_line(data, tmp_path):
    settings = SETTINGS.model_copy(update={"learning_rate": 1e38})
    mistake = r"^the loss is nan at step \d+ .*; lower pretrain\.learning_rate and delete .*/state to start anew$"
    with pytest.raises(UserError, match=mistake):
        train(data, tmp_path, 2, settings)
