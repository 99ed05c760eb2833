"""Rewards: how good each reply to a prompt is, four ways, by name (Padovani et al. 2025, section 3.3).

A reward is called as `reward(prompts, replies)` with turns such as `*MOT: what is that ?` and replies without
their tag, such as `a dog .`, and gives one float64 each, in order. A reply without words gets the reward's lowest
value. To add one: write a function from `RewardInputs` to a reward, and name it in `REWARDS`.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..dialogue import words
from ..errors import UserError
from ..teacher.prompts import chat_form

Reward = Callable[[Sequence[str], Sequence[str]], np.ndarray]

REMEMBERED = 200_000  # values of a frozen model that are kept: replies such as `yeah .` come again and again
ROUNDING = 1e-3  # nats; two passes over one text differ by less, so that equal replies count as equal


@dataclass(frozen=True)
class RewardInputs:
    """What rewards are made from; each reward needs some of it (`RewardKind.needs`)."""

    references: pd.DataFrame | None = None
    """Teacher replies: columns prompt, sample, reply, log_probability, tokens; several samples a prompt."""
    teacher: Path | None = None
    """Model folder of the teacher."""
    judge: Path | None = None
    """Model folder of the judge."""
    embedder: Path | None = None
    """Sentence-transformers folder."""
    batch_size: int = 64
    """Replies that a model reads at once."""
    device: str | None = None
    """Where models run; None takes CUDA where there is one."""


@dataclass(frozen=True)
class RewardKind:
    """A reward's builder and the fields of `RewardInputs` that it reads."""

    build: Callable[[RewardInputs], Reward]
    needs: tuple[str, ...]


def bleu(inputs: RewardInputs) -> Reward:
    """BLEU-1 against the reference (sacrebleu, smoothed, brevity penalty), words alone, lower case: 0 to 1."""
    from sacrebleu.metrics import BLEU

    metric = BLEU(max_ngram_order=1, effective_order=True, smooth_method="exp", tokenize="none")
    references = {prompt: " ".join(words(text)) for prompt, text in first_references(inputs.references).items()}

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        wanted = look_up(references, prompts)
        scores = [
            metric.sentence_score(" ".join(words(reply)), [reference]).score
            for reply, reference in zip(replies, wanted, strict=True)
        ]
        return np.array(scores, dtype=np.float64) / 100

    return with_floor(reward, 0.0)


def semantic_similarity(inputs: RewardInputs) -> Reward:
    """Cosine of the sentence embeddings of reply and reference, both in CHAT form: -1 to 1."""
    from ..teacher.embedder import Embedder

    embedder = Embedder(inputs.embedder, inputs.batch_size, inputs.device)
    references = first_references(inputs.references)
    vectors = remembered(lambda texts: embedder.vectors(texts).astype(np.float64))

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        wanted = look_up(references, prompts)
        both = np.stack(vectors([*replies, *wanted])) if replies else np.zeros((0, 1))
        return (both[: len(replies)] * both[len(replies) :]).sum(axis=1)

    return with_floor(reward, -1.0)


def llm_score(inputs: RewardInputs) -> Reward:
    """The judge's expected score for contextual appropriateness and fluency: 0 to 5, as in the paper."""
    from ..teacher.judge import Judge

    judge = Judge(inputs.judge, inputs.batch_size, inputs.device)
    scores = remembered(lambda pairs: judge.scores(*zip(*pairs, strict=True)))

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        return np.array(scores(list(zip(prompts, replies, strict=True))), dtype=np.float64)

    return with_floor(reward, 0.0)


def confidence(inputs: RewardInputs) -> Reward:
    """Rank of the reply among the teacher's own by log-probability a token: -1 to 1 (`ranks`)."""
    return _confidence(inputs, normalised=True)


def confidence_sum(inputs: RewardInputs) -> Reward:
    """`confidence` by summed log-probability, as published; short replies win."""
    return _confidence(inputs, normalised=False)


REWARDS: dict[str, RewardKind] = {
    "bleu": RewardKind(bleu, needs=("references",)),
    "semsim": RewardKind(semantic_similarity, needs=("references", "embedder")),
    "llm_score": RewardKind(llm_score, needs=("judge",)),
    "confidence": RewardKind(confidence, needs=("references", "teacher")),
    "confidence_sum": RewardKind(confidence_sum, needs=("references", "teacher")),
}


def build_reward(name: str, inputs: RewardInputs) -> Reward:
    """The reward `name`. Raises UserError for an unknown name or an input that it needs and was not given."""
    if name not in REWARDS:
        raise UserError(f"there is no reward {name!r}: take one of {', '.join(REWARDS)}")
    missing = [need for need in REWARDS[name].needs if getattr(inputs, need) is None]
    if missing:
        raise UserError(f"reward {name} needs {' and '.join(missing)}")
    return REWARDS[name].build(inputs)


def first_references(references: pd.DataFrame) -> dict[str, str]:
    """The single reference of each prompt in CHAT form: the teacher's first sample that has words, else empty."""
    ordered = references.sort_values("sample", kind="stable")
    first: dict[str, str] = {}
    for prompt, reply in zip(ordered["prompt"], ordered["reply"], strict=True):
        if not first.get(prompt):
            first[prompt] = chat_form(reply)
    return first


def look_up(references: dict, prompts: Sequence[str]) -> list:
    """Each prompt's entry. Raises UserError that names the first prompt without one."""
    try:
        return [references[prompt] for prompt in prompts]
    except KeyError as error:
        raise UserError(
            f"the teacher's replies have none to the prompt {error.args[0]!r}: write them anew"
        ) from None


def ranks(values: np.ndarray, of_teacher: Sequence[np.ndarray]) -> np.ndarray:
    """r = 2 * mean_i 1[l_i <= l_baby] - 1 (the paper's reward 4) of values (n,) with their l_i (samples,)."""
    shares = [np.mean(own <= value + ROUNDING) for value, own in zip(values, of_teacher, strict=True)]
    return 2 * np.array(shares, dtype=np.float64) - 1


def with_floor(reward: Reward, lowest: float) -> Reward:
    """`reward`, asked only about replies with words; the others get `lowest`."""

    def floored(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        asked = [index for index, reply in enumerate(replies) if words(reply)]
        values = np.full(len(replies), lowest, dtype=np.float64)
        if asked:
            values[asked] = reward([prompts[index] for index in asked], [replies[index] for index in asked])
        return values

    return floored


def remembered(function: Callable[[list], Sequence]) -> Callable[[Sequence[Hashable]], list]:
    """`function` from items to a value each, asked about an item once: a value must depend on its item alone."""
    known: dict[Hashable, object] = {}

    def values(items: Sequence[Hashable]) -> list:
        new = [item for item in dict.fromkeys(items) if item not in known]
        if new:
            if len(known) > REMEMBERED:
                known.clear()
                new = list(dict.fromkeys(items))
            known.update(zip(new, function(new), strict=True))
        return [known[item] for item in items]

    return values


def _confidence(inputs: RewardInputs, *, normalised: bool) -> Reward:
    from ..teacher.lm import TeacherModel

    teacher = TeacherModel(inputs.teacher, inputs.batch_size, inputs.device)
    table = inputs.references
    own = table["log_probability"] / table["tokens"] if normalised else table["log_probability"]
    of_teacher = {prompt: group.to_numpy() for prompt, group in own.groupby(table["prompt"], sort=False)}

    def score(pairs: list[tuple[str, str]]) -> np.ndarray:
        sums, tokens = teacher.log_probabilities(*zip(*pairs, strict=True))
        return sums / tokens if normalised else sums

    scores = remembered(score)

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        wanted = look_up(of_teacher, prompts)
        return ranks(np.array(scores(list(zip(prompts, replies, strict=True)))), wanted)

    return with_floor(reward, -1.0)
