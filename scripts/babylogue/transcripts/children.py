"""Which child a transcript is of, so that splits can keep children apart.

Headers name the child in some corpora only. Where they do not, the key errs on the side of putting two
children together: that costs a little freedom in the split and never leaks.
"""

import re
from pathlib import PurePosixPath

_NO_NAME = {"", "child", "target_child", "chi", "unidentified"}


def child_key(corpus: str, transcript: str, name: str) -> str:
    """A key of the target child, `Corpus/key`.

    Args:
        corpus: corpus name.
        transcript: path such as `HSLLD/HV1/BR/jenbr1`.
        name: the child's name in @Participants, may be empty.

    The header's name; else a folder that is a person's (it has letters and its files carry its first
    letters: `Brown/Adam/adam01`); else the first three letters of the file name (`jenbr1` and `jenmt2` are
    visits of one child of HSLLD), or its leading digits.
    """
    if name.casefold() not in _NO_NAME:
        return f"{corpus}/{re.sub(r'[^a-z]', '', name.casefold()) or name}"
    path = PurePosixPath(transcript)
    letters = re.match(r"[A-Za-z]*", path.name).group().casefold()
    folder = path.parent.name
    if path.parent != PurePosixPath(corpus) and letters and folder.casefold().startswith(letters[:3]):
        return f"{corpus}/{folder.casefold()}"
    digits = re.match(r"\d*", path.name).group()
    return f"{corpus}/{letters[:3] or digits or path.name}"
