"""The download from TalkBank, against a server on loopback that behaves as TalkBank does."""

import hashlib
import importlib.util
import json
import socket
import threading
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from types import SimpleNamespace

import pandas as pd
import pytest
from pydantic import ValidationError

from babylogue.errors import UserError
from babylogue.transcripts.sources import find_archives, list_files
from babylogue.transcripts.talkbank.download import download
from babylogue.transcripts.talkbank.lock import LOCK_NAME
from babylogue.transcripts.talkbank.settings import TalkBankSettings
from support.project import PROJECT, copy_project
from support.talkbank_server import EMAIL, PASSWORD, TalkBankServer, body, corpus, cut, pack, page, slow, status

BROWN = "Eng-NA/Brown"
LARGE = 200_000  # bytes of talk: an archive that takes several reads


@pytest.fixture
def server():
    server = TalkBankServer()
    server.archives = {BROWN: corpus("Brown"), "Eng-NA/Clark": corpus("Clark"), "Eng-UK/Wells": corpus("Wells")}
    yield server
    server.close()


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch, caplog):
    """A login, a home of its own; afterwards the login must be in no log and no file."""
    home = tmp_path / "home"
    home.mkdir()
    for name, value in {"HOME": str(home), "TALKBANK_EMAIL": EMAIL, "TALKBANK_PASSWORD": PASSWORD}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("NETRC", raising=False)
    caplog.set_level("DEBUG")
    yield
    assert_secret(caplog.text)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != ".netrc":
            assert_secret(path.read_bytes().decode("latin-1"))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "childes"


def assert_secret(text: str) -> None:
    assert PASSWORD not in text
    assert EMAIL not in text


def settings(server, *corpora, **others) -> TalkBankSettings:
    urls = {"data_url": f"{server.address}/data/childes", "login_url": f"{server.address}/logInUser"}
    return TalkBankSettings(corpora=corpora, **{"pause_s": 0, "backoff_s": 0.02, "attempts": 3} | urls | others)


def refused(server, folder, *corpora, **others) -> str:
    """The one line that a download ends with."""
    with pytest.raises(UserError) as caught:
        download(settings(server, *(corpora or [BROWN]), **others), folder)
    assert_secret("".join(traceback.format_exception(caught.value)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def lock_of(folder) -> dict:
    return json.loads((folder / LOCK_NAME).read_text())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def leftovers(folder) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and path.suffix not in (".zip", ".json")]


def test_archives_are_brought_and_locked(server, folder):
    archives = download(settings(server, "Eng-UK/Wells", BROWN), folder)
    assert archives == [folder / "Eng-NA/Brown.zip", folder / "Eng-UK/Wells.zip"]
    assert archives[0].read_bytes() == server.archives[BROWN]
    entry = lock_of(folder)["archives"][BROWN]
    assert entry["url"] == f"{server.address}/data/childes/Eng-NA/Brown?f=zip"
    assert entry["bytes"] == len(server.archives[BROWN])
    assert entry["sha256"] == sha256(server.archives[BROWN])
    assert entry["date"] == datetime.now(UTC).date().isoformat()
    assert list(lock_of(folder)["archives"]) == [BROWN, "Eng-UK/Wells"]
    assert not leftovers(folder)


def test_what_was_downloaded_is_a_source_of_transcripts(server, folder):
    download(settings(server, BROWN), folder)
    files = list_files(find_archives(folder), folder)
    assert [file.transcript for file in files] == ["Brown/one", "Brown/two"]


def test_one_login_for_many_archives(server, folder):
    download(settings(server, BROWN, "Eng-NA/Clark", "Eng-UK/Wells"), folder)
    assert len(server.asked("login")) == 1
    assert len(server.asked()) == 4


@pytest.mark.parametrize("corpora", [[BROWN, "Eng-UK/Wells"], ["Eng-NA", "Eng-UK"]])
def test_a_second_run_asks_for_nothing_and_needs_no_login(server, folder, corpora, monkeypatch):
    first = download(settings(server, *corpora), folder)
    asked, lock = len(server.asked()), (folder / LOCK_NAME).read_bytes()
    monkeypatch.delenv("TALKBANK_PASSWORD")
    assert download(settings(server, *corpora), folder) == first
    assert len(server.asked()) == asked
    assert (folder / LOCK_NAME).read_bytes() == lock


def test_pause_is_between_archives_that_are_fetched(server, folder):
    download(settings(server, "Eng-NA/Clark"), folder)
    server.requests.clear()
    download(settings(server, "Eng-NA", "Eng-UK", pause_s=0.3), folder)
    login, *_ = server.asked("login")
    brown, wells = server.asked(BROWN) + server.asked("Eng-UK/Wells")
    assert not server.asked("Eng-NA/Clark")
    assert brown.at - login.at < 0.3 <= wells.at - brown.at < 0.6


# --- login ------------------------------------------------------------------------------------------------


def test_wrong_password(server, folder, monkeypatch):
    monkeypatch.setenv("TALKBANK_EMAIL", "somebody@example.org")
    assert "correct TALKBANK_EMAIL and TALKBANK_PASSWORD" in refused(server, folder)
    assert len(server.asked("login")) == 1
    assert not server.asked(BROWN)


def test_unverified_address(server, folder):
    server.verified = False
    assert "has not verified your e-mail address: follow the link" in refused(server, folder)


@pytest.mark.parametrize(
    "answer",
    [
        {"success": False, "respMsg": f"no user {EMAIL} with password {PASSWORD}"},
        {"success": False, "respMsg": [PASSWORD]},
        {"success": PASSWORD},
        [PASSWORD],
    ],
)
def test_a_server_that_repeats_the_login_is_not_quoted(server, folder, answer):
    server.refusal = answer
    assert "/logInUser" in refused(server, folder)


def test_an_unknown_code_is_named_unless_it_holds_the_password(server, folder, monkeypatch):
    server.refusal = {"success": False, "respMsg": "ACCOUNT_CLOSED"}
    assert "refuses the login with ACCOUNT_CLOSED" in refused(server, folder)
    monkeypatch.setenv("TALKBANK_PASSWORD", "COUNT_CLOSED")
    assert "refuses the login without a reason" in refused(server, folder)


def test_no_login(server, folder, monkeypatch):
    monkeypatch.delenv("TALKBANK_EMAIL")
    assert refused(server, folder) == "TALKBANK_PASSWORD is set and TALKBANK_EMAIL is not: set both"
    monkeypatch.delenv("TALKBANK_PASSWORD")
    message = refused(server, folder)
    assert "make a free account at https://talkbank.org, then set TALKBANK_EMAIL and TALKBANK_PASSWORD" in message
    assert "`machine 127.0.0.1 login E-MAIL password PASSWORD` into ~/.netrc" in message
    assert not server.asked()


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    """Writes ~/.netrc, which is then all that there is."""
    monkeypatch.delenv("TALKBANK_EMAIL")
    monkeypatch.delenv("TALKBANK_PASSWORD")

    def write(text, mode=0o600):
        path = tmp_path / "home/.netrc"
        path.write_text(text)
        path.chmod(mode)

    return write


def test_netrc_serves_the_login_alone(server, folder, netrc):
    netrc(f"machine 127.0.0.1 login {EMAIL} password {PASSWORD}\n")
    server.fail(BROWN, status(302, Location=f"/data/childes/{BROWN}?f=zip&again"), status(302, Location="?f=zip"))
    download(settings(server, BROWN), folder)
    assert not [request for request in server.asked() if "Authorization" in request.headers]


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        (f"machine 127.0.0.1 login {EMAIL} password {PASSWORD} {PASSWORD}\n", 0o600, "~/.netrc, line "),
        (f"machine 127.0.0.1 login {EMAIL} password {PASSWORD}\n", 0o644, "chmod 600 ~/.netrc"),
        (f"machine 127.0.0.1 login {EMAIL}\n", 0o600, "no login for TalkBank"),
        (f"default login {EMAIL} password {PASSWORD}\n", 0o600, "no login for TalkBank"),
    ],
)
def test_netrc_that_is_of_no_use(server, folder, netrc, text, mode, message):
    netrc(text, mode)
    assert message in refused(server, folder)
    assert not server.asked()


def test_the_login_follows_no_redirect_to_another_site(server, folder):
    other = TalkBankServer()
    server.fail("login", status(307, Location=f"{other.address}/logInUser"))
    assert "sends on to another site" in refused(server, folder)
    server.fail(BROWN, status(302, Location=f"{other.address}/data/childes/{BROWN}?f=zip"))
    assert "sends on to another site" in refused(server, folder)
    server.fail(BROWN, status(302, Location="http://[nowhere"))
    assert "sends on to another site" in refused(server, folder)
    other.close()
    assert not other.asked()


def test_a_login_that_is_no_json(server, folder):
    server.fail("login", status(404))
    assert "status 404 and no JSON: is login_url right?" in refused(server, folder)


def test_a_login_server_that_fails_in_passing(server, folder):
    server.fail("login", status(500), slow(0))
    assert download(settings(server, BROWN), folder)
    assert len(server.asked("login")) == 3


def test_nobody_answers(server, folder):
    server.close()
    assert refused(server, folder) == (
        f"{server.address}/logInUser: the connection broke (Connection refused), after 3 attempts; try again later"
    )


def test_a_server_that_speaks_no_http_is_not_quoted(folder):
    """It sends back what it gets, the login among it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def echo():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(connection.recv(4096)[-200:])

        threading.Thread(target=echo, daemon=True).start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert "/logInUser: the connection broke" in refused(SimpleNamespace(address=address), folder)


# --- expired cookies and pages instead of archives ----------------------------------------------------------


def test_a_cookie_that_expires_midway_is_renewed(server, folder):
    server.cookie_lasts = 1
    assert len(download(settings(server, BROWN, "Eng-NA/Clark"), folder)) == 2
    assert [request.path.split("/")[-1] for request in server.asked()] == [
        "logInUser", "Brown?f=zip", "Clark?f=zip", "logInUser", "Clark?f=zip",
    ]  # fmt: skip


def test_a_page_for_ever_is_no_archive(server, folder):
    server.fail(BROWN, *[page] * 9)
    assert "answers with a page instead of an archive" in refused(server, folder)
    assert len(server.asked("login")) == len(server.asked(BROWN)) == 2
    assert not (folder / LOCK_NAME).exists()
    assert not list(folder.rglob("*.zip*"))


# --- archives that are none -----------------------------------------------------------------------------


def test_a_truncated_zip_is_asked_for_again(server, folder):
    server.fail(BROWN, body(server.archives[BROWN][:-40]))
    download(settings(server, BROWN), folder)
    assert (folder / "Eng-NA/Brown.zip").read_bytes() == server.archives[BROWN]
    assert "Range" not in server.asked(BROWN)[1].headers


def test_a_zip_that_stays_damaged(server, folder):
    damaged = bytearray(server.archives[BROWN])
    damaged[damaged.index(b"dog")] ^= 1
    server.archives[BROWN] = bytes(damaged)
    message = refused(server, folder)
    assert "?f=zip: what came is damaged (its member 'Brown/one.cha' is damaged), after 3 attempts" in message
    assert not list(folder.rglob("*.zip*"))


def test_a_zip_without_transcripts(server, folder):
    server.archives[BROWN] = pack({"Brown/0metadata.cdc": "title"})
    assert "Eng-NA/Brown: there is no .cha file in the archive" in refused(server, folder)
    assert len(server.asked(BROWN)) == 1
    assert not list(folder.rglob("*.zip*"))


# --- the server's refusals and failures -----------------------------------------------------------------


def test_more_permission_needed(server, folder):
    server.fail(BROWN, status(401))
    assert "Eng-NA/Brown needs more permission than the login has" in refused(server, folder)


def test_no_such_corpus(server, folder):
    assert refused(server, folder, "Eng-NA/Braun") == (
        "Eng-NA/Braun: no such corpus; the collection has: Brown, Clark"
    )
    assert "Eng-XX/Brown: no such corpus; see the names on" in refused(server, folder, "Eng-XX/Brown")


def test_any_other_status_is_named(server, folder):
    server.fail(BROWN, status(410))
    assert "Eng-NA/Brown: TalkBank answers with status 410 Gone" in refused(server, folder)


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_heeded(server, folder, code):
    server.fail(BROWN, status(code, Retry_After="1"))
    download(settings(server, BROWN), folder)
    first, second = server.asked(BROWN)
    assert 1 <= second.at - first.at < 2


def test_retry_after_as_a_date(server, folder):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.fail(BROWN, status(503, Retry_After=soon))
    download(settings(server, BROWN), folder)
    first, second = server.asked(BROWN)
    assert 0.5 < second.at - first.at < 2.5


@pytest.mark.parametrize("nonsense", ["soon", "²", "-3", "Fri, 99 Foo 2026"])
def test_retry_after_that_says_nothing(server, folder, nonsense):
    server.fail(BROWN, status(503, Retry_After=nonsense))
    assert download(settings(server, BROWN), folder)


def test_a_wait_that_is_too_long(server, folder):
    server.fail(BROWN, status(429, Retry_After="3600"))
    message = refused(server, folder, longest_wait_s=60)
    assert "429 Too Many Requests, and a wait of 3600 s is asked for, more than longest_wait_s (60)" in message


def test_server_errors_are_waited_out_a_number_of_times(server, folder):
    server.fail(BROWN, status(503), status(502))
    assert download(settings(server, BROWN, backoff_s=0.1), folder)
    gaps = [later.at - earlier.at for earlier, later in pairwise(server.asked(BROWN))]
    assert 0.1 <= gaps[0] < 0.2 <= gaps[1] < 0.4
    server.fail("Eng-NA/Clark", *[status(500)] * 3)
    message = refused(server, folder, "Eng-NA/Clark")
    assert message.endswith("Clark?f=zip: status 500 Internal Server Error, after 3 attempts; try again later")


def test_a_slow_server(server, folder):
    server.fail(BROWN, slow(0.6))
    assert download(settings(server, BROWN, read_timeout_s=0.2), folder)
    server.fail("Eng-NA/Clark", *[slow(0.4)] * 3)
    message = refused(server, folder, "Eng-NA/Clark", read_timeout_s=0.2)
    assert message.endswith("Clark?f=zip: no answer in time, after 3 attempts; try again later")


# --- broken transfers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tags", [True, False])
def test_a_broken_transfer_is_continued(server, folder, tags):
    server.tags = tags
    server.archives[BROWN] = corpus("Brown", LARGE)
    server.fail(BROWN, cut(150_000), cut(150_000))
    download(settings(server, BROWN), folder)
    first, second, third = server.asked(BROWN)
    starts = [
        int(request.headers["Range"].removeprefix("bytes=").removesuffix("-")) for request in (second, third)
    ]
    assert "Range" not in first.headers
    assert 0 < starts[0] <= 150_000 < starts[1] <= 300_000
    assert ("If-Range" in second.headers) == tags
    assert (folder / "Eng-NA/Brown.zip").read_bytes() == server.archives[BROWN]


def test_a_server_without_ranges_begins_anew(server, folder):
    server.ranges = False
    server.archives[BROWN] = corpus("Brown", LARGE)
    server.fail(BROWN, cut(150_000))
    download(settings(server, BROWN), folder)
    assert "Range" in server.asked(BROWN)[1].headers
    assert (folder / "Eng-NA/Brown.zip").read_bytes() == server.archives[BROWN]


@pytest.mark.parametrize("answer", [status(416), status(206, Content_Range="bytes 7-15/16"), status(206)])
def test_a_rest_that_is_not_to_be_had(server, folder, answer, caplog):
    server.archives[BROWN] = corpus("Brown", LARGE)
    server.fail(BROWN, cut(150_000), answer)
    download(settings(server, BROWN), folder)
    assert ["Range" in request.headers for request in server.asked(BROWN)] == [False, True, False]
    assert "not to be had; from its beginning" in caplog.text
    assert (folder / "Eng-NA/Brown.zip").read_bytes() == server.archives[BROWN]


@pytest.mark.parametrize("tags", [True, False])
def test_an_archive_that_changes_between_two_requests(server, folder, tags):
    """With tags the server sends it whole; without, the halves make no sound zip and it is asked for again."""
    server.tags = tags
    server.archives[BROWN] = corpus("Brown", LARGE)
    later = corpus("Brawn", LARGE)

    def change(handler):
        handler.send_archive(cut=150_000)
        server.archives[BROWN] = later

    server.fail(BROWN, change)
    download(settings(server, BROWN), folder)
    assert (folder / "Eng-NA/Brown.zip").read_bytes() == later


def test_transfers_that_break_for_ever(server, folder):
    server.archives[BROWN] = corpus("Brown", LARGE)
    server.fail(BROWN, *[cut(70_000)] * 3)
    message = refused(server, folder)
    assert "Brown?f=zip: the connection broke (IncompleteRead), after 3 attempts" in message
    assert not list(folder.rglob("*.zip*"))


def test_what_an_earlier_run_left_is_not_continued(server, folder):
    part = folder / "Eng-NA/Brown.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"PK of long ago")
    download(settings(server, BROWN), folder)
    assert "Range" not in server.asked(BROWN)[0].headers
    assert not part.exists()


# --- the lock -------------------------------------------------------------------------------------------


def test_an_archive_that_changed_at_talkbank(server, folder):
    old = server.archives[BROWN]
    (archive,) = download(settings(server, BROWN), folder)
    archive.unlink()
    server.archives[BROWN] = new = corpus("Brown", 400)
    lock = lock_of(folder)
    message = refused(server, folder)
    assert f"now has sha256 {sha256(new)}" in message
    assert sha256(old) in message
    assert "delete its entry there to accept the new version" in message
    assert lock_of(folder) == lock
    assert not archive.exists()
    assert not leftovers(folder)
    del lock["archives"][BROWN]
    (folder / LOCK_NAME).write_text(json.dumps(lock))
    download(settings(server, BROWN), folder)
    assert lock_of(folder)["archives"][BROWN]["sha256"] == sha256(new)


def test_the_same_files_packed_on_another_day_are_the_locked_archive(server, folder):
    files = {"Brown/one.cha": "@UTF8\n", "Brown/two.cha": "@UTF8\n@End\n"}
    server.archives[BROWN] = pack(files)
    (archive,) = download(settings(server, BROWN), folder)
    archive.unlink()
    server.archives[BROWN] = packed_later = pack(files, date=(2026, 2, 2, 0, 0, 0))
    download(settings(server, BROWN), folder)
    assert lock_of(folder)["archives"][BROWN]["sha256"] == sha256(packed_later)


def test_a_file_that_is_not_the_locked_one(server, folder):
    (archive,) = download(settings(server, BROWN), folder)
    before = archive.read_bytes()
    archive.write_bytes(before[:-1] + b"x")
    asked = len(server.asked())
    message = refused(server, folder)
    assert str(archive) in message
    assert sha256(before) in message
    assert sha256(archive.read_bytes()) in message
    assert "delete it to fetch it again" in message
    archive.unlink()
    download(settings(server, BROWN), folder)
    assert archive.read_bytes() == before
    assert len(server.asked()) == asked + 2


def test_an_archive_that_is_there_is_taken_into_the_lock(server, folder):
    archive = folder / "Eng-NA/Brown.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(server.archives[BROWN])
    download(settings(server, BROWN), folder)
    assert lock_of(folder)["archives"][BROWN]["sha256"] == sha256(server.archives[BROWN])
    assert not server.asked()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>" + corpus("Brown"), ": not a zip;"),
        (b"PK and so on", "not a zip that can be read"),
        (pack({"a.txt": ""}), "no .cha file"),
    ],
)
def test_what_is_there_and_no_archive_is_named(server, folder, content, message):
    archive = folder / "Eng-NA/Brown.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(content)
    found = refused(server, folder)
    assert found.startswith(f"{archive}: ")
    assert message in found
    assert found.endswith("delete it to fetch it again")


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("{", "the whole file"),
        ("[]", "the whole file"),
        ('{"archives": {"Eng-NA/Brown": {"url": "u"}}}', "archives.Eng-NA/Brown.date"),
        ('{"collections": {"Eng-NA": ["../../etc"]}}', "collections.Eng-NA.0"),
    ],
)
def test_a_damaged_lock_file(server, folder, content, where):
    folder.mkdir()
    (folder / LOCK_NAME).write_text(content)
    message = refused(server, folder, "Eng-NA")
    assert message.startswith(f"{folder / LOCK_NAME}, {where}: ")
    assert not server.asked()


def test_the_lock_holds_what_came_before_a_failure(server, folder):
    server.fail("Eng-NA/Clark", status(401))
    refused(server, folder, BROWN, "Eng-NA/Clark")
    assert list(lock_of(folder)["archives"]) == [BROWN]


# --- whole collections ----------------------------------------------------------------------------------


def test_a_collection_is_discovered(server, folder):
    server.links["Eng-NA"] = ["0docs/", "index.html", "../Eng-UK/Wells/", "/", "http://[", "Brown/Adam/"]
    archives = download(settings(server, "Eng-NA", BROWN), folder)
    assert archives == [folder / "Eng-NA/Brown.zip", folder / "Eng-NA/Clark.zip"]
    assert lock_of(folder)["collections"] == {"Eng-NA": ["Brown", "Clark"]}
    assert not server.asked("Eng-NA/0docs")


def test_a_corpus_that_is_added_later_does_not_change_the_data(server, folder):
    first = download(settings(server, "Eng-NA"), folder)
    server.archives["Eng-NA/Adler"] = corpus("Adler")
    assert download(settings(server, "Eng-NA"), folder) == first


def test_a_link_that_is_no_corpus_is_left_out(server, folder, caplog):
    server.links["Eng-NA"] = ["Tools/"]
    server.archives["Eng-NA/Media"] = pack({"a.txt": ""})
    assert len(download(settings(server, "Eng-NA"), folder)) == 2
    assert "Eng-NA/Tools: no such corpus: left out" in caplog.text
    assert "Eng-NA/Media?f=zip: left out" in caplog.text
    assert lock_of(folder)["collections"] == {"Eng-NA": ["Brown", "Clark"]}


@pytest.mark.parametrize("links", [None, [], ["Tools/"]])
def test_a_collection_without_corpora(server, folder, links):
    if links is not None:
        server.links["Eng-XX"] = links
    assert "name them one by one, as Eng-XX/Brown" in refused(server, folder, "Eng-XX")


# --- settings, folder and rule --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", "/", "Eng-NA/", "/Brown", "..", "Eng-NA/..", "a/b/c", "Eng NA", "Eng-NA/Brown?f=zip", "-x", "a\n"]
)
def test_names_are_checked(name):
    with pytest.raises(ValidationError, match="is neither a collection"):
        TalkBankSettings(corpora=[name])
    with pytest.raises(ValidationError, match="at least 1 item"):
        TalkBankSettings(corpora=[])


@pytest.mark.parametrize(
    "url",
    ["http://talkbank.org/data", "talkbank.org", "file:///data", "https://a.org/x?f=zip", "https://me:pw@a.org"],
)
def test_urls_are_checked(url):
    with pytest.raises(ValidationError):
        TalkBankSettings(corpora=[BROWN], data_url=url)


def test_a_folder_that_cannot_be(server, tmp_path):
    (tmp_path / "file").write_text("")
    assert refused(server, tmp_path / "file").startswith(f"{tmp_path / 'file'}: File exists")


def test_rule_writes_a_manifest(server, folder, tmp_path):
    spec = importlib.util.spec_from_file_location("talkbank_rule", PROJECT / "scripts/talkbank.py")
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    asked = settings(server, "Eng-NA").model_dump()
    params = SimpleNamespace(settings=asked, folder=str(folder))
    rule.main(SimpleNamespace(params=params, output=[str(tmp_path / "manifest.json")]))
    assert json.loads((tmp_path / "manifest.json").read_text()) == [
        {"archive": f"{name}.zip", "bytes": len(content), "sha256": sha256(content)}
        for name, content in server.archives.items()
        if name.startswith("Eng-NA")
    ]


@pytest.mark.slow
def test_the_workflow_downloads_and_reads(server, tmp_path):
    workflow = copy_project(tmp_path / "project")
    own = settings(server, BROWN, "Eng-NA/Clark").model_dump()

    def configure(**others):
        transcripts = {"source": "talkbank", "talkbank": own | others}
        workflow.write("own.yaml", json.dumps({"transcripts": transcripts}))

    configure()
    # Only what the configuration names is read.
    workflow.write("results/transcripts/talkbank/Eng-NA/Left.zip", "of an earlier configuration")
    run = ("--cores", "2", "--configfile", "own.yaml", "--", "results/corpus/utterances.parquet")
    assert_secret(workflow.snakemake(*run).stdout)
    read = pd.read_parquet(workflow.folder / "results/corpus/transcripts.parquet")
    assert sorted(read["transcript"]) == ["Brown/one", "Brown/two", "Clark/one", "Clark/two"]
    assert json.loads(workflow.read("results/corpus/files.json"))["rejected"] == 0
    assert "Nothing to be done" in workflow.snakemake(*run).stdout
    configure(corpora=["Eng-NA/Nobody"])
    done = workflow.snakemake(*run, check=False)
    assert done.returncode == 1
    assert "Eng-NA/Nobody: no such corpus" in done.stdout
    assert "Traceback" not in done.stdout
