"""Packing, the loss on packed rows, the word budget, and that a seed decides everything."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from babylogue.errors import UserError
from babylogue.model.architecture import build_model
from babylogue.model.batches import epoch_batches, pack, tokenise
from babylogue.model.pretrain import learning_rate, loss_of_batch, pretrain
from babylogue.model.settings import ArchitectureSettings, PretrainSettings, checkpoint_name
from babylogue.model.texts import mix_in_adults, training_texts
from babylogue.tokenizer.bpe import save_tokenizer, train_tokenizer
from babylogue.tokenizer.settings import TokenizerSettings

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
def tokenizer(triplets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    turns = [turn for turns in triplets["turns"] for turn in turns]
    save_tokenizer(train_tokenizer(turns, ["CHI", "MOT"], TokenizerSettings(vocabulary=320)), folder)
    return AutoTokenizer.from_pretrained(folder)


SETTINGS = PretrainSettings(
    architecture=ArchitectureSettings(hidden_size=16, intermediate_size=32, layers=2, heads=2, context_tokens=64),
    words=3000,
    checkpoints=[1000, 2000],
    row_tokens=64,
    batch_rows=4,
    validations=3,
)


@pytest.fixture(scope="module")
def texts(triplets, tokenizer):
    return tokenise(*training_texts(triplets, "triplets"), tokenizer, SETTINGS.row_tokens)


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


def test_adults_take_their_share_of_the_words_and_no_more(triplets):
    adult = triplets.assign(speakers=[["ANN", "BEN", "ANN"]] * len(triplets))
    mixed = mix_in_adults(triplets, adult, 0.25)
    of_adults = mixed["speakers"].map(lambda speakers: speakers[0] == "ANN")
    longest = triplets["words"].max()
    assert abs(mixed["words"].sum() - triplets["words"].sum()) < 2 * longest
    assert abs(mixed["words"][of_adults].sum() - 0.25 * triplets["words"].sum()) < longest
    with pytest.raises(UserError, match=r"adult_dialogue\.path: its triplets have .* adult_share 0\.5 of"):
        mix_in_adults(triplets, adult.head(20), 0.5)


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
        tokens = int(batch.targets()[0].sum())
        packed_total += float(loss_of_batch(model, batch)) * tokens
        packed_count += tokens
    assert packed_count == count
    assert packed_total / packed_count == pytest.approx(total / count, rel=1e-6)


def test_sentences_have_the_words_of_the_triplets(triplets):
    _, by_triplet = training_texts(triplets, "triplets")
    sentences, by_sentence = training_texts(triplets, "sentences")
    assert sum(by_triplet) == sum(by_sentence)
    assert len(sentences) == 3 * len(triplets)
    assert all(text.count("*") == 1 for text in sentences)


def test_words_seen_are_those_of_the_texts(texts, tokenizer):
    whole = sum(batch.words for batch in batches(texts, tokenizer, np.arange(len(texts))))
    assert whole == texts.words.sum()


@pytest.fixture(scope="module")
def trained(texts, tokenizer, tmp_path_factory):
    folders = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp(name)
        log = pretrain(
            tokenizer,
            texts,
            texts,
            SETTINGS,
            seed=1,
            folder=lambda checkpoint, folder=folder: folder / checkpoint,
            device=torch.device("cpu"),
        )
        folders.append((folder, log))
    return folders


def test_checkpoints_are_there_and_load(trained):
    (folder, log), _ = trained
    assert sorted(path.name for path in folder.iterdir()) == ["best", "chck_1K", "chck_2K", "final"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(SETTINGS.checkpoint_names())
    model = AutoModelForCausalLM.from_pretrained(folder / "chck_1K")
    assert model.config.vocab_size == len(AutoTokenizer.from_pretrained(folder / "chck_1K"))
    assert log["validation_loss"].iloc[-1] < 0.95 * log["validation_loss"].iloc[0]


def test_checkpoints_fall_on_their_budget_to_the_batch(trained, texts):
    (_, log), _ = trained
    for budget in (1000, 2000, 3000):
        first = log.loc[log["words"] >= budget, "words"].iloc[0]
        assert first - budget < 4 * 64


def test_one_seed_gives_one_set_of_weights(trained):
    (one, _), (two, _) = trained
    assert (one / "final/model.safetensors").read_bytes() == (two / "final/model.safetensors").read_bytes()


def test_learning_rate_rises_and_falls():
    rates = [learning_rate(share, SETTINGS) for share in (0.01, SETTINGS.warmup_share, 0.5, 1.0)]
    assert rates[0] < rates[1] == SETTINGS.learning_rate > rates[2] > rates[3]
    assert rates[3] == pytest.approx(SETTINGS.learning_rate * SETTINGS.final_learning_rate_share)


def test_the_papers_model_has_its_parameters():
    class Vocabulary:
        bos_token_id, eos_token_id, pad_token_id = 0, 1, 2

        def __len__(self):
            return 8465

    with torch.device("meta"):
        paper = ArchitectureSettings(
            hidden_size=1024, intermediate_size=1024, layers=16, heads=16, context_tokens=512
        )
        assert round(build_model(paper, Vocabulary()).num_parameters() / 1e6, 1) == 134.8


@pytest.mark.parametrize(("words", "name"), [(50_000, "chck_50K"), (1_000_000, "chck_1M"), (1500, "chck_1500")])
def test_checkpoint_names(words, name):
    assert checkpoint_name(words) == name
