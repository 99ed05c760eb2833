"""Which child a transcript is of, so that splits can keep children apart.

Headers name the child in some corpora only. Where they do not, the key errs on the side of putting two
children together: that costs a little freedom in the split, a child in two parts would cost its soundness.
"""

import re
from pathlib import PurePosixPath

import pandas as pd

_NO_NAME = {"", "child", "target_child", "chi", "unidentified"}


def child_key(corpus: str, transcript: str, name: str) -> str:
    """A key of the target child, `Corpus/key`.

    Args:
        corpus: corpus name.
        transcript: path such as `HSLLD/HV1/BR/jenbr1`.
        name: the child's name in @Participants, may be empty.

    The first three letters of the header's name (names are spelt in several ways: Nathaniel, Nathanaiel); else of
    a folder that is a person's (its files carry its first letters: `Brown/Adam/adam01`); else of the file name
    (`jenbr1` and `jenmt2` are visits of one child of HSLLD); else the folder, or the digits of the file name.
    """
    if name.casefold() not in _NO_NAME:
        return f"{corpus}/{_first_letters(name) or name}"
    path = PurePosixPath(transcript)
    letters, folder = _first_letters(path.name), path.parent.name
    nested = path.parent != PurePosixPath(corpus)
    if letters and nested and folder.casefold().startswith(letters):
        return f"{corpus}/{_first_letters(folder)}"
    digits = re.match(r"\d*", path.name).group()
    return f"{corpus}/{letters or (folder.casefold() if nested else digits or path.name)}"


def _first_letters(text: str) -> str:
    """The letters that a text begins with, three at most."""
    return re.match(r"[a-z]{0,3}", text.casefold()).group()


def join_unnamed(transcripts: pd.DataFrame) -> pd.DataFrame:
    """Give transcripts whose key has no letter to the child of their corpus that has most words.

    In corpora of one or two children (`MacWhinney/85a1`) a file named by its date alone is of one of them.

    Args:
        transcripts: corpus, child, words.
    """
    pairs = zip(transcripts["child"], transcripts["corpus"], strict=True)
    named = pd.Series(
        [any(map(str.isalpha, child.removeprefix(corpus))) for child, corpus in pairs], transcripts.index, bool
    )
    words = transcripts[named].groupby(["corpus", "child"])["words"].sum()
    largest = {corpus: own.idxmax()[1] for corpus, own in words.groupby(level="corpus")}
    return transcripts.assign(
        child=transcripts["child"].where(named, transcripts["corpus"].map(largest).fillna(transcripts["child"]))
    )
