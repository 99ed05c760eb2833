"""From a folder of transcripts to split triplets."""

import errno
import os
import re
import shutil
import zipfile

import pandas as pd
import pyarrow as pa
import pytest

from babylogue.dialogue import count_words, words
from babylogue.errors import UserError
from babylogue.transcripts import triplets
from babylogue.transcripts.children import child_key, join_unnamed
from babylogue.transcripts.copies import find_copies
from babylogue.transcripts.corpus import read_corpus
from babylogue.transcripts.exchanges import NO_CAREGIVER_ROLES
from babylogue.transcripts.settings import PARTS, SplitSettings, TripletSettings
from babylogue.transcripts.sources import find_archives
from babylogue.transcripts.splits import split_by_child
from babylogue.transcripts.statistics import corpus_statistics
from babylogue.transcripts.tables import SAID, Rows
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.settings import ToySettings
from babylogue.transcripts.triplets import cut_triplets

NO_COPIES = pd.DataFrame({"first": [], "second": []}, dtype=object)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transcripts")
    write_toy_transcripts(folder, ToySettings(words=25_000, children=8, transcripts_per_child=2))
    return folder


def read(root, tmp_path, **options):
    options = {"max_rejected_share": 0.5, "processes": 2} | options
    files = [tmp_path / name for name in ("u.parquet", "t.parquet", "r.csv")]
    counts = read_corpus(find_archives(root), root, *files, **options)
    return counts, pd.read_parquet(files[0]), pd.read_csv(files[2])


@pytest.fixture(scope="module")
def corpus(folder, tmp_path_factory):
    """The folder that the toy transcripts are read into."""
    corpus = tmp_path_factory.mktemp("corpus")
    read(folder, corpus)
    return corpus


@pytest.fixture(scope="module")
def utterances(corpus):
    return pd.read_parquet(corpus / "u.parquet")


@pytest.fixture(scope="module")
def transcripts(corpus):
    return pd.read_parquet(corpus / "t.parquet")


@pytest.fixture(scope="module")
def split(transcripts):
    return split_by_child(transcripts, NO_COPIES, SplitSettings())


@pytest.fixture
def cut(corpus, split, tmp_path):
    """A function from settings to the triplets of every part."""

    def run(settings=None, splitting=None, parts=PARTS):
        files = {part: tmp_path / f"{part}.parquet" for part in parts}
        cut_triplets(
            corpus / "u.parquet", split, files, settings or TripletSettings(), splitting or SplitSettings()
        )
        return {part: pd.read_parquet(file) for part, file in files.items()}

    return run


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
        own = tmp_path / name
        own.mkdir()
        read(folder, own)
        transcripts = pd.read_parquet(own / "t.parquet")
        split = split_by_child(transcripts, find_copies(transcripts), SplitSettings())
        files = {part: own / f"{part}.parquet" for part in PARTS}
        cut_triplets(own / "u.parquet", split, files, TripletSettings(), SplitSettings())
    made = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(made) == 3 + len(PARTS)
    for name in made:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


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


def transcript(word: str) -> str:
    headers = "@UTF8\n@Begin\n@Participants:\tCHI Target_Child, MOT Mother\n"
    return f"{headers}*MOT:\twhere is the {word} ?\n*CHI:\ta {word} .\n@End\n"


def put(folder, *names: str) -> None:
    """Transcripts of these names, each with words of its own."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(transcript(re.sub(r"[^a-z]", "", name.lower())))


def pack(file, *names: str) -> None:
    """A zip of transcripts of these names."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            content = b"\0\5\26\7" if "._" in name else transcript(f"{file.parent.name} {name[0]}").encode()
            archive.writestr(name, content)


def transcripts_of(source, tmp_path) -> dict[str, str]:
    """Transcript -> corpus of what is read from a folder; nothing may be rejected."""
    _, table, rejected = read(source, tmp_path)
    assert rejected.empty
    return dict(zip(table["transcript"], table["corpus"], strict=True))


def test_links_to_folders_are_followed_and_cycles_end(tmp_path):
    source, shared = tmp_path / "source", tmp_path / "shared"
    put(source, "Own/one.cha")
    put(shared, "Pond/two.cha", "Pond/three.cha")
    (source / "Eng-NA").symlink_to(shared)
    (source / "Again").symlink_to("Own")
    (shared / "Pond/cycle").symlink_to(source)
    names = [path.relative_to(source).as_posix() for path in find_archives(source)]
    assert names == ["Eng-NA/Pond/three.cha", "Eng-NA/Pond/two.cha", "Own/one.cha"]
    assert transcripts_of(source, tmp_path) == {
        "Eng-NA/Pond/two": "Eng-NA",
        "Eng-NA/Pond/three": "Eng-NA",
        "Own/one": "Own",
    }


def test_a_link_that_leads_nowhere_is_told(tmp_path):
    put(tmp_path, "Own/one.cha")
    (tmp_path / "Eng-NA").symlink_to("/absent/Eng-NA")
    with pytest.raises(UserError, match=r"Eng-NA: a link to /absent/Eng-NA, which is not there"):
        find_archives(tmp_path)


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    put(tmp_path, "Own/one.cha", "Shut/two.cha")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("Shut"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"Shut: this folder cannot be read: Permission denied"):
        find_archives(tmp_path)


def test_what_systems_add_is_no_transcript_whatever_the_case_of_endings(tmp_path):
    source = tmp_path / "source"
    put(source, "Own/one.CHA", "Own/._one.CHA", "Own/.ipynb_checkpoints/one.cha", "__MACOSX/Own/two.cha")
    pack(source / "Pond.ZIP", "Pond/a.cha", "Pond/b.CHA", "__MACOSX/Pond/._a.cha", "Pond/._b.cha")
    assert transcripts_of(source, tmp_path) == {"Own/one": "Own", "Pond/a": "Pond", "Pond/b": "Pond"}


def test_corpora_of_one_name_are_apart(tmp_path):
    source = tmp_path / "source"
    pack(source / "Eng-NA/Pond.zip", "Pond/1.cha", "Pond/ann/2.cha")
    pack(source / "Other/Pond.zip", "1.cha", "ann/2.cha", "ann/3.cha")
    pack(source / "Other/Lake.zip", "Lake/1.cha")
    assert transcripts_of(source, tmp_path) == {
        "Eng-NA/Pond/1": "Eng-NA/Pond",
        "Eng-NA/Pond/ann/2": "Eng-NA/Pond",
        "Lake/1": "Lake",
        "Other/Pond/1": "Other/Pond",
        "Other/Pond/ann/2": "Other/Pond",
        "Other/Pond/ann/3": "Other/Pond",
    }


def test_a_zip_and_a_folder_of_one_name_in_two_places_are_apart(tmp_path):
    source = tmp_path / "source"
    put(source, "Pond/1.cha")
    pack(source / "Other/Pond.zip", "Pond/1.cha")
    assert transcripts_of(source, tmp_path) == {"Pond/1": "Pond", "Other/Pond/1": "Other/Pond"}


def test_a_nested_zip_beside_its_unpacked_folder_counts_once(tmp_path):
    source = tmp_path / "source"
    put(source, "Eng-NA/Pond/1.cha")
    pack(source / "Eng-NA/Pond.zip", "Pond/1.cha")
    pack(source / "Eng-NA/Lake.zip", "Lake/1.cha", "Lake/2.cha")
    _, table, rejected = read(source, tmp_path)
    assert sorted(table["transcript"].unique()) == ["Eng-NA/Pond/1", "Lake/1", "Lake/2"]
    assert rejected[["transcript", "reason"]].to_numpy().tolist() == [["Pond/1", "twice in the source"]]


def test_names_in_a_zip_made_on_windows_are_paths(tmp_path):
    pack(tmp_path / "source/Pond.zip", r"Pond\ann\1.cha", r"Pond\bob\1.cha")
    assert transcripts_of(tmp_path / "source", tmp_path) == {"Pond/ann/1": "Pond", "Pond/bob/1": "Pond"}


@pytest.mark.parametrize("name", ["/x/1.cha", "../1.cha", r"..\1.cha", r"C:\1.cha"])
def test_names_that_lead_out_of_their_zip_are_rejected(tmp_path, name):
    pack(tmp_path / "source/Pond.zip", "Pond/1.cha", name)
    _, table, rejected = read(tmp_path / "source", tmp_path)
    assert table["transcript"].unique().tolist() == ["Pond/1"]
    assert rejected["reason"].item().startswith("its name in the zip leads out of the zip's folder")


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


def test_the_letters_of_a_collection_name_no_child():
    transcripts = pd.DataFrame(
        {"corpus": ["Eng-NA/Pond"] * 2, "child": ["Eng-NA/Pond/ann", "Eng-NA/Pond/85"], "words": [5, 90]}
    )
    assert join_unnamed(transcripts)["child"].tolist() == ["Eng-NA/Pond/ann"] * 2


def test_no_child_is_in_two_parts(split):
    assert split.groupby("child")["part"].nunique().max() == 1
    assert set(split["part"]) == set(PARTS)


def exchanges(triplets: pd.DataFrame) -> set[tuple[str, str]]:
    """Caregiver's turn and child's reply, case apart, of every triplet, found the slow way."""
    return {
        (turns[i].lower(), turns[i + 1].lower())
        for speakers, roles, turns in zip(triplets["speakers"], triplets["roles"], triplets["turns"], strict=True)
        for i in (0, 1)
        if speakers[i + 1] == "CHI" and speakers[i] != "CHI" and roles[i] not in NO_CAREGIVER_ROLES
    }


@pytest.mark.parametrize("merge_turns", [False, True])
def test_no_exchange_of_the_test_part_was_seen_in_training(corpus, split, cut, tmp_path, merge_turns):
    settings = TripletSettings(merge_turns=merge_turns)
    parts = cut(settings)
    assert not set(parts["test"]["child"]) & set(parts["pretrain"]["child"])
    seen = exchanges(parts["pretrain"]) | exchanges(parts["tune"])
    assert exchanges(parts["test"])
    assert not exchanges(parts["test"]) & seen
    # Nothing but what was seen is left out: without training parts the test part is whole.
    counts = cut_triplets(
        corpus / "u.parquet", split, {"test": tmp_path / "whole.parquet"}, settings, SplitSettings()
    )
    whole = pd.read_parquet(tmp_path / "whole.parquet")
    fresh = [not exchanges(whole.iloc[[row]]) & seen for row in range(len(whole))]
    assert 0 < sum(fresh) < len(whole)
    assert whole[fresh]["turns"].map(list).tolist() == parts["test"]["turns"].map(list).tolist()
    assert counts["test"]["left_out_as_seen"] == 0


def test_order_and_memory_do_not_hang_on_the_buckets(cut, monkeypatch):
    whole = cut()
    monkeypatch.setattr(triplets, "ROWS_PER_BUCKET", 100)
    for part, table in cut().items():
        pd.testing.assert_frame_equal(table, whole[part])


def test_ages_outside_the_range_are_left_out(cut, utterances):
    middle = float(utterances["age_months"].median())
    young, old = cut(TripletSettings(max_age_months=middle)), cut(TripletSettings(min_age_months=middle + 0.01))
    assert max(table["age_months"].max() for table in young.values()) <= middle
    assert min(table["age_months"].min() for table in old.values() if len(table)) > middle


def test_triplets_keep_their_rules(utterances, cut):
    parts = cut()
    texts = utterances.groupby("transcript")["text"].agg(list)
    for table in parts.values():
        assert (table["words"] >= 5).all()
        assert table["speakers"].map(lambda speakers: len(set(speakers))).min() >= 2
        for _, row in table.head(50).iterrows():
            whole = texts[row["transcript"]]
            assert any(whole[i : i + 3] == list(row["turns"]) for i in range(len(whole)))


def test_disjoint_triplets_share_no_utterance(utterances, cut):
    parts = cut(TripletSettings(stride=3))
    total = sum(len(table) for table in parts.values())
    assert 3 * total <= len(utterances)
    sliding = cut(TripletSettings(stride=1))
    assert sum(len(table) for table in sliding.values()) > 2 * total


@pytest.mark.parametrize("rows_per_bucket", [100, 100_000])
def test_budget_is_exact_to_the_triplet(cut, monkeypatch, rows_per_bucket):
    monkeypatch.setattr(triplets, "ROWS_PER_BUCKET", rows_per_bucket)
    table = cut(TripletSettings(pretrain_words=1000))["pretrain"]
    spoken = table["words"].to_numpy()
    assert spoken.sum() >= 1000 > spoken[:-1].sum()


def test_merged_turns_alternate(cut):
    parts = cut(TripletSettings(merge_turns=True))
    for speakers in parts["pretrain"]["speakers"]:
        assert speakers[0] != speakers[1] != speakers[2]


def test_split_by_triplet_mixes_children(cut):
    parts = cut(splitting=SplitSettings(by="triplet"))
    assert set(parts["test"]["child"]) & set(parts["pretrain"]["child"])


def test_statistics_add_up(corpus, utterances, transcripts, split, cut, tmp_path, monkeypatch):
    monkeypatch.setattr("babylogue.transcripts.statistics._BATCH_ROWS", 500)
    parts = cut()
    files = {part: tmp_path / f"{part}.parquet" for part in PARTS}
    statistics = corpus_statistics({}, transcripts, corpus / "u.parquet", files, {"test": 3})
    for table in ("corpora", "roles", "ages"):
        assert sum(row["utterances"] for row in statistics[table].values()) == len(utterances)
        assert sum(row["words"] for row in statistics[table].values()) == utterances["words"].sum()
    assert sum(row["transcripts"] for row in statistics["corpora"].values()) == len(transcripts)
    for role, own in utterances.groupby("role"):
        said = {word for text in own["text"] for word in words(text)}
        assert statistics["roles"][role]["types"] == len(said)
    assert list(statistics["ages"]) == sorted(statistics["ages"], key=int)
    for part, table in parts.items():
        row = statistics["parts"][part]
        assert (row["triplets"], row["words"]) == (len(table), table["words"].sum())
        assert row["children"] == table["child"].nunique()
        assert row["types"] == len({word for turns in table["turns"] for turn in turns for word in words(turn)})
    assert statistics["parts"]["test"]["left_out_as_seen"] == 3


def test_transcripts_add_up_to_utterances(utterances, transcripts):
    by_transcript = utterances.groupby("transcript", sort=False)
    assert transcripts["transcript"].tolist() == list(by_transcript.groups)
    assert transcripts["words"].tolist() == by_transcript["words"].sum().tolist()
    assert utterances["words"].tolist() == utterances["text"].map(count_words).tolist()
    assert transcripts["utterances"].tolist() == by_transcript.size().tolist()
    assert (transcripts["lines"] == transcripts[["kept", "empty", "lost"]].sum(axis=1)).all()
    assert transcripts["empty"].sum() > 0


def recordings(*said: tuple[str, str, list[str]]) -> pd.DataFrame:
    """Transcripts of these names and children, each with its utterances."""
    rows = Rows()
    for name, child, texts in said:
        spoken = pa.table([["MOT"] * len(texts), ["Mother"] * len(texts), texts], schema=SAID)
        rows.add((name, "Made", child, 30.0), spoken, kept=len(texts), empty=0)
    return rows.tables()[1].to_pandas()


def talk(topic: str, count: int) -> list[str]:
    return [f"now the {topic} number {number} comes along ." for number in range(count)]


@pytest.mark.parametrize("at_once", [200_000, 7])
def test_copies_are_found_whole_and_in_part_whatever_their_case(at_once, monkeypatch):
    monkeypatch.setattr("babylogue.transcripts.copies._HASHES_AT_ONCE", at_once)
    transcripts = recordings(
        ("one", "Made/ann", talk("boat", 40) + ["yes ."] * 50),
        ("two", "Made/bob", [text.upper() for text in talk("boat", 40)[10:30]] + talk("cow", 15)),
        ("three", "Made/cat", talk("cow", 60)),
        ("four", "Made/dan", talk("duck", 60) + talk("boat", 6) + ["yes ."] * 50),
    )
    copies = find_copies(transcripts)
    assert copies[["first", "second", "shared"]].to_numpy().tolist() == [["one", "two", 20]]
    assert copies["share"].tolist() == [pytest.approx(20 / 35)]


def test_what_many_say_makes_no_copies():
    book = talk("bear", 30)
    transcripts = recordings(*((f"child{number:02}", f"Made/{number}", book) for number in range(12)))
    assert find_copies(transcripts).empty
    assert len(find_copies(transcripts.head(3))) == 3


def test_children_with_copied_transcripts_go_together():
    names = [f"t{number}" for number in range(8)]
    transcripts = pd.DataFrame({"transcript": names, "corpus": "A", "child": [f"A/{name}" for name in "abcdefgh"]})
    transcripts["words"] = 10
    transcripts["other_children"] = [[], [], ["A/h"], [], [], [], [], []]
    # b-g directly, g-d by way of g: three children of one family.
    copies = pd.DataFrame({"first": ["t1", "t3"], "second": ["t6", "t6"]})
    split = split_by_child(transcripts, copies, SplitSettings()).set_index("child")
    assert split.loc[["A/b", "A/d", "A/g"], "family"].tolist() == ["A/b"] * 3
    assert split.loc[["A/b", "A/d", "A/g"], "part"].nunique() == 1
    # c and h were recorded together.
    assert split.loc["A/h", "family"] == "A/c"
    assert split["family"].nunique() == 5
    assert set(split["part"]) == set(PARTS)


def test_too_few_children_is_one_clear_line():
    transcripts = pd.DataFrame({"transcript": ["a"], "corpus": ["A"], "child": ["A/a"], "words": [9]})
    transcripts["other_children"] = [[]]
    with pytest.raises(UserError, match="1 children cannot fill 4 parts"):
        split_by_child(transcripts, NO_COPIES, SplitSettings())
