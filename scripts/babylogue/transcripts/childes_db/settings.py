"""Settings of the source childes_db."""

from pydantic import Field, PositiveFloat

from ...network.settings import NetworkSettings, SafeUrl
from ...settings import UnorderedList


class ChildesDbSettings(NetworkSettings):
    """What is fetched of childes-db on Redivis, and how patiently."""

    version: str = Field(pattern=r"^\d+\.\d+$")
    """Version of the dataset, in quotes: "1.4" is childes-db 2026.1, "1.3" is 2021.1. There is no "latest", so
    that a run can be repeated."""
    collections: UnorderedList[str] = Field(min_length=1)
    """Collections by name, such as [Eng-NA, Eng-UK]; PhonBank's collection of that name is in it too."""
    corpora: UnorderedList[str] | None = Field(None, min_length=1)
    """Corpora of these collections by name; null: all."""
    dataset: str = Field("datapages.childes_db:b6q6", pattern=r"^\w+\.\w+(:\w+)?$")
    """Redivis' reference of the dataset, without version."""
    api_url: SafeUrl = "https://redivis.com/api/v1"
    """Where the API answers."""
    query_timeout_s: PositiveFloat = 1800.0
    """Seconds that Redivis may take to select the rows."""
    poll_s: PositiveFloat = 2.0
    """Seconds from one look at a running query to the next."""
