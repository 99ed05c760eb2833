"""Packing, the loss on packed rows, the word budget, and that a seed decides everything."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from babylogue.dialogue import write_turns
from babylogue.errors import UserError
from babylogue.model.architecture import build_model
from babylogue.model.batches import epoch_batches, pack
from babylogue.model.pretrain import learning_rate, loss_of_batch, pretrain
from babylogue.model.settings import ArchitectureSettings, PretrainSettings, checkpoint_name
from babylogue.model.state import TrainingState
from babylogue.model.texts import training_texts
from babylogue.model.tokens import read_tokens
from support.project import PROJECT
from support.tiny_texts import save_tiny_texts

NOUNS = ["kitty", "dog", "spoon", "ball", "boat"]


@pytest.fixture(scope="module")
def triplets():
    rows = []
    for number in range(200):
        noun = NOUNS[number % len(NOUNS)]
        turns = [
            f"where is the {noun} ?",
            "in the box ." if number % 2 else "all gone .",
            f"yes the {noun} , look .",
        ]
        rows.append(
            {"speakers": ["MOT", "CHI", "MOT"], "turns": turns, "words": 4 + len(turns[1].split()) - 1 + 4}
        )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def data(triplets, tmp_path_factory):
    return save_tiny_texts(tmp_path_factory.mktemp("data"), triplets)


@pytest.fixture(scope="module")
def tokenizer(data):
    return AutoTokenizer.from_pretrained(data / "tokenizer")


@pytest.fixture(scope="module")
def texts(data):
    return read_tokens(data / "tokens")


SETTINGS = PretrainSettings(
    architecture=ArchitectureSettings(hidden_size=16, intermediate_size=32, layers=2, heads=2, context_tokens=64),
    words=3000,
    checkpoints=[1000, 2000],
    row_tokens=64,
    batch_rows=4,
    validations=3,
)


def batches(texts, tokenizer, order):
    return epoch_batches(texts, row_tokens=64, batch_rows=4, pad=tokenizer.pad_token_id, order=order)


def test_every_text_is_packed_once_and_whole(texts, tokenizer):
    seen = []
    for batch in batches(texts, tokenizer, np.arange(len(texts))):
        for ids, owner in zip(batch.input_ids, batch.texts, strict=True):
            seen += [tuple(ids[owner == text].tolist()) for text in owner.unique() if text >= 0]
    whole = [tuple(texts.tokens[a:b].tolist()) for a, b in zip(texts.starts, texts.starts[1:], strict=False)]
    assert sorted(seen) == sorted(whole)


def test_packing_never_overfills_and_wastes_little():
    lengths = np.random.default_rng(0).integers(5, 40, size=1000)
    rows = pack(lengths, 128)
    assert sorted(index for row in rows for index in row) == list(range(1000))
    assert max(lengths[row].sum() for row in rows) <= 128
    assert lengths.sum() / (128 * len(rows)) > 0.97


def test_adults_take_their_share_of_the_words_and_no_more(triplets, tmp_path, monkeypatch):
    monkeypatch.setattr("babylogue.model.texts._PIECE", 30)  # so that a share ends within a piece
    child, adult, few = (tmp_path / f"{name}.parquet" for name in ("child", "adult", "few"))
    adults = triplets.assign(speakers=[["ANN", "BEN", "ANN"]] * len(triplets))
    for file, table in ((child, triplets), (adult, adults), (few, adults.head(20))):
        table.to_parquet(file)
    mixed = [pair for piece in training_texts(child, "triplets", adult, 0.25) for pair in zip(*piece, strict=True)]
    longest = triplets["words"].max()
    assert abs(sum(words for _, words in mixed) - triplets["words"].sum()) < 2 * longest
    of_adults = sum(words for text, words in mixed if text.startswith("*ANN:"))
    assert abs(of_adults - 0.25 * triplets["words"].sum()) < longest
    with pytest.raises(UserError, match=r"adult_dialogue\.path: its triplets have .* adult_share 0\.5 of"):
        training_texts(child, "triplets", few, 0.5)


def test_texts_on_disk_are_what_the_tokenizer_gives(texts, triplets, tokenizer):
    assert isinstance(texts.tokens, np.memmap)
    assert texts.words.tolist() == triplets["words"].tolist()
    for index in (0, 57, 199):
        row = triplets.iloc[index]
        ids = tokenizer(write_turns(row["speakers"], row["turns"]))["input_ids"]
        assert texts.tokens[texts.starts[index] : texts.starts[index + 1]].tolist() == [
            *ids,
            tokenizer.eos_token_id,
        ]


def test_a_text_longer_than_a_row_is_cut(texts):
    for batch in epoch_batches(texts, row_tokens=8, batch_rows=4, pad=2, order=np.arange(50)):
        assert batch.input_ids.shape[1] == 8
        assert (batch.texts >= 0).all()
        assert torch.equal(batch.position_ids, torch.arange(8).expand_as(batch.position_ids))


def test_skipped_batches_leave_the_others_as_they_are(texts, tokenizer):
    order = np.random.default_rng(3).permutation(len(texts))
    whole, rest = (
        list(epoch_batches(texts, row_tokens=64, batch_rows=4, pad=2, order=order, skip=skip)) for skip in (0, 5)
    )
    assert len(rest) == len(whole) - 5 > 0
    assert all(torch.equal(a.input_ids, b.input_ids) for a, b in zip(whole[5:], rest, strict=True))


def test_packed_and_unpacked_texts_give_the_same_loss(texts, tokenizer):
    torch.manual_seed(0)
    model = build_model(SETTINGS.architecture, tokenizer).double()
    total, count = 0.0, 0
    model.requires_grad_(False)
    for index in range(40):
        ids = torch.tensor(texts.tokens[texts.starts[index] : texts.starts[index + 1]].astype(np.int64))[None]
        logits = model(input_ids=ids).logits
        total += float(cross_entropy(logits[0, :-1], ids[0, 1:], reduction="sum"))
        count += ids.shape[1] - 1
    packed_total, packed_count = 0.0, 0
    for batch in batches(texts, tokenizer, np.arange(40)):
        packed_total += float(loss_of_batch(model, batch)) * batch.predicted
        packed_count += len(batch.targets())
    assert packed_count == count
    assert packed_total / packed_count == pytest.approx(total / count, rel=1e-6)


def test_sentences_have_the_words_of_the_triplets(triplets, tmp_path):
    triplets.to_parquet(tmp_path / "triplets.parquet")
    ((_, by_triplet),) = training_texts(tmp_path / "triplets.parquet", "triplets")
    ((sentences, by_sentence),) = training_texts(tmp_path / "triplets.parquet", "sentences")
    assert sum(by_triplet) == sum(by_sentence)
    assert len(sentences) == 3 * len(triplets)
    assert all(text.count("*") == 1 for text in sentences)


def test_words_seen_are_those_of_the_texts(texts, tokenizer):
    whole = sum(batch.words for batch in batches(texts, tokenizer, np.arange(len(texts))))
    assert whole == texts.words.sum()


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def train(texts, tokenizer, folder):
    """The log and the checkpoints' folders of a training in `folder`."""
    state = TrainingState(folder, {"pretrain": SETTINGS.model_dump()})
    return pretrain(tokenizer, texts, texts, SETTINGS, seed=1, state=state, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def trained(texts, tokenizer, tmp_path_factory):
    return [train(texts, tokenizer, tmp_path_factory.mktemp(name)) for name in ("one", "two")]


def test_checkpoints_are_there_and_load(trained):
    (log, folders), _ = trained
    there = sorted(path.name for path in folders["final"].parent.iterdir())
    assert there == sorted(folders) == ["best", "chck_1K", "chck_2K", "final"]
    assert sorted(folders) == sorted(SETTINGS.checkpoint_names())
    model = AutoModelForCausalLM.from_pretrained(folders["chck_1K"])
    assert model.config.vocab_size == len(AutoTokenizer.from_pretrained(folders["chck_1K"]))
    assert [name for names in log["checkpoint"] for name in names.split() if name != "best"] == [
        "chck_1K", "chck_2K", "final",
    ]  # fmt: skip
    assert log["validation_loss"].iloc[-1] < 0.95 * log["validation_loss"].iloc[0]


def test_checkpoints_fall_on_their_budget_to_the_batch(trained, texts):
    (log, _), _ = trained
    for budget in (1000, 2000, 3000):
        first = log.loc[log["words"] >= budget, "words"].iloc[0]
        assert first - budget < 4 * 64


def test_one_seed_gives_one_set_of_weights(trained):
    (_, one), (_, two) = trained
    assert weights(one["final"]) == weights(two["final"])


def test_learning_rate_rises_and_falls():
    rates = [learning_rate(share, SETTINGS) for share in (0.01, SETTINGS.warmup_share, 0.5, 1.0)]
    assert rates[0] < rates[1] == SETTINGS.learning_rate > rates[2] > rates[3]
    assert rates[3] == pytest.approx(SETTINGS.learning_rate * SETTINGS.final_learning_rate_share)


@pytest.mark.parametrize(
    ("preset", "run", "millions"),
    [
        ("paper.yaml", None, 134.8),
        ("paper_scales.yaml", "base_350m", 344.5),
        ("paper_scales.yaml", "base_1300m", 1267.9),
    ],
)
def test_models_of_the_presets_have_their_parameters(preset, run, millions):
    content = yaml.safe_load((PROJECT / "presets" / preset).read_text())
    row = content["models"][run] if run else content["pretrain"]

    class Vocabulary:
        bos_token_id, eos_token_id, pad_token_id = 0, 1, 2

        def __len__(self):
            return 8465

    with torch.device("meta"):
        model = build_model(ArchitectureSettings(**row["architecture"]), Vocabulary())
        assert round(model.num_parameters() / 1e6, 1) == millions


@pytest.mark.parametrize(("words", "name"), [(50_000, "chck_50K"), (1_000_000, "chck_1M"), (1500, "chck_1500")])
def test_checkpoint_names(words, name):
    assert checkpoint_name(words) == name
