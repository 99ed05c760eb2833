"""Settings of the download from TalkBank."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeFloat

from ...network.settings import NetworkSettings, SafeUrl
from ...settings import UnorderedList

_NAME = r"^\w[\w-]*$"
Name = Annotated[str, Field(pattern=_NAME)]
"""A collection's or a corpus' own name: one part of a URL and of a path, never more than that."""


def is_name(text: str) -> bool:
    """Whether `text` can be the name of a collection or a corpus."""
    return bool(re.fullmatch(_NAME, text))


def _collection_or_corpus(text: str) -> str:
    if text.count("/") > 1 or not all(is_name(part) for part in text.split("/")):
        raise ValueError(f"{text!r} is neither a collection (as Eng-NA) nor a corpus of one (as Eng-NA/Brown)")
    return text


class TalkBankSettings(NetworkSettings):
    """Which corpora of CHILDES are downloaded, and how patiently."""

    corpora: UnorderedList[Annotated[str, AfterValidator(_collection_or_corpus)]] = Field(min_length=1)
    """Corpora (`Eng-NA/Brown`) and whole collections (`Eng-NA`), as TalkBank names them."""
    pause_s: NonNegativeFloat = 2.0
    """Seconds between one archive and the next, out of politeness."""
    data_url: SafeUrl = "https://talkbank.org/data/childes"
    """Where the collections lie."""
    login_url: SafeUrl = "https://sla2.talkbank.org/logInUser"
    """Where the login goes; its host is the machine that is looked for in ~/.netrc."""
