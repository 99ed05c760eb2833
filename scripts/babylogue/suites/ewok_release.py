"""EWoK core 1.0 as BabyLM 2025 filters it, from the gated home with the user's token.

The rules are those of the pipeline's script ewok/dl_and_filter.py: an item stays if every word of its contexts and
targets is in the pipeline's vocabulary; each is written twice, the second time with contexts and targets swapped.
The pipeline splits words with NLTK; `words` follows its rules for plain English sentences, and SIZES, the numbers
that the pipeline's collation wants, tell whether the same items came out.
"""

import json
import os
import re
import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from huggingface_hub import hf_hub_download
from huggingface_hub.constants import ENDPOINT
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import disable_progress_bars

from ..errors import UserError
from ..integrity import sha256_of
from ..logs import logger
from ..network.bounded_hub import bound_hub
from ..network.download import download_text
from ..network.settings import NetworkSettings
from .release_files import LEAVE_OUT, publish
from .releases import RELEASES, TOKEN

REPOSITORY = "ewok-core/ewok-core-1.0"
FILE = "data/test/ewok-core-1.0.parquet"
FOLDER = "evaluation_data/full_eval/ewok_filtered"
SIZES = {
    "agent-properties": 2210,
    "material-dynamics": 770,
    "material-properties": 170,
    "physical-dynamics": 120,
    "physical-interactions": 556,
    "physical-relations": 818,
    "quantitative-properties": 314,
    "social-interactions": 294,
    "social-properties": 328,
    "social-relations": 1548,
    "spatial-relations": 490,
}
_PAIRS = (("Context1", "Context2"), ("Target1", "Target2"))
_CLITIC = r"(?:n't|'(?:s|m|d|ll|re|ve))\b"
_WORD = re.compile(rf"{_CLITIC}|\w+(?:[-']\w+)*?(?={_CLITIC})|\w+(?:-\w+)*|[^\w\s]")


def words(text: str) -> list[str]:
    """The lower-cased words and marks of a text, as NLTK's word_tokenize splits plain English."""
    return _WORD.findall(text.lower().replace("cannot", "can not"))


def bring_ewok(folder: Path, vocabulary_url: str, network: NetworkSettings) -> dict:
    """Write a JSON-lines file a domain below `folder`, whole or not at all.

    Returns:
        What it was made of: url, revision, date, sha256 of the file that was downloaded.

    Raises:
        UserError: no token, terms that are not accepted, or a home that does not answer.
    """
    file = _download()
    vocabulary = set(download_text(vocabulary_url, network).split())
    domains = filtered(pd.read_parquet(file), vocabulary)
    sizes = {domain: len(records) for domain, records in domains.items()}
    if sizes != SIZES:
        logger.warning(
            "ewok: the filter leaves other numbers of items than BabyLM's: %s",
            ", ".join(f"{name} {sizes.get(name, 0)}, not {SIZES.get(name, 0)}"
                      for name in sorted(SIZES.keys() | sizes) if sizes.get(name, 0) != SIZES.get(name, 0)),
        )  # fmt: skip
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        staging = Path(scratch, "files")
        (staging / FOLDER).mkdir(parents=True)
        for domain, records in domains.items():
            lines = "".join(json.dumps(record) + "\n" for record in records)
            (staging / FOLDER / f"{domain}.jsonl").write_text(lines, encoding="utf-8")
        publish(staging, folder)
    release = RELEASES["ewok"]
    return {
        "url": release.url,
        "revision": release.revision,
        "date": datetime.now(UTC).date().isoformat(),
        "bytes": file.stat().st_size,
        "sha256": sha256_of(file),
    }


def filtered(table: pd.DataFrame, vocabulary: set[str]) -> dict[str, list[dict]]:
    """Domain -> its items, each followed by its swapped twin, in the order of the table."""
    domains = defaultdict(list)
    for record in table.to_dict("records"):
        if all(word in vocabulary for pair in _PAIRS for field in pair for word in words(record[field])):
            swapped = {new: record[old] for pair in _PAIRS for new, old in zip(pair, reversed(pair), strict=True)}
            domains[record["Domain"]] += [record, record | swapped]
    return dict(domains)


def _download() -> Path:
    """The gated file in the Hub's own cache."""
    if not os.environ.get(TOKEN):
        raise UserError(f"{TOKEN}: not set; EWoK is given out to those who accept its terms at {_home()}")
    disable_progress_bars()
    bound_hub()
    try:
        path = hf_hub_download(
            REPOSITORY,
            FILE,
            repo_type="dataset",
            revision=RELEASES["ewok"].revision,
            token=os.environ[TOKEN],
            endpoint=ENDPOINT,
        )
    except HfHubHTTPError as error:
        status = error.response.status_code
        what = {
            401: f"{TOKEN} is not valid",
            403: f"accept the terms at {_home()} with the account that {TOKEN} belongs to",
        }
        raise UserError(f"EWoK: the Hub refuses: {what.get(status, f'status {status}')}; {LEAVE_OUT}") from None
    except OSError as error:  # no connection, and nothing in the cache
        raise UserError(f"EWoK: {_home()} does not answer ({type(error).__name__}); {LEAVE_OUT}") from None
    return Path(path)


def _home() -> str:
    return RELEASES["ewok"].url
