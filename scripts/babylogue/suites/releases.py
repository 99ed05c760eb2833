"""What benchmarks are downloaded with: a few releases, each of which serves many suites."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator

TOKEN = "HF_TOKEN"
"""The environment variable with the user's token for gated data."""
ZORRO_COMMIT = "3b62dae0615dcc41114010a7ed755413e5e670db"
PIPELINE_COMMIT = "d06b5913d98af3d21c57e15ad33000afd1acc918"
Address = Literal["babylm_2025", "zorro", "ewok_vocabulary"]
"""What has an address of its own, which suites.urls may replace."""


@dataclass(frozen=True)
class Release:
    """`folders`: a folder of its zip, wherever in it, -> the folder below the mirror that its files belong to.

    `revision` is the commit that is fetched, None where the home has no versions: there the digests of the suites
    tell whether anything has changed. `token` is the environment variable without which nothing is given out.
    """

    url: str
    revision: str | None = None
    folders: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None


RELEASES = {
    # The folder evaluation_data of osf.io/ryjfm, which OSF zips when it is asked for.
    "babylm_2025": Release(
        "https://files.osf.io/v1/resources/ryjfm/providers/osfstorage/6819f54f5dc6fc2bff0a7bba/?zip=",
        folders={"full_eval": "evaluation_data/full_eval", "fast_eval": "evaluation_data/fast_eval"},
    ),
    "zorro": Release(
        f"https://github.com/phueb/Zorro/archive/{ZORRO_COMMIT}.zip",
        revision=ZORRO_COMMIT,
        folders={"sentences/babyberta": "zorro"},
    ),
    "ewok": Release(
        "https://huggingface.co/datasets/ewok-core/ewok-core-1.0",
        revision="34d912a608066c92e2990a0328ffc3bd9a716042",
        token=TOKEN,
    ),
    # Its owner has made no version of it.
    "lexical_decision": Release("https://huggingface.co/datasets/bbunzeck/lexical-decision"),
}
# The words that the pipeline lets pass when it filters EWoK for BabyLM (ewok/dl_and_filter.py).
EWOK_VOCABULARY_URL = (
    f"https://raw.githubusercontent.com/babylm/evaluation-pipeline-2025/{PIPELINE_COMMIT}"
    "/evaluation_pipeline/ewok/vocab.txt"
)


def _public_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("a login does not belong into an address")
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", url):
        raise ValueError(f"{url!r} is no http:// or https:// address")
    return url


PublicUrl = Annotated[str, AfterValidator(_public_url)]
"""An address that is asked without a login."""


def address(name: Address, urls: Mapping[str, str]) -> str:
    """The address of a release's zip or of the vocabulary; `urls` (suites.urls) goes before our own."""
    own = EWOK_VOCABULARY_URL if name == "ewok_vocabulary" else RELEASES[name].url
    return urls.get(name, own)
