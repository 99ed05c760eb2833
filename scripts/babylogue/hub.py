"""Publishing a run on the Hugging Face Hub: one repository, one branch a checkpoint, a model card on each.

The Hub reads scores from the metadata of the card, and takes them for those of the weights beside it. So only the
checkpoint that has been scored has them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from .errors import UserError
from .logs import logger
from .network.bounded_hub import bound_hub
from .settings import Settings

MAIN = "final"
"""The checkpoint that the branch main has."""


class HubSettings(Settings):
    """Where `push` publishes models; nothing is published unless it is asked for by name."""

    namespace: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """User or organisation on the Hub that the repositories belong to."""
    private: bool = True
    """Whether a repository that is made is private."""
    license: str | None = None
    """The Hub's name of the licence for the model card, such as cc-by-nc-sa-3.0, which CHILDES is under."""


def push_run(
    repository: str, checkpoints: Mapping[str, Path], *, card: str, judged: str, settings: HubSettings
) -> dict[str, str]:
    """Upload every checkpoint to a branch of its name, and `final` to main as well.

    Args:
        repository: owner/name.
        checkpoints: name -> model folder.
        card: the model card, with or without metadata in front; the licence of the settings goes into them.
        judged: the checkpoint that the scores in the card's metadata are of; elsewhere these are left out.

    Returns:
        branch -> address of the commit.

    Raises:
        UserError: there is no token, or the Hub refuses.
    """
    if not os.environ.get("HF_TOKEN"):
        raise UserError(
            "HF_TOKEN: not set; make a token with write access at https://huggingface.co/settings/tokens"
        )
    from huggingface_hub import CommitOperationAdd, HfApi, ModelCard
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    bound_hub()
    api = HfApi(ENDPOINT, token=os.environ["HF_TOKEN"])
    scored, unscored = ModelCard(card), ModelCard(card)
    unscored.data.eval_results = unscored.data.model_name = None  # model-index, the two together
    for described in (scored, unscored):
        if settings.license:
            described.data.license = settings.license
    branches = {name: name for name in checkpoints} | ({"main": MAIN} if MAIN in checkpoints else {})
    commits = {}
    try:
        api.create_repo(repository, private=settings.private, exist_ok=True)
        for branch, checkpoint in branches.items():
            if branch != "main":
                api.create_branch(repository, branch=branch, exist_ok=True)
            described = scored if checkpoint == judged else unscored
            files = {file.name: file for file in sorted(checkpoints[checkpoint].iterdir())} | {
                "README.md": str(described).encode()
            }
            commit = api.create_commit(
                repository,
                [CommitOperationAdd(path_in_repo=name, path_or_fileobj=file) for name, file in files.items()],
                commit_message=f"Checkpoint {checkpoint}",
                revision=branch,
            )
            commits[branch] = commit.commit_url
            logger.info("%s: %s", branch, commit.commit_url)
    except HfHubHTTPError as error:
        status = error.response.status_code
        what = {401: "HF_TOKEN is not valid", 403: f"HF_TOKEN has no right to write to {repository}"}
        raise UserError(f"the Hub refuses: {what.get(status, str(error).splitlines()[0])}") from error
    return commits
