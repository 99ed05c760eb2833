"""Corpora of CHILDES from TalkBank into a folder, as <collection>/<corpus>.zip, each locked to what it was."""

import os
from pathlib import Path

from ...errors import UserError
from ...integrity import sha256_of
from ...logs import logger
from ...network.archive import Archive, BadArchive, inspect
from .client import NoCorpus, TalkBankClient, count_transcripts
from .lock import LOCK_NAME, locked, read_lock, write_lock
from .settings import TalkBankSettings


def download(settings: TalkBankSettings, folder: str | Path) -> list[Path]:
    """Bring every corpus of `settings` into `folder` and return the archives, sorted.

    The lock file in `folder` says what each archive was when it came. What is there and as it was is not asked
    for again; with everything there, nothing is asked at all, and no login is needed.

    Raises:
        UserError: no login, a corpus that cannot be had, or an archive that is not what it was.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TalkBankClient(settings) as client:
            return _Download(client, folder).run(settings.corpora)
    except OSError as error:  # a full disk, a folder that cannot be written
        raise UserError(f"{error.filename or folder}: {error.strerror or error}") from None


def manifest(archives: list[Path], folder: str | Path) -> list[dict]:
    """What `archives` below `folder` are, by their lock: path relative to `folder`, bytes, sha256."""
    folder = Path(folder)
    entries = read_lock(folder / LOCK_NAME).archives
    rows = []
    for path in archives:
        archive = path.relative_to(folder)
        entry = entries[archive.with_suffix("").as_posix()]
        rows.append({"archive": archive.as_posix(), "bytes": entry.bytes, "sha256": entry.sha256})
    return rows


class _Download:
    def __init__(self, client: TalkBankClient, folder: Path):
        self._client = client
        self._folder = folder
        self._lock_path = folder / LOCK_NAME
        self._lock = read_lock(self._lock_path)

    def run(self, names: list[str]) -> list[Path]:
        """The archives of corpora and whole collections, sorted."""
        named = {name for name in names if "/" in name}
        found = {corpus for name in sorted(set(names) - named) for corpus in self._corpora_of(name)}
        wanted = sorted(named | found)
        archives = []
        for number, corpus in enumerate(wanted, 1):
            try:
                archives.append(self._bring(corpus, f"{number} of {len(wanted)}"))
            except NoCorpus as missing:
                if corpus in named:
                    raise UserError(f"{missing}; {self._choices(corpus)}") from None
                self._leave_out(corpus, missing)
        return sorted(archives)

    def _path(self, corpus: str) -> Path:
        return self._folder / f"{corpus}.zip"

    def _corpora_of(self, collection: str) -> list[str]:
        """The corpora of a collection, locked too: one that is added later must not change the data unasked."""
        if not self._lock.collections.get(collection):
            names = self._client.corpora(collection)
            if not names:
                raise _nothing_in(collection)
            logger.info("%s: %d corpora", collection, len(names))
            self._lock.collections[collection] = names
            write_lock(self._lock, self._lock_path)
        return [f"{collection}/{name}" for name in self._lock.collections[collection]]

    def _leave_out(self, corpus: str, reason: NoCorpus) -> None:
        """Take a link that is no corpus out of its collection."""
        logger.warning("%s: left out", reason)
        collection, name = corpus.split("/")
        self._lock.collections[collection].remove(name)
        write_lock(self._lock, self._lock_path)
        if not self._lock.collections[collection]:
            raise _nothing_in(collection)

    def _bring(self, corpus: str, place: str) -> Path:
        """Have the archive of a corpus at its place; returns that place."""
        path = self._path(corpus)
        if path.exists():
            self._check(corpus, path)
            logger.info("%s: already there (%s)", corpus, place)
            return path
        part = path.with_name(f"{path.name}.part")
        part.parent.mkdir(exist_ok=True)
        try:
            archive = self._client.fetch(corpus, part)
            self._compare(corpus, archive)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        self._enter(corpus, archive)
        logger.info(
            "%s: %d transcripts, %.1f MB (%s)", corpus, count_transcripts(archive), archive.bytes / 1e6, place
        )
        return path

    def _check(self, corpus: str, path: Path) -> None:
        """An archive that is there must be the locked one; one that nobody has locked is locked now."""
        entry = self._lock.archives.get(corpus)
        if entry is None:
            self._enter(corpus, _sound(path))
        elif (found := sha256_of(path)) != entry.sha256:
            raise UserError(
                f"{path} has sha256 {found}, and {self._lock_path} has {entry.sha256}: it was damaged or "
                f"replaced; delete it to fetch it again, or delete the entry of {corpus} there to keep it as it is"
            )

    def _compare(self, corpus: str, archive: Archive) -> None:
        """A fresh archive must hold what the locked one held."""
        entry = self._lock.archives.get(corpus)
        if entry is None or archive.sha256 == entry.sha256:
            return
        if archive.contents == entry.contents:
            logger.info("%s: the locked files in another packing", corpus)
            return
        raise UserError(
            f"{corpus}: TalkBank's archive now has sha256 {archive.sha256}, and {self._lock_path} has "
            f"{entry.sha256}: delete its entry there to accept the new version, or put the old archive at "
            f"{self._path(corpus)}"
        )

    def _enter(self, corpus: str, archive: Archive) -> None:
        self._lock.archives[corpus] = locked(self._client.url(corpus), archive)
        write_lock(self._lock, self._lock_path)

    def _choices(self, corpus: str) -> str:
        collection = corpus.split("/")[0]
        try:
            names = self._client.corpora(collection)
        except UserError:
            names = []
        return f"the collection has: {', '.join(names)}" if names else "see the names on https://talkbank.org"


def _sound(path: Path) -> Archive:
    try:
        archive = inspect(path)
    except BadArchive as damage:
        raise UserError(f"{path}: {damage}; delete it to fetch it again") from None
    if not count_transcripts(archive):
        raise UserError(f"{path}: there is no .cha file in it; delete it to fetch it again")
    return archive


def _nothing_in(collection: str) -> UserError:
    return UserError(
        f"{collection}: no corpora are to be found on TalkBank's page of the collection; "
        f"name them one by one, as {collection}/Brown"
    )
