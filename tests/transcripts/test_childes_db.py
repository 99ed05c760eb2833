"""The source childes_db: from a server that behaves as Redivis to the tables that CHAT files give."""

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from babylogue.errors import UserError
from babylogue.transcripts.childes_db import RAW_SCHEMA
from babylogue.transcripts.childes_db.client import fetch
from babylogue.transcripts.childes_db.settings import ChildesDbSettings
from babylogue.transcripts.childes_db.utterances import read_utterances, transcript_name, utterance_text
from support.project import copy_project
from support.redivis_server import NO_ACCESS, TOKEN, Redivis, serving

MONTH = 365.25 / 12
# id, collection, corpus, filename, target child, age in days
TRANSCRIPTS = [
    (1, "Eng-NA", "Pond", "Eng-NA/Pond/Ida/ida02.cha", 71, 27 * MONTH + 14),
    (2, "Eng-NA", "Pond", "Eng-NA/Pond/Ida/ida01.cha", 71, 26 * MONTH),
    (3, "Eng-NA", "Alder", "Eng-NA/Alder/twins.cha", None, None),
    (4, "Eng-UK", "Heath", "Eng-UK/Heath/a.cha", 72, 30 * MONTH),
    (5, "Dutch", "Polder", "Dutch/Polder/b.cha", 73, 30 * MONTH),
]
# transcript, place, speaker, role, type, words; the places are out of order
UTTERANCES = [
    (1, 2, "CHI", "Target_Child", "declarative", "duck all gone"),
    (1, 1, "MOT", "Mother", "question", "where is the xxx duck"),
    (1, 3, "MOT", "Mother", "declarative", "xxx yyy"),
    (1, 4, "MOT", "Mother", "imperative_emphatic", "look there"),
    (1, 5, "FAT", "Father", "trail off", "well"),
    (2, 1, "IDA", "Target_Child", "trail off question", "duck"),
    (2, 2, "MOT", "Mother", "declarative", "a Father_Duck ba:by"),
    (3, 1, "TWA", "Target_Child", "declarative", "mine"),
    (3, 2, "TWB", "Target_Child", "declarative", "no mine"),
    (3, 3, "INV", None, None, "both of you"),
    (4, 1, "MOT", "Mother", "declarative", "it rains"),
    (5, 1, "MOT", "Mother", "declarative", "het regent"),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("REDIVIS_API_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def redivis():
    return Redivis(TRANSCRIPTS, UTTERANCES)


@pytest.fixture
def get(redivis, tmp_path):
    """Fetch with the given settings; returns the file's rows."""
    with serving(redivis) as url:

        def get(**settings):
            quick = {"poll_s": 0.01, "backoff_s": 0.01, "read_timeout_s": 5, "attempts": 3}
            given = {"version": "1.4", "collections": ["Eng-NA"], "api_url": url} | quick | settings
            fetch(ChildesDbSettings(**given), tmp_path / "raw/rows.parquet")
            return pq.read_table(tmp_path / "raw/rows.parquet")

        yield get


@pytest.fixture
def refused(get, tmp_path, caplog):
    """Fetch in vain; returns the message, after a look at what must never be."""

    def refused(**settings):
        with pytest.raises(UserError) as failure, caplog.at_level(logging.DEBUG):
            get(**settings)
        message = str(failure.value)
        assert "\n" not in message
        assert not [path for path in tmp_path.rglob("*") if path.is_file()], "something was left"
        assert TOKEN not in message + caplog.text + repr(failure.value.__cause__)
        return message

    return refused


def test_rows_of_the_wanted_collections_come_in_childes_dbs_columns(get, redivis, tmp_path, caplog):
    with caplog.at_level(logging.DEBUG):
        rows = get(collections=["Eng-NA", "Eng-UK"])
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert TOKEN.encode() not in caplog.text.encode() + file.read_bytes()
    assert rows.schema.equals(RAW_SCHEMA)
    assert sorted(set(rows["corpus"].to_pylist())) == ["Alder", "Heath", "Pond"]
    assert len(rows) == 11
    assert {body["defaultDataset"] for body in redivis.asked("/queries") if "query" in body} == {
        "datapages.childes_db:b6q6:v1.4"
    }
    assert {parameters["authorization"] for _, parameters in redivis.requests} == {f"Bearer {TOKEN}"}


def test_corpora_narrow_the_collections(get):
    assert set(get(corpora=["Alder"])["corpus"].to_pylist()) == {"Alder"}


def test_several_streams_are_read_one_after_the_other(get, redivis):
    one = get()
    redivis.streams, redivis.batch_rows = 3, 2
    assert get().equals(one)


def test_a_compressed_stream_is_unpacked(get, redivis):
    one = get()
    redivis.compressed = True
    assert get().equals(one)


def test_rows_of_another_dataset_are_refused(redivis, refused, monkeypatch):
    part = redivis.part

    def renamed(stream):
        table = part(stream)
        return table.rename_columns({"gloss": "words"}) if "gloss" in table.column_names else table

    monkeypatch.setattr(redivis, "part", renamed)
    assert "transcripts.childes_db.dataset: the rows do not have childes-db's columns" in refused()


def test_many_rows_go_to_disk_group_by_group(tmp_path):
    utterances = [(1, place, "MOT", "Mother", "declarative", "look") for place in range(120_000)]
    redivis = Redivis(TRANSCRIPTS, utterances)
    redivis.batch_rows = 5_000
    with serving(redivis) as url:
        settings = ChildesDbSettings(version="1.4", collections=["Eng-NA"], api_url=url, poll_s=0.01)
        fetch(settings, tmp_path / "rows.parquet")
    written = pq.ParquetFile(tmp_path / "rows.parquet").metadata
    assert [written.row_group(i).num_rows for i in range(written.num_row_groups)] == [100_000, 20_000]


@pytest.mark.parametrize("fault", ["cut", "ends"])
def test_a_cut_stream_is_resumed_where_it_broke(get, redivis, fault):
    redivis.batch_rows = 2
    redivis.tables.execute("UPDATE utterance SET gloss = ?", ("look " * 20_000,))  # more than is buffered
    one = get()
    redivis.fail("readStreams/3-0", fault, 1)  # the stream of names
    redivis.fail("readStreams/4-0", fault, 3)
    assert get().equals(one)
    offsets = [int(asked["offset"]) for asked in redivis.asked("readStreams/4-0")]
    assert offsets[0] == 0
    assert offsets[1:] in ([4], [6])


def test_a_stream_that_never_gets_on_is_given_up(refused, redivis):
    redivis.fail("readStreams", "cut", 0, times=None)
    message = refused()
    assert "/readStreams/1-0: " in message
    assert "after 3 attempts; try again later" in message
    assert len(redivis.asked("readStreams")) == 3


def test_missing_rows_are_noticed(refused, redivis):
    redivis.missing_rows = 2
    assert "/queries/1: 4 rows came instead of 6; run the rule again" in refused()


def test_no_token_is_one_line_that_says_where_to_get_one(refused, redivis, monkeypatch):
    monkeypatch.delenv("REDIVIS_API_TOKEN")
    assert "REDIVIS_API_TOKEN is not set: childes-db needs a free account at redivis.com" in refused()
    assert not redivis.requests


def test_a_token_that_no_header_can_hold_is_not_shown(refused, monkeypatch):
    monkeypatch.setenv("REDIVIS_API_TOKEN", "two\nlines")
    message = refused()
    assert "REDIVIS_API_TOKEN holds blanks" in message
    assert "lines" not in message


def test_a_wrong_token_is_not_repeated_even_if_the_server_does(refused, monkeypatch):
    monkeypatch.setenv("REDIVIS_API_TOKEN", "a-wrong-token")
    message = refused()
    assert "HTTP 401, Invalid credentials: Bearer [token]; REDIVIS_API_TOKEN holds no valid token" in message
    assert "a-wrong-token" not in message


def test_a_token_without_access(refused, monkeypatch):
    monkeypatch.setenv("REDIVIS_API_TOKEN", NO_ACCESS)
    message = refused()
    assert "HTTP 403, The token lacks the scope data.data" in message
    assert "give it the scope data.data" in message


def test_a_version_that_is_not_there(refused):
    assert "transcripts.childes_db.version: no datapages.childes_db:b6q6:v9.9 that the token sees" in refused(
        version="9.9"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"collections": ["Eng-NA", "Eng-US"]}, "collections: dataset version 1.4 has no Eng-US; it has Dutch, "),
        ({"corpora": ["Pond", "Heath"]}, "corpora: dataset version 1.4 has no Heath; it has Alder, Pond"),
    ],
)
def test_names_that_are_not_there_are_found_before_the_download(refused, redivis, settings, message):
    assert message in refused(**settings)
    assert len(redivis.asked("readSessions")) == 1


@pytest.mark.alone
def test_the_servers_wait_is_kept(get, redivis):
    redivis.fail("datasets", "status", 429, {"Retry-After": "0.5"})
    redivis.fail("queries", "status", 429, {"Retry-After": format_datetime(datetime.now(UTC), usegmt=True)})
    redivis.fail("readSessions", "status", 429, {"Retry-After": str(int(time.time()))})
    begin = time.monotonic()
    get(backoff_s=200)
    assert 0.5 <= time.monotonic() - begin < 5


def test_a_wait_beyond_the_bound_stops_the_run(refused, redivis):
    late = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    redivis.fail("datasets", "status", 429, {"Retry-After": late}, {"error": {"message": "Too many requests"}})
    message = refused()
    assert "HTTP 429, Too many requests, and a wait of 7" in message
    assert "more than longest_wait_s (300)" in message


@pytest.mark.parametrize("part", ["datasets", "queries", "readSessions", "readStreams"])
def test_a_server_that_is_away_for_a_while(get, redivis, part):
    redivis.fail(part, "status", 503, times=2)
    assert len(get()) == 10


@pytest.mark.parametrize(
    ("fault", "reason"), [(("status", 502), "HTTP 502, Bad Gateway"), (("silence", 0.6), "no answer in time")]
)
def test_a_server_that_stays_away(refused, redivis, fault, reason):
    redivis.fail("readSessions", *fault, times=None)
    message = refused(read_timeout_s=0.2)
    assert message.endswith(f"{reason}, after 3 attempts; try again later")
    assert "/queries/1/readSessions: " in message


def test_silence_once_is_borne(get, redivis):
    redivis.fail("readStreams", "silence", 0.6)
    assert len(get(read_timeout_s=0.3)) == 10


def test_a_dead_port(refused):
    assert "http://127.0.0.1:9/datasets/" in refused(api_url="http://127.0.0.1:9")


def test_a_page_instead_of_an_answer(refused, redivis):
    redivis.fail("datasets", "page")
    assert "no answer of Redivis: <html>please log in" in refused()
    redivis.fail("readStreams", "page", times=None)
    assert "/readStreams/1-0: " in refused()


def test_a_query_that_fails_or_takes_too_long(refused, redivis):
    redivis.tables.execute("ALTER TABLE utterance RENAME COLUMN gloss TO words")
    assert "/queries/2: the query failed: Syntax error: no such column: u.gloss" in refused()
    assert "the query is queued after 1e-09 s; try later" in refused(query_timeout_s=1e-9)


def test_the_token_is_not_sent_on_to_another_site(refused, redivis):
    other = Redivis([], [])
    with serving(other) as url:
        redivis.fail("datasets", "elsewhere", f"{url}/datasets/x")
        refused()
    assert [asked["authorization"] for asked in other.asked("datasets")] == [None]


@pytest.mark.parametrize(
    "settings",
    [
        {"version": "latest"},
        {"version": 1.4},
        {"collections": []},
        {"dataset": "datapages.childes_db:b6q6:v1.4"},
        {"api_url": "http://redivis.com/api/v1"},
        {"api_url": "https://"},
    ],
)
def test_settings_that_cannot_be_meant(settings):
    with pytest.raises(ValidationError):
        ChildesDbSettings(**{"version": "1.4", "collections": ["Eng-NA"]} | settings)


def test_the_rules_script(redivis, tmp_path):
    import childes_db

    with serving(redivis) as url:
        settings = {"version": "1.4", "collections": ["Eng-UK"], "api_url": url, "poll_s": 0.01}
        job = SimpleNamespace(params=SimpleNamespace(settings=settings), output=[str(tmp_path / "rows.parquet")])
        childes_db.main(job)
    assert len(pq.read_table(tmp_path / "rows.parquet")) == 1


# From rows to utterances.


def read(file, folder, **options):
    folder.mkdir()
    tables = [folder / name for name in ("utterances.parquet", "transcripts.parquet", "rejected.csv")]
    counts = read_utterances(file, *tables, **{"max_rejected_share": 0.5} | options)
    utterances, transcripts = (pd.read_parquet(table) for table in tables[:2])
    assert sorted(path.name for path in folder.iterdir()) == sorted(table.name for table in tables)
    return counts, utterances, transcripts, pd.read_csv(tables[2])


@pytest.fixture
def rows(get, tmp_path):
    """Fetch rows of given tables; returns the file."""
    get(collections=["Eng-NA", "Eng-UK"])
    return tmp_path / "raw/rows.parquet"


def test_rows_become_the_tables_that_chat_files_give(rows, tmp_path):
    counts, utterances, transcripts, rejected = read(rows, tmp_path / "out")
    lines = {"lines": 11, "kept": 10, "empty": 1, "lost": 0}
    assert counts == {"files": 4, "read": 4, "rejected": 0, **lines, "utterances": 10}
    assert [tuple(row) for row in utterances[["transcript", "speaker", "role", "text", "words"]].values] == [
        ("Alder/twins", "CHI", "Target_Child", "mine .", 1),
        ("Alder/twins", "TWB", "Target_Child", "no mine .", 2),
        ("Alder/twins", "INV", "Unidentified", "both of you .", 3),
        ("Heath/a", "MOT", "Mother", "it rains .", 2),
        ("Pond/Ida/ida01", "CHI", "Target_Child", "duck ?", 1),
        ("Pond/Ida/ida01", "MOT", "Mother", "a Father Duck baby .", 4),
        ("Pond/Ida/ida02", "MOT", "Mother", "where is the duck ?", 4),
        ("Pond/Ida/ida02", "CHI", "Target_Child", "duck all gone .", 3),
        ("Pond/Ida/ida02", "MOT", "Mother", "look there !", 2),
        ("Pond/Ida/ida02", "FAT", "Father", "well .", 1),
    ]
    assert transcripts["transcript"].tolist() == ["Alder/twins", "Heath/a", "Pond/Ida/ida01", "Pond/Ida/ida02"]
    assert transcripts["corpus"].tolist() == ["Alder", "Heath", "Pond", "Pond"]
    assert transcripts["empty"].tolist() == [0, 0, 0, 1]
    assert rejected.empty


def test_children_and_ages(rows, tmp_path):
    _, _, transcripts, _ = read(rows, tmp_path / "out")
    # No single target child: the key is made of the name, as for a CHAT file.
    assert transcripts["child"].tolist() == ["Alder/twi", "Heath/child72", "Pond/child71", "Pond/child71"]
    assert transcripts["age_months"].fillna(-1).tolist() == pytest.approx([-1, 30, 26, 27.46])


def test_two_runs_write_the_same_bytes_whatever_the_order_of_the_rows(rows, tmp_path):
    other = tmp_path / "other.parquet"
    table = pq.read_table(rows)
    pq.write_table(table.take(list(range(len(table)))[::-1]), other)
    for name, file in (("one", rows), ("two", rows), ("three", other)):
        read(file, tmp_path / name)
    for name in ("utterances.parquet", "transcripts.parquet", "rejected.csv"):
        one, two, three = ((tmp_path / run / name).read_bytes() for run in ("one", "two", "three"))
        assert one == two == three


def write(tmp_path, **columns):
    """A file of rows with the given columns and something harmless in the others."""
    size = len(next(iter(columns.values())))
    usual = {
        "corpus": "Pond", "transcript_id": 1, "filename": "Eng-NA/Pond/a.cha", "target_child_id": 7,
        "target_child_age": 900.0, "utterance_order": list(range(size)), "speaker_code": "MOT",
        "speaker_role": "Mother", "type": "declarative", "gloss": "look",
    }  # fmt: skip
    pd.DataFrame(usual | columns, index=range(size)).to_parquet(tmp_path / "rows.parquet", schema=RAW_SCHEMA)
    return tmp_path / "rows.parquet"


def test_an_age_of_no_days_is_none(tmp_path):
    file = write(tmp_path, transcript_id=[1, 2], filename=["a.xml", "b.xml"], target_child_age=[0.0, 900.0])
    transcripts = read(file, tmp_path / "out")[2]
    assert transcripts["age_months"].isna().tolist() == [True, False]


def test_a_transcript_without_a_clear_order_is_rejected(tmp_path):
    file = write(
        tmp_path,
        transcript_id=[1, 1, 2, 2, 3, 3],
        filename=["a.xml", "a.xml", "b.xml", "b.xml", "c.xml", "c.xml"],
        utterance_order=[1, 1, 1, 2, 1, None],
    )
    counts, utterances, _, rejected = read(file, tmp_path / "out", max_rejected_share=0.7)
    assert (counts["files"], counts["read"], counts["rejected"]) == (3, 1, 2)
    assert set(utterances["transcript"]) == {"Pond/b"}
    assert rejected["transcript"].tolist() == ["Pond/a", "Pond/c"]
    with pytest.raises(UserError, match=r"max_rejected_share: 2 of 3 files cannot be read"):
        read(file, tmp_path / "again")


@pytest.mark.parametrize(
    ("codes", "roles", "speakers"),
    [
        (["ANN", "ANN", "MOT"], ["Target_Child", "Target_Child", "Mother"], ["CHI", "CHI", "MOT"]),
        (["ANN", "ANN", "CHI"], ["Target_Child", "Target_Child", "Target_Child"], ["ANN", "ANN", "CHI"]),
        (["ANN", "BEN", "BEN"], ["Target_Child", "Target_Child", "Target_Child"], ["ANN", "CHI", "CHI"]),
        (["ANN", "CHI", "CHI"], ["Target_Child", "Sibling", "Sibling"], ["CHI", "KID", "KID"]),
        (["CHI", "A.B", None], ["Child", "Aunt", None], ["CHI", "AB", "UNK"]),
    ],
)
def test_one_speaker_is_the_target_child(tmp_path, codes, roles, speakers):
    _, utterances, _, _ = read(write(tmp_path, speaker_code=codes, speaker_role=roles), tmp_path / "out")
    assert utterances["speaker"].tolist() == speakers


def test_transcripts_that_share_a_name_are_told_apart(tmp_path):
    file = write(tmp_path, transcript_id=[1, 2, 3], filename=["020304.xml", "020304.xml", "020305.xml"])
    _, utterances, _, _ = read(file, tmp_path / "out")
    assert utterances["transcript"].tolist() == ["Pond/020304-1", "Pond/020304-2", "Pond/020305"]


def test_many_transcripts_fill_several_groups_and_none_is_lost(tmp_path):
    file = write(
        tmp_path, transcript_id=[i // 3 for i in range(600)], filename=[f"{i // 3:03}.cha" for i in range(600)]
    )
    _, utterances, transcripts, _ = read(file, tmp_path / "out")
    assert len(utterances) == 600
    assert transcripts["utterances"].tolist() == [3] * 200
    assert utterances["transcript"].drop_duplicates().tolist() == transcripts["transcript"].tolist()


def test_files_that_are_no_rows(tmp_path):
    (tmp_path / "page.parquet").write_text("<html>")
    with pytest.raises(UserError, match=r"page.parquet: no parquet file; delete it"):
        read(tmp_path / "page.parquet", tmp_path / "a")
    pd.DataFrame({"corpus": ["Pond"]}).to_parquet(tmp_path / "short.parquet")
    with pytest.raises(UserError, match=r"short.parquet: no filename, gloss, "):
        read(tmp_path / "short.parquet", tmp_path / "b")
    with pytest.raises(UserError, match=r"no utterance with a word in 1 transcripts"):
        read(write(tmp_path, gloss=["xxx", None]), tmp_path / "c")


@pytest.mark.parametrize(
    ("gloss", "kind", "text"),
    [
        ("look there", "declarative", "look there ."),
        ("look there", "question", "look there ?"),
        ("look", "interruption question", "look ?"),
        ("look", "self interruption question", "look ?"),
        ("look", "trail off question", "look ?"),
        ("look", "question exclamation", "look ?"),
        ("look", "imperative_emphatic", "look !"),
        ("look", "trail off", "look ."),
        ("look", "quotation next line", "look ."),
        ("look", "missing CA terminator", "look ."),
        ("look", None, "look ."),
        ("xxx look yyy www", "declarative", "look ."),
        ("xxx", "question", ""),
        ("", "declarative", ""),
        (None, "declarative", ""),
        ("don't touch", "imperative_emphatic", "don't touch !"),
    ],
)
def test_words_and_type_become_text(gloss, kind, text):
    assert utterance_text(gloss, kind) == text


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("Eng-NA/Pond/Ida/020304.xml", "Pond/Ida/020304"),
        ("Eng-NA/Pond/ida.1.cha", "Pond/ida.1"),
        ("020304.xml", "Pond/020304"),
        (None, "Pond/12"),
    ],
)
def test_names_are_those_of_chat_files(filename, name):
    assert transcript_name("Pond", 12, filename) == name


@pytest.mark.slow
def test_the_workflow_fetches_and_reads(redivis, tmp_path):
    workflow = copy_project(tmp_path / "project")
    with serving(redivis) as url:
        own = {"version": "1.4", "collections": ["Eng-NA"], "api_url": url, "poll_s": 0.01}
        workflow.write("own.yaml", json.dumps({"transcripts": {"source": "childes_db", "childes_db": own}}))
        run = ("--cores", "2", "--configfile", "own.yaml", "--", "results/corpus/utterances.parquet")
        assert TOKEN not in workflow.snakemake(*run).stdout
    read = pd.read_parquet(workflow.folder / "results/corpus/transcripts.parquet")
    assert sorted(read["transcript"]) == ["Alder/twins", "Pond/Ida/ida01", "Pond/Ida/ida02"]
    assert json.loads(workflow.read("results/corpus/files.json"))["files"] == 3
