"""childes-db's rows to the tables that CHAT files give (transcripts/tables.py).

childes-db keeps words and no CHAT, so its text is not that of the CHAT file: utterances are not split at pauses,
retraced words stay, a corrected word is the one that was spoken, and there are no commas; releases before 2026.1
also keep fragments of words. The target child is known by childes-db's own participant; in releases before 2026.1
the children of a corpus whose names its headers lack are one.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from ...errors import UserError
from ...logs import progress
from ..chat import TARGET_CHILD, speaker_code, target_children
from ..children import child_key
from ..exchanges import UNIDENTIFIED
from ..tables import SAID, CorpusWriter, Rows
from ..tiers import clean_word
from . import RAW_SCHEMA

DAYS_PER_MONTH = 365.25 / 12
"""With these months childes-db counts an age of years, months and days in days."""
_PARTS = pads.partitioning(pa.schema([RAW_SCHEMA.field("corpus")]))
_ORDER = [(name, "ascending") for name in ("filename", "transcript_id", "utterance_order")]
_TRANSCRIPTS_PER_GROUP = 64


def read_utterances(
    file: Path, utterances: Path, transcripts: Path, rejected: Path, *, max_rejected_share: float
) -> dict[str, int]:
    """Map the rows of `file` (RAW_SCHEMA, any order) into the tables `utterances`, `transcripts` and `rejected`.

    A transcript in which two utterances have one place, or one has none, is rejected. One corpus is in memory at a
    time. The order is that of corpora, file names and places, so two runs write the same bytes.

    Returns:
        The counts that `corpus.read_corpus` gives, with transcripts as its files.

    Raises:
        UserError: `file` is no such table, more than `max_rejected_share` of the transcripts are rejected, or no
            utterance with a word is left.
    """
    rows = _open(file)
    with (
        tempfile.TemporaryDirectory(dir=utterances.parent, prefix=".childes_db-") as scratch,
        CorpusWriter(utterances, transcripts, rejected) as tables,
        progress(description="transcripts", unit="file") as bar,
    ):
        for corpus, table in _corpora(rows, scratch):
            names, disordered = _names(table), _disordered(table)
            refused = [(names[key], corpus, "utterances without a clear order") for key in disordered]
            bar.update(tables.write(*Rows().tables(), refused))
            for said, read in _map(_transcripts(table), corpus, names, disordered):
                bar.update(tables.write(said, read, ()))
    return tables.finish(max_rejected_share, "choose another version of childes-db")


def utterance_text(gloss: str | None, kind: str | None) -> str:
    """childes-db's words and type of an utterance as clean text: (`doggy xxx`, `question`) -> `doggy ?`.

    Empty if there is no intelligible word.
    """
    text = " ".join(filter(None, map(clean_word, (gloss or "").split()))).strip(", ")
    return f"{text} {_terminator(kind or '')}" if text else ""


def transcript_name(corpus: str, transcript_id: int, filename: str | None) -> str:
    """`Corpus/path` as a CHAT file gives it: `Eng-NA/Brown/Adam/020304.xml` -> `Brown/Adam/020304`."""
    path = (filename or str(transcript_id)).removesuffix(".xml").removesuffix(".cha")
    parts = PurePosixPath(path).parts
    inner = parts[parts.index(corpus) + 1 :] if corpus in parts else parts
    return "/".join([corpus, *inner])


def _terminator(kind: str) -> str:
    """. ? or ! for a type such as `trail off question` or `imperative_emphatic`."""
    return "?" if "question" in kind else "!" if "imperative" in kind or "exclamation" in kind else "."


def _open(file: Path) -> pads.Dataset:
    try:
        rows = pads.dataset(file, format="parquet")
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{file}: no parquet file; delete it, so that childes-db is fetched again") from error
    if missing := sorted(set(RAW_SCHEMA.names) - set(rows.schema.names)):
        raise UserError(f"{file}: no {', '.join(missing)}; delete it, so that childes-db is fetched again")
    return rows


def _corpora(rows: pads.Dataset, scratch: str) -> Iterator[tuple[str, pa.Table]]:
    """Each corpus, by name, and its rows in order; parted on disk first, since they come in any order."""
    pads.write_dataset(rows, scratch, format="parquet", partitioning=_PARTS)
    parted = pads.dataset(scratch, format="parquet", partitioning=_PARTS)
    keys = [pads.get_partition_keys(part.partition_expression) for part in parted.get_fragments()]
    for corpus in sorted({key["corpus"] for key in keys}):
        table = parted.to_table(filter=pc.field("corpus") == corpus)
        yield corpus, table.sort_by(_ORDER).combine_chunks()


def _names(table: pa.Table) -> dict[int, str]:
    """Transcript id -> name; those that would share a name have the id behind it."""
    heads = table.group_by(["corpus", "transcript_id", "filename"]).aggregate([]).to_pylist()
    names = {head["transcript_id"]: transcript_name(**head) for head in heads}
    uses = Counter(names.values())
    return {key: name if uses[name] == 1 else f"{name}-{key}" for key, name in names.items()}


def _disordered(table: pa.Table) -> list[int]:
    """Ids of the transcripts in which a place is missing or given twice, ascending."""
    transcript = table["transcript_id"].to_numpy()
    place = pc.fill_null(table["utterance_order"], -1).to_numpy()
    again = (transcript[1:] == transcript[:-1]) & (place[1:] == place[:-1])
    return np.union1d(transcript[1:][again], transcript[place < 0]).tolist()


def _transcripts(table: pa.Table) -> Iterator[list[dict]]:
    """The rows of each transcript in turn."""
    ids = table["transcript_id"].to_numpy()
    ends = [*(np.flatnonzero(ids[1:] != ids[:-1]) + 1), len(ids)]
    begin = 0
    for end in ends:
        yield table.slice(begin, end - begin).to_pylist()
        begin = end


def _map(
    transcripts: Iterator[list[dict]], corpus: str, names: dict[int, str], disordered: list[int]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The utterances and transcripts, a few transcripts at a time."""
    rows, held = Rows(), 0
    for said in transcripts:
        key = said[0]["transcript_id"]
        if key in disordered:
            continue
        child = _target_child(said)
        texts = [utterance_text(row["gloss"], row["type"]) for row in said]
        kept = [row for row, text in zip(said, texts, strict=True) if text]
        speakers = [speaker_code(row["speaker_code"] or "", child) for row in kept]
        roles = [row["speaker_role"] or UNIDENTIFIED for row in kept]
        head = _head(said[0], corpus, names[key])
        spoken = pa.table([speakers, roles, list(filter(None, texts))], schema=SAID)
        rows.add(head, spoken, kept=len(kept), empty=len(said) - len(kept))
        held += 1
        if held == _TRANSCRIPTS_PER_GROUP:
            yield rows.tables()
            rows, held = Rows(), 0
    if held:
        yield rows.tables()


def _target_child(said: list[dict]) -> str:
    """The code that becomes CHI, chosen as for a CHAT file (chat.read_chat)."""
    codes = Counter(row["speaker_code"] for row in said if row["speaker_role"] == TARGET_CHILD)
    return target_children(codes, codes)[0]


def _head(row: dict, corpus: str, name: str) -> tuple[str, str, str, float | None]:
    """Transcript, corpus, child and age in months."""
    child, days = row["target_child_id"], row["target_child_age"]
    # A letter before the number: a key without one is taken for an unnamed child's (children.join_unnamed).
    key = child_key(corpus, name, "") if child is None else f"{corpus}/child{child}"
    return name, corpus, key, round(days / DAYS_PER_MONTH, 2) if days else None  # 0: unknown
