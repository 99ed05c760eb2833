"""Pairwise ranking by the teacher: does the reply answer its own prompt rather than another one?"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from ...errors import UserError
from ...teacher.draws import own_generator
from ...teacher.lm import TeacherModel
from .base import Reward, RewardInputs, remembered

RIVALS = 4  # other prompts that a prompt is ranked against; each costs a pass of the teacher


def ranking(inputs: RewardInputs) -> Reward:
    """Mean probability that the reply r belongs to its prompt p rather than to a rival prompt q: 0 to 1.

    Each pair is the Bradley-Terry probability sigmoid(log t(r | p) - log t(r | q)) of the teacher t, which is what
    it believes of two prompts equally likely before; a rank over all prompts would be a discrete form of its mean.
    Both sides have the same reply, so that neither its length nor its frequency pays: `yeah .` gets 0.5. (The
    mutual information objective of Li et al. 2016, arXiv 1510.03055, in pairs. The teacher's ranking of replies to
    one prompt, by contrast, is `confidence`.)

    Raises UserError where there are not two prompts.
    """
    teacher = TeacherModel(inputs.teacher, inputs.batch_size, inputs.device)
    scores = remembered(lambda pairs: teacher.log_probabilities(*zip(*pairs, strict=True))[0])
    pool = list(dict.fromkeys(inputs.prompts))
    if len(pool) < 2:
        raise UserError(f"reward ranking needs two prompts or more, and there are {len(pool)}")

    def reward(prompts: Sequence[str], replies: Sequence[str]) -> np.ndarray:
        asked = [(prompt, *rivals(prompt, pool)) for prompt in prompts]
        pairs = [(prompt, reply) for row, reply in zip(asked, replies, strict=True) for prompt in row]
        sums = np.array(scores(pairs)).reshape(len(replies), -1)  # (n, 1 + rivals)
        return expit(sums[:, :1] - sums[:, 1:]).mean(axis=1)

    return reward


def rivals(prompt: str, pool: Sequence[str]) -> list[str]:
    """`RIVALS` other prompts of the pool, or all others if it has fewer; always the same for a prompt."""
    others = [other for other in pool if other != prompt]
    chosen = own_generator(0, prompt, 0).permutation(len(others))[:RIVALS]
    return [others[index] for index in chosen]
