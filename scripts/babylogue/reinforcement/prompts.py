"""Prompts of rollouts: caregiver turns of the tune part that no natural pair uses (Padovani et al. 2025, 3)."""

from collections.abc import Iterable, Sequence

import pandas as pd
import pyarrow as pa

from ..dialogue import CHILD, speaker_tag, write_turn
from ..errors import UserError
from ..logs import logger
from ..preferences.exchanges import find_exchanges
from ..preferences.tuning import reserved_for_rollouts, validation_families
from ..preferences.tuning_settings import TuningSettings
from ..tokenizer.loading import encode_open

MOST_HELD_OUT = 100  # prompts: what an evaluation costs does not grow with the run


def rollout_prompts(
    triplets: pa.Table, families: pd.Series, tuning: TuningSettings, *, count: int, seed: int
) -> pd.DataFrame:
    """`count` different prompts in random order, one column `prompt`; fewer, with a warning, if there are fewer.

    They are turns reserved for rollouts that no validation child hears.

    Args:
        triplets: of the tune part.
        families: transcript -> family of its child.

    Raises:
        UserError: there is none.
    """
    exchanges = find_exchanges(triplets)
    turns = exchanges["turn"].str.casefold()
    owners = families.loc[exchanges["transcript"]].to_numpy()
    of_validation = pd.Series(owners).isin(validation_families(exchanges, families, tuning)).to_numpy()
    free = reserved_for_rollouts(exchanges["turn"], tuning) & ~turns.isin(turns[of_validation]).to_numpy()
    exchanges = exchanges[free]
    prompts = pd.Series([write_turn(*pair) for pair in zip(exchanges["speaker"], exchanges["turn"], strict=True)])
    prompts = prompts.drop_duplicates()
    if prompts.empty:
        raise UserError(
            "tuning.rollout_share: the tune part has no caregiver turn for rollouts; raise it or add transcripts"
        )
    if len(prompts) < count:
        logger.warning(
            "teacher.rollouts.prompts: %d asked for, %d there; a larger tuning.rollout_share gives more",
            count,
            len(prompts),
        )
    drawn = prompts.sample(n=min(count, len(prompts)), random_state=seed)
    return pd.DataFrame({"prompt": drawn.to_numpy()})


def hold_out(prompts: Sequence[str], share: float) -> tuple[list[str], list[str]]:
    """The prompts of the rollouts, and the last ones, which none has: one to MOST_HELD_OUT, if the share is not 0.

    Raises:
        UserError: none is left for the rollouts.
    """
    held_out = min(MOST_HELD_OUT, max(1, round(share * len(prompts)))) if share else 0
    if held_out >= len(prompts):
        raise UserError(
            f"of {len(prompts)} prompts {held_out} are held out, which leaves none: raise "
            "teacher.rollouts.prompts, or lower held_out_prompts or max_new_tokens"
        )
    cut = len(prompts) - held_out
    return list(prompts[:cut]), list(prompts[cut:])


def fitting_prompts(prompts: Iterable[str], tokenizer, max_tokens: int) -> list[str]:
    """The prompts that leave room for a reply: at most `max_tokens` with the child's tag."""
    prompts = list(prompts)
    encoded = encode_open(tokenizer, [f"{prompt} {speaker_tag(CHILD)}" for prompt in prompts])
    fitting = [prompt for prompt, ids in zip(prompts, encoded, strict=True) if len(ids) <= max_tokens]
    if len(fitting) < len(prompts):
        logger.warning(
            "%d prompts are longer than %d tokens and left out", len(prompts) - len(fitting), max_tokens
        )
    return fitting
