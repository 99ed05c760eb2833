"""From a folder of transcripts to split triplets."""

import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

from babylogue.errors import UserError
from babylogue.transcripts.children import child_key, join_unnamed
from babylogue.transcripts.corpus import read_corpus
from babylogue.transcripts.settings import PARTS, SplitSettings, TripletSettings
from babylogue.transcripts.sources import find_archives
from babylogue.transcripts.splits import split_by_child
from babylogue.transcripts.statistics import corpus_statistics
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.settings import ToySettings
from babylogue.transcripts.triplets import cut_triplets


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transcripts")
    write_toy_transcripts(folder, ToySettings(words=8000, children=8, transcripts_per_child=2))
    return folder


def read(root, tmp_path, **options):
    options = {"max_rejected_share": 0.5, "processes": 2} | options
    counts = read_corpus(find_archives(root), root, tmp_path / "u.parquet", tmp_path / "r.csv", **options)
    return counts, pd.read_parquet(tmp_path / "u.parquet"), pd.read_csv(tmp_path / "r.csv")


@pytest.fixture(scope="module")
def utterances(folder, tmp_path_factory):
    return read(folder, tmp_path_factory.mktemp("corpus"))[1]


@pytest.fixture(scope="module")
def split(utterances):
    transcripts = utterances.groupby("transcript").agg(
        corpus=("corpus", "first"), child=("child", "first"), words=("words", "sum")
    )
    return split_by_child(transcripts.reset_index(), SplitSettings())


def test_folder_and_zips_of_it_read_alike(folder, utterances, tmp_path):
    zipped = tmp_path / "zips"
    zipped.mkdir()
    for corpus in folder.iterdir():
        with zipfile.ZipFile(zipped / f"{corpus.name}.zip", "w") as archive:
            for file in sorted(corpus.rglob("*.cha")):
                archive.write(file, file.relative_to(folder))
    _, from_zips, _ = read(zipped, tmp_path)
    pd.testing.assert_frame_equal(from_zips, utterances)


def test_two_runs_write_the_same_bytes(folder, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        read(folder, tmp_path / name)
    assert (tmp_path / "one/u.parquet").read_bytes() == (tmp_path / "two/u.parquet").read_bytes()


def test_files_in_are_files_read_plus_rejected(folder, tmp_path):
    root = tmp_path / "mixed"
    write_toy_transcripts(root, ToySettings(words=1000, children=2, transcripts_per_child=1))
    (root / "broken.cha").write_bytes(b"\xff\xfe")
    counts, _, rejected = read(root, tmp_path)
    assert counts["files"] == counts["read"] + counts["rejected"] == 3
    assert rejected["reason"].tolist() == ["not UTF-8 text"]
    with pytest.raises(UserError, match=r"max_rejected_share: 1 of 3 files cannot be read"):
        read(root, tmp_path, max_rejected_share=0.1)


def test_missing_folder_and_broken_zip_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*absent"):
        find_archives(tmp_path / "absent")
    (tmp_path / "Brown.zip").write_text("<html>please log in</html>")
    write_toy_transcripts(tmp_path, ToySettings(words=500, children=1, transcripts_per_child=1))
    _, _, rejected = read(tmp_path, tmp_path)
    assert rejected["transcript"].tolist() == ["Brown.zip"]
    assert "not a readable zip" in rejected["reason"].item()


def test_a_zip_beside_its_unpacked_folder_counts_once(folder, utterances, tmp_path):
    shutil.copytree(folder, tmp_path / "source")
    corpus = next((tmp_path / "source").iterdir())
    with zipfile.ZipFile(tmp_path / f"source/{corpus.name}.zip", "w") as archive:
        for file in sorted(corpus.rglob("*.cha")):
            archive.write(file, file.relative_to(tmp_path / "source"))
    _, both, rejected = read(tmp_path / "source", tmp_path)
    assert len(both) == len(utterances)
    assert set(rejected["reason"]) == {"twice in the source"}


@pytest.mark.parametrize(
    ("corpus", "transcript", "name", "key"),
    [
        ("Brown", "Brown/Adam/020304", "Adam", "Brown/ada"),
        ("Manchester", "Manchester/anne/anne01a", "", "Manchester/ann"),
        ("HSLLD", "HSLLD/HV1/BR/jenbr1", "", "HSLLD/jen"),
        ("HSLLD", "HSLLD/HV3/MT/jenmt3", "", "HSLLD/jen"),
        ("Gelman", "Gelman/2014-IndDiff/01C-R2", "", "Gelman/2014-inddiff"),
        ("Snow", "Snow/nat01", "Nathanaiel", "Snow/nat"),
        ("Peters", "Peters/820924a", "", "Peters/820924"),
        ("Clark", "Clark/shem11", "Shem", "Clark/she"),
    ],
)
def test_child_key(corpus, transcript, name, key):
    assert child_key(corpus, transcript, name) == key


def test_a_file_named_by_its_date_is_of_the_corpus_largest_child():
    transcripts = pd.DataFrame(
        {
            "corpus": ["Peters", "Peters", "Peters", "Gathburn"],
            "child": ["Peters/set", "Peters/oth", "Peters/820924", "Gathburn/11"],
            "words": [90, 10, 5, 7],
        }
    )
    assert join_unnamed(transcripts)["child"].tolist() == ["Peters/set", "Peters/oth", "Peters/set", "Gathburn/11"]


def test_no_child_is_in_two_parts(split):
    assert split.groupby("child")["part"].nunique().max() == 1
    assert set(split["part"]) == set(PARTS)


def test_no_exchange_of_the_test_children_was_seen_in_pretraining(utterances, split):
    parts = cut_triplets(utterances, split, TripletSettings(), SplitSettings())
    assert not set(parts["test"]["transcript"]) & set(parts["pretrain"]["transcript"])
    assert not set(parts["test"]["child"]) & set(parts["pretrain"]["child"])


def test_triplets_keep_their_rules(utterances, split):
    parts = cut_triplets(utterances, split, TripletSettings(), SplitSettings())
    texts = utterances.groupby("transcript")["text"].agg(list)
    for table in parts.values():
        assert (table["words"] >= 5).all()
        assert table["speakers"].map(lambda speakers: len(set(speakers))).min() >= 2
        for _, row in table.head(50).iterrows():
            whole = texts[row["transcript"]]
            assert any(whole[i : i + 3] == list(row["turns"]) for i in range(len(whole)))


def test_disjoint_triplets_share_no_utterance(utterances, split):
    parts = cut_triplets(utterances, split, TripletSettings(stride=3), SplitSettings())
    total = sum(len(table) for table in parts.values())
    assert 3 * total <= len(utterances)
    sliding = cut_triplets(utterances, split, TripletSettings(stride=1), SplitSettings())
    assert sum(len(table) for table in sliding.values()) > 2 * total


def test_budget_is_exact_to_the_triplet(utterances, split):
    table = cut_triplets(utterances, split, TripletSettings(pretrain_words=1000), SplitSettings())["pretrain"]
    words = table["words"].to_numpy()
    assert words.sum() >= 1000 > words[:-1].sum()


def test_merged_turns_alternate(utterances, split):
    parts = cut_triplets(utterances, split, TripletSettings(merge_turns=True), SplitSettings())
    for speakers in parts["pretrain"]["speakers"]:
        assert speakers[0] != speakers[1] != speakers[2]


def test_split_by_triplet_mixes_children(utterances, split):
    settings = SplitSettings(by="triplet")
    parts = cut_triplets(utterances, split, TripletSettings(), settings)
    assert set(parts["test"]["child"]) & set(parts["pretrain"]["child"])


def test_statistics_add_up(utterances, split):
    parts = cut_triplets(utterances, split, TripletSettings(), SplitSettings())
    statistics = corpus_statistics({}, utterances, parts)
    assert sum(corpus["utterances"] for corpus in statistics["corpora"].values()) == len(utterances)
    assert sum(role["words"] for role in statistics["roles"].values()) == utterances["words"].sum()
    assert sum(part["transcripts"] for part in statistics["parts"].values()) <= utterances["transcript"].nunique()
    assert sum(part["children"] for part in statistics["parts"].values()) == split["child"].nunique()
    assert np.isclose(
        sum(part["words"] for part in statistics["parts"].values()), sum(t["words"].sum() for t in parts.values())
    )


def test_too_few_children_is_one_clear_line():
    transcripts = pd.DataFrame({"transcript": ["a"], "corpus": ["A"], "child": ["A/a"], "words": [9]})
    with pytest.raises(UserError, match="1 children cannot fill 4 parts"):
        split_by_child(transcripts, SplitSettings())
