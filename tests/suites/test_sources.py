"""Where suites come from: what each declares, what is taken, and what is said of a suite that cannot be had."""

import json
import os
from base64 import b64decode
from pathlib import Path

import pytest

from babylogue.configuration import load_configuration
from babylogue.errors import UserError
from babylogue.report.tables import missing_table, sources_table
from babylogue.suites import registry
from babylogue.suites.availability import Absent, Missing, Place, locate, missing
from babylogue.suites.origins import describe, release_digest
from babylogue.suites.releases import RELEASES, address
from babylogue.suites.settings import SuiteSettings
from babylogue.suites.sources import Source
from support.configurations import DEFAULT, changed

MIRROR = Path(os.environ.get("BABYLOGUE_MIRROR", "data"))
SOURCES = {
    f"{name}-{number}": source
    for name in registry.NAMES
    for number, source in enumerate(registry.load(name).sources)
}
ZORRO = registry.load("zorro")
# `zip -X -P BabyLM2025` of evaluation_data/fast_eval/ewok_fast/spatial-relations.jsonl with one invented item.
EWOK_ZIP = b64decode(
    "UEsDBBQACQAIAEN4dl2+hiqhcQAAAMAAAAA7AAAAZXZhbHVhdGlvbl9kYXRhL2Zhc3RfZXZhbC9ld29rX2Zhc3Qvc3BhdGlhbC1y"
    "ZWxhdGlvbnMuanNvbmyE9EnqljFg6qOB11LzZXZt7EMaLO2AP/0W6yAnFXbcsIdlyWvCfbo3xvj5vw4pZA5CcGcZP9BE8pEoC1N/"
    "G1ltGgyjkdCU2K1Ec5AWZLLTjICFDOdvs0p3ma+G6NVW3kFSc6IemYB2YZVZktNT2MBIclBLBwi+hiqhcQAAAMAAAABQSwECHgMU"
    "AAkACABDeHZdvoYqoXEAAADAAAAAOwAAAAAAAAABAAAApIEAAAAAZXZhbHVhdGlvbl9kYXRhL2Zhc3RfZXZhbC9ld29rX2Zhc3Qv"
    "c3BhdGlhbC1yZWxhdGlvbnMuanNvbmxQSwUGAAAAAAEAAQBpAAAA2gAAAAAA"
)


def put(folder: Path, *names: str, text: str = "bad .\ngood .\n") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


# --- what is declared ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_source_says_where_it_comes_from(source):
    assert source.home
    assert source.licence
    release = RELEASES[source.release]
    assert release.url.startswith("https://")
    assert (source.access == "token") == (release.token is not None)
    if release.folders:
        assert any(source.path.startswith(f"{folder}/") for folder in release.folders.values())


def test_a_suite_has_one_release():
    for name in registry.NAMES:
        assert len({source.release for source in registry.load(name).sources}) <= 1


@pytest.mark.parametrize(
    "source", [pytest.param(source, id=name) for name, source in SOURCES.items() if source.sha256]
)
def test_pinned_digests_are_those_of_the_release(source):
    files = sorted(MIRROR.glob(source.path))
    if not files:
        pytest.skip(f"no {source.path} in {MIRROR}; set BABYLOGUE_MIRROR to a folder that holds the benchmarks")
    assert (len(files), release_digest(files)) == (source.count, source.sha256)


def test_digest_is_of_names_and_contents_whatever_the_folder(tmp_path):
    put(tmp_path, "a/x.txt", "b/c/x.txt", text="one")
    put(tmp_path, "a/y.txt", text="two")
    first, same, other = (tmp_path / name for name in ("a/x.txt", "b/c/x.txt", "a/y.txt"))
    assert release_digest([first]) == release_digest([same])
    # printf 'x.txt %s\n' $(printf one | sha256sum | cut -d' ' -f1) | sha256sum
    assert release_digest([first]) == "9e720897a3cd28907cd5a01e038a6effcb9351c2e69062963a679be0e9491ea1"
    assert release_digest([other, first]) == release_digest([first, other])
    other.write_text("three")
    assert len({release_digest([first]), release_digest([first, other]), release_digest([other])}) == 3


# --- what is taken ------------------------------------------------------------------------------------------


def test_other_files_than_the_pinned_are_one_warning_and_a_note(tmp_path, caplog):
    put(tmp_path, "zorro/one.txt")
    digest = release_digest([tmp_path / "zorro/one.txt"])
    pinned = Source("zorro/*.txt", "somewhere", release="zorro", sha256=digest)
    same = describe(pinned, pinned.find(tmp_path))
    assert not caplog.records
    put(tmp_path, "zorro/two.txt")
    changed_files = describe(pinned, pinned.find(tmp_path))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "2 files zorro/*.txt are not the 1 of the release" in caplog.text
    place = {"folder": "data", "release": None, "url": None, "revision": None}
    table = sources_table([{"suite": "zorro", **place, "sources": [same, changed_files]}])
    assert table["as_pinned"].tolist() == [True, False]
    assert table[["files", "expected", "from"]].to_numpy().tolist() == [[1, 1, "data"], [2, 1, "data"]]


def test_what_macos_adds_to_a_folder_is_no_file_of_a_suite(tmp_path):
    folder = tmp_path / "mirror [1] * ?"
    put(folder, "zorro/one.txt")
    put(folder, "zorro/._one.txt", "zorro/.two.txt", text="\0\5\26\7")
    assert [path.name for path in ZORRO.mirror_files(folder)] == ["one.txt"]
    assert len(ZORRO.read({"mirror": ZORRO.mirror_files(folder)})) == 1


def test_an_unpinned_source_is_counted_and_what_stands_in_for_it_is_not(tmp_path, caplog):
    put(tmp_path, "aoa/wordbank.csv")
    source = Source("aoa/*.json", "somewhere", count=2, release="babylm_2025", instead="aoa/*.csv")
    assert describe(source, source.find(tmp_path))["pinned"] is None
    assert not caplog.records
    put(tmp_path, "aoa/a.json")
    assert describe(source, source.find(tmp_path))["files"] == 1
    assert "1 files match aoa/*.json, its home has 2" in caplog.text


def test_mirror_goes_before_a_download(tmp_path):
    put(tmp_path, "mirror/zorro/one.txt", "releases/zorro.json")
    settings = SuiteSettings(mirror=str(tmp_path / "mirror"))
    assert locate(ZORRO, settings, tmp_path / "releases", {}) == Place(str(tmp_path / "mirror"))
    (tmp_path / "mirror/zorro/one.txt").unlink()
    downloaded = Place(str(tmp_path / "releases/zorro"), "zorro")
    assert locate(ZORRO, settings, tmp_path / "releases", {}) == downloaded
    assert locate(ZORRO, SuiteSettings(), tmp_path / "releases", {}) == downloaded


def test_what_was_downloaded_is_there_without_download_or_token(tmp_path):
    put(tmp_path, "ewok.json", "zorro.json")
    settings = SuiteSettings(download=False)
    assert locate(registry.load("ewok"), settings, tmp_path, {}).release == "ewok"
    assert locate(ZORRO, settings, tmp_path, {}).release == "zorro"


def test_addresses_of_ones_own_go_first():
    urls = {"zorro": "https://example.org/zorro.zip"}
    assert address("zorro", urls) == urls["zorro"]
    assert address("babylm_2025", urls).startswith("https://files.osf.io/v1/resources/ryjfm/")
    assert address("ewok_vocabulary", urls).endswith("/evaluation_pipeline/ewok/vocab.txt")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"zoro": "https://example.org/z.zip"}, r"^suites\.urls\.zoro"),
        ({"zorro": "ftp://example.org/z.zip"}, r"^suites\.urls\.zorro: 'ftp://.* is no http"),
        ({"zorro": "https://me:secret@example.org/z.zip"}, r"^suites\.urls\.zorro: a login does not belong"),
    ],
)
def test_mistaken_addresses(value, message):
    with pytest.raises(UserError, match=message):
        load_configuration(changed("suites/urls", value))


# --- what cannot be had -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("ewok", SuiteSettings(), "and HF_TOKEN is not set"),
        ("zorro", SuiteSettings(download=False), "no suites.mirror with zorro/*.txt, and suites.download is off"),
        (
            "zorro",
            SuiteSettings(download=False, mirror="x"),
            "not all of zorro/*.txt is in x, and suites.d",
        ),
    ],
)
def test_why_a_suite_cannot_be_had(tmp_path, name, settings, reason):
    with pytest.raises(Absent, match=f"^{name}: ") as caught:
        locate(registry.load(name), settings, tmp_path, {"HF_TOKEN": ""})
    assert reason in caught.value.reason
    assert caught.value.home in str(caught.value)


def test_a_token_opens_the_gated_suite(tmp_path):
    assert locate(registry.load("ewok"), SuiteSettings(), tmp_path, {"HF_TOKEN": "hf_x"}).release == "ewok"
    assert not missing(["ewok"], SuiteSettings(), tmp_path, {"HF_TOKEN": "hf_x"})


def test_a_suite_of_others_is_missing_by_the_name_of_its_part(tmp_path):
    for task in registry.GLUE_TASKS:
        if task != "multirc":
            stem = f"evaluation_data/full_eval/glue_filtered/{task}"
            put(tmp_path, f"{stem}.train.jsonl", f"{stem}.valid.jsonl")
    put(tmp_path, "evaluation_data/full_eval/aoa/cdi_human.csv")
    settings = SuiteSettings(mirror=str(tmp_path), download=False)
    found = missing(["glue", "glue_rte", "aoa", "toy_grammar"], settings, tmp_path / "releases", {})
    assert list(found) == ["glue", "aoa"]
    assert found["glue"].reason.startswith("its part glue_multirc: not all of ")
    assert found["aoa"].reason.startswith("its part aoa_surprisal: not all of ")
    assert "osf.io" in found["aoa"].home
    put(tmp_path, "evaluation_data/full_eval/aoa/cdi_childes.json")
    assert list(missing(["aoa", "glue"], settings, tmp_path / "releases", {})) == ["glue"]


def test_missing_suites_are_a_table_even_where_there_are_none():
    one = Missing("ewok", "HF_TOKEN is not set", "https://example.org")
    assert missing_table([vars(one)]).to_dict("records") == [vars(one)]
    assert missing_table([]).columns.tolist() == ["suite", "reason", "home"]
    assert sources_table([]).empty


def test_default_configuration_touches_no_home(tmp_path):
    configuration = load_configuration(json.loads(json.dumps(DEFAULT)))
    for *_, suite in configuration.scores():
        assert not registry.load(suite).sources
    assert configuration.suites.download


def test_zipped_ewok_is_read_without_a_plain_copy(tmp_path):
    target = tmp_path / "evaluation_data/fast_eval/ewok_fast.zip"
    target.parent.mkdir(parents=True)
    target.write_bytes(EWOK_ZIP)
    suite = registry.load("ewok_fast")
    items = suite.read({"mirror": suite.mirror_files(tmp_path)})
    assert items["contexts"].tolist() == [["the cup is on the box ."] * 2]
    assert items["candidates"].iloc[0] == [" the box is under the cup .", " the box is on the cup ."]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ewok_fast.zip"]
    target.write_bytes(b"PK nothing")
    with pytest.raises(UserError, match=r"ewok_fast\.zip: not a zip that opens"):
        suite.read({"mirror": suite.mirror_files(tmp_path)})
