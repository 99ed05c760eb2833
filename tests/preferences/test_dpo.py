"""DPO on a tiny model: it learns its pairs, its log and losses are what they say, a seed decides everything."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from babylogue.errors import UserError
from babylogue.model.state import TrainingState
from babylogue.preferences.accuracy import pair_accuracy
from babylogue.preferences.dpo import STATE, train_dpo
from babylogue.preferences.lengths import pairs_that_fit
from babylogue.scoring.loading import load_model
from support.tiny_pairs import SETTINGS, exchange_pairs, save_parent, tune


@pytest.fixture(scope="module")
def pairs():
    return exchange_pairs()


@pytest.fixture(scope="module")
def parent(tmp_path_factory) -> Path:
    return save_parent(tmp_path_factory.mktemp("parent"))


@pytest.fixture(scope="module")
def run(parent, tmp_path_factory):
    """Tune with settings changed -> (folder of checkpoints, log); each training once."""
    done = {}

    def run_once(**changes):
        key = str(changes)
        if key not in done:
            folder = tmp_path_factory.mktemp("run")
            log, checkpoints = tune(parent, folder, SETTINGS.model_copy(update=changes))
            assert {name: path.parent for name, path in checkpoints.items()} == dict.fromkeys(
                SETTINGS.model_copy(update=changes).checkpoint_names(), folder / "checkpoints"
            )
            done[key] = folder / "checkpoints", log
        return done[key]

    return run_once


def heldout(pairs):
    return pairs[pairs["part"] == "heldout"]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_it_learns_what_the_pairs_teach(run, parent, pairs):
    before = pair_accuracy(*load_model(parent, "cpu"), heldout(pairs))
    after = pair_accuracy(*load_model(run()[0] / "final", "cpu"), heldout(pairs))
    assert after > before + 20


def test_one_seed_gives_one_set_of_weights(run, parent, tmp_path):
    again, _ = tune(parent, tmp_path)
    assert weights(run()[0] / "final") == weights(tmp_path / "checkpoints/final")
    pd.testing.assert_frame_equal(again, run()[1], check_exact=True)


def test_without_held_out_pairs_it_says_so(parent, pairs, tmp_path):
    with pytest.raises(UserError, match=r"pairs\.made: 48 training and 0 held-out pairs"):
        train_dpo(parent, pairs[pairs["part"] == "train"], SETTINGS, seed=0, state=tmp_path)


def tune_on(parent, pairs, folder):
    torch.set_num_threads(1)
    log, checkpoints = train_dpo(parent, pairs, SETTINGS, seed=3, state=TrainingState(folder, {}, 1e9, STATE))
    return log, checkpoints["final"]


def test_pairs_longer_than_the_context_are_left_out_and_counted(parent, pairs, run, tmp_path, caplog):
    """The context is 64 tokens; trl would cut such a pair, or drop it, without a word."""
    long, short = "*MOT: " + "where is it " * 30 + "?", "*MOT: who is it ?"
    spoilt = pd.DataFrame(
        [
            (long, "*CHI: a boat .", "*CHI: my daddy .", "train"),
            (short, "*CHI: my daddy .", "*CHI: " + "in there " * 40, "train"),
            (long, "*CHI: a boat .", "*CHI: my daddy .", "heldout"),
        ],
        columns=["prompt", "chosen", "rejected", "part"],
    )
    with caplog.at_level("WARNING", logger="babylogue"):
        log, final = tune_on(parent, pd.concat([pairs, spoilt], ignore_index=True), tmp_path)
    (line,) = (record.getMessage() for record in caplog.records if "context" in record.getMessage())
    assert line.startswith(
        "pairs.made: 3 of 63 pairs are longer than the model's context of 64 tokens and left out;"
    )
    assert "*MOT: where is it where" in line
    pd.testing.assert_frame_equal(log, run()[1])
    assert weights(final) == weights(run()[0] / "final")


def test_a_pair_that_just_fits_with_the_end_of_the_text_stays(parent):
    model, tokenizer = load_model(parent, "cpu")
    prompt = "*MOT: what is it ?"
    ids = tokenizer("*CHI: " + "it " * 200)["input_ids"]
    cut = [tokenizer.decode(ids[:length]) for length in range(1, 80)]
    by_length = {len(tokenizer(f"{prompt} {reply}")["input_ids"]): reply for reply in cut}
    replies = [by_length[63], by_length[64]]
    pairs = pd.DataFrame({"prompt": prompt, "chosen": replies, "rejected": "*CHI: it ."})
    assert pairs_that_fit(pairs, model, tokenizer, "made").index.tolist() == [0]


def test_where_no_pair_fits_it_says_so(parent):
    model, tokenizer = load_model(parent, "cpu")
    pairs = pd.DataFrame({"prompt": ["*MOT: " + "it " * 90], "chosen": "*CHI: yes .", "rejected": "*CHI: no ."})
    with pytest.raises(
        UserError, match=r"^pairs\.made: all 1 pairs are longer than the model's context of 64 tokens"
    ):
        pairs_that_fit(pairs, model, tokenizer, "made")


class Reference:
    """The quantities of DPO from a plain forward pass in float64, one string at a time."""

    def __init__(self, parent: Path, tuned: Path, pairs: pd.DataFrame):
        self.before, self.after = (
            [self.log_probabilities(folder, pairs, name) for name in ("chosen", "rejected")]
            for folder in (parent, tuned)
        )

    @staticmethod
    @torch.no_grad()
    def log_probabilities(folder: Path, pairs: pd.DataFrame, name: str) -> list[np.ndarray]:
        """For each pair the log-probabilities of the reply's tokens and of the end of the text."""
        model, tokenizer = load_model(folder, "cpu")
        model.double()
        found = []
        for prompt, reply in zip(pairs["prompt"], pairs[name], strict=True):
            begin = len(tokenizer(prompt)["input_ids"])
            ids = [*tokenizer(f"{prompt} {reply}")["input_ids"], tokenizer.eos_token_id]
            logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
            found.append(np.array([float(logs[place - 1, ids[place]]) for place in range(begin, len(ids))]))
        return found

    def rewards(self, beta: float = 0.1, per_token: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Of chosen and rejected replies, [pairs] each."""
        return tuple(
            beta * np.array([(new.sum() - old.sum()) / (len(new) if per_token else 1) for new, old in gains])
            for gains in (list(zip(*told, strict=True)) for told in zip(self.after, self.before, strict=True))
        )

    def loss(self, length_normalised=False, label_smoothing=0.0, sft_weight=0.0, **_) -> float:
        """Rafailov et al. 2023, equation 7; Chowdhury et al. 2024, equation 11, for label smoothing."""
        chosen, rejected = self.rewards(per_token=length_normalised)
        right, flipped = (np.log1p(np.exp(-sign * (chosen - rejected))) for sign in (1, -1))
        noise = label_smoothing
        preference = ((1 - noise) * right - noise * flipped) / (1 - 2 * noise)
        return float(preference.mean() - sft_weight * np.concatenate(self.after[0]).mean())


OPTIONS = {
    "plain": {},
    "length": {"length_normalised": True},
    "smoothed": {"label_smoothing": 0.2},
    "sft": {"sft_weight": 0.5},
    "smoothed_sft": {"label_smoothing": 0.1, "sft_weight": 1.0},
    "length_sft": {"length_normalised": True, "sft_weight": 0.3},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_each_loss_is_the_one_of_its_paper(option, run, parent, pairs):
    """The held-out pairs fit into one batch."""
    folder, log = run(**OPTIONS[option])
    reference = Reference(parent, folder / "final", heldout(pairs))
    assert log["heldout_loss"].iloc[-1] == pytest.approx(reference.loss(**OPTIONS[option]), rel=1e-4)
    start = Reference(parent, parent, heldout(pairs)).loss(**OPTIONS[option])
    assert log["heldout_loss"].iloc[0] == pytest.approx(start, rel=1e-5)


def test_the_losses_train_different_models(run, parent, pairs):
    found = {name: Reference(parent, run(**OPTIONS[name])[0] / "final", heldout(pairs)) for name in OPTIONS}
    assert len({weights(run(**OPTIONS[name])[0] / "final") for name in OPTIONS}) == len(OPTIONS)
    chosen = {name: float(np.mean([tokens.mean() for tokens in own.after[0]])) for name, own in found.items()}
    for name in OPTIONS:
        log = run(**OPTIONS[name])[1]
        assert log["train_loss"].iloc[-1] < log["train_loss"].iloc[0]
        assert float(np.subtract(*found[name].rewards()).mean()) > 0
    # The SFT term is there to keep the chosen reply probable.
    assert chosen["sft"] > chosen["plain"]
    assert chosen["length_sft"] > chosen["length"]


def row_of(reference: Reference, part: str) -> dict[str, float]:
    chosen, rejected = reference.rewards()
    return {
        f"{part}_reward_accuracy": 100 * float((chosen > rejected).mean()),
        f"{part}_reward_margin": float((chosen - rejected).mean()),
        f"{part}_reward_chosen": float(chosen.mean()),
        f"{part}_reward_rejected": float(rejected.mean()),
        f"{part}_loss": reference.loss(),
    }


def test_the_log_holds_what_it_says(run, parent, pairs):
    """Batches of ten and of two pairs: a mean over batches would not be the mean over pairs."""
    folder, log = run(batch_size=5, checkpoints=[2, 4])
    names = ["accuracy", "loss", "reward_accuracy", "reward_margin", "reward_chosen", "reward_rejected"]
    assert sorted(log) == sorted(
        ["step", "epoch", *(f"{part}_{name}" for part in ("train", "heldout") for name in names)]
    )
    assert log["step"].tolist() == [0, 20, 40, 60]
    assert log["epoch"].tolist() == [0, 2, 4, 6]
    sample = pairs[pairs["part"] == "train"].sample(len(heldout(pairs)), random_state=3)
    for number, checkpoint in enumerate((parent, folder / "epoch_2", folder / "epoch_4", folder / "final")):
        row = log.iloc[number]
        for part, own in (("train", sample), ("heldout", heldout(pairs))):
            assert row[f"{part}_accuracy"] == pair_accuracy(*load_model(checkpoint, "cpu"), own)
            wanted = row_of(Reference(parent, checkpoint, own), part)
            assert row[list(wanted)].to_dict() == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    assert not log.loc[0, [name for name in log if "reward" in name]].any()


def test_best_is_the_earliest_of_the_most_accurate_on_held_out_pairs(run, pairs, parent):
    folder, log = run(batch_size=5, checkpoints=[2, 4])
    first = log["heldout_accuracy"].idxmax()
    there = [parent, folder / "epoch_2", folder / "epoch_4", folder / "final"]
    assert weights(folder / "best") == weights(there[first])
    # All equal: the parent, before any step.
    folder, log = run(learning_rate=1e-12, patience=None)
    assert log["heldout_accuracy"].nunique() == 1
    assert weights(folder / "best") == weights(parent) != weights(folder / "final")


def test_without_gain_it_stops_and_later_epochs_are_the_model_as_it_stopped(run, parent):
    still = {"learning_rate": 1e-12, "evaluations": 6, "checkpoints": [1, 2, 5]}
    folder, log = run(**still, patience=2)
    assert log["step"].tolist() == [0, 6, 12]
    assert weights(folder / "best") == weights(parent)
    assert sorted(path.name for path in folder.iterdir()) == ["best", "epoch_1", "epoch_2", "epoch_5", "final"]
    for name in ("epoch_2", "epoch_5"):
        assert weights(folder / name) == weights(folder / "final")
    assert (folder / "epoch_5/model.safetensors").samefile(folder / "final/model.safetensors")
    assert not (folder / "epoch_2/model.safetensors").samefile(folder / "final/model.safetensors")

    _, on = run(**still, patience=None)
    assert on["step"].tolist() == [0, 6, 12, 18, 24, 30, 36]


def test_evaluations_are_spread_over_epochs_that_no_batch_fills(run):
    """48 pairs in batches of 20 are three steps an epoch."""
    _, log = run(batch_size=20, epochs=2.5, evaluations=5, patience=None)
    assert log["step"].tolist() == [0, 2, 3, 5, 6, 8]
    assert log["epoch"].iloc[-1] == pytest.approx(8 / 3)
