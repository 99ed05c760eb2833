"""Scores and samples of every kind of causal model against a plain forward pass of each text."""

import re

import numpy as np
import pytest
import torch

from babylogue.errors import UserError
from babylogue.reinforcement.policy import Policy, action_states, log_distribution
from babylogue.reinforcement.rollouts import sample
from babylogue.scoring.scorer import Scorer
from babylogue.teacher.causal import PrefixModel
from support.model_kinds import KINDS, VOCABULARY, WINDOW, small_model

pytestmark = pytest.mark.slow
CANNOT_BE_SCORED = {"cpmant", "xlm"}  # they see what follows
# The two, and those whose logits are not one layer's of the last hidden states.
CANNOT_BE_SAMPLED = CANNOT_BE_SCORED | {
    "bert", "camembert", "cohere", "cohere2", "data2vec-text", "electra", "gemma2", "megatron-bert",
    "modernbert-decoder", "nanochat", "recurrent_gemma", "rembert", "roberta", "roformer", "vaultgemma",
    "xlm-roberta", "xlstm",
}  # fmt: skip
# Those that have no cache, or one that rows cannot share, and those with other logits.
CANNOT_TEACH = {
    "bert", "camembert", "cohere", "cohere2", "cpmant", "data2vec-text", "electra", "falcon_mamba",
    "jamba", "mamba", "mamba2", "megatron-bert", "modernbert-decoder", "openai-gpt", "qwen3_next",
    "recurrent_gemma", "rembert", "roberta", "roformer", "rwkv", "xlm", "xlm-roberta", "xlstm",
}  # fmt: skip
CHANGES_AS_IT_GROWS = {"phi3-longrope"}  # the positions of all tokens change where a text goes beyond a length


class Numbers:
    """A tokenizer of texts of numbers, which are their own ids."""

    bos_token_id, eos_token_id, name_or_path = 1, 2, "numbers"

    def __call__(self, texts, **options):
        words = [text.split(" ") for text in texts]
        ends = [np.cumsum([len(word) + 1 for word in own]) - 1 for own in words]
        return {
            "input_ids": [list(map(int, own)) for own in words],
            "offset_mapping": [[(0, int(end)) for end in own] for own in ends],
            "special_tokens_mask": [[0] * len(own) for own in words],
        }

    def decode(self, ids, **options):
        return " ".join(map(str, ids))


def plain_log_probabilities(model, ids: list[int]) -> torch.Tensor:
    """Log-probabilities [length, vocabulary] after each token, of one text that is read by itself."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1)


def text(*runs: list[int]) -> str:
    return " ".join(map(str, np.concatenate(runs)))


def test_many_kinds_are_tried():
    assert len(KINDS) >= 40


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_one_text_at_a_time(kind):
    model, draw = small_model(kind), np.random.default_rng(1)
    if kind in CANNOT_BE_SCORED:
        with pytest.raises(UserError, match=f"{type(model).__name__}: this kind of model cannot be scored"):
            Scorer(model, Numbers())
        return
    contexts, candidates = [], []
    # Within the windows and beyond, and rows that are longer than the context where they are packed.
    for length, others in ((2, (2, 3)), (5, (3, 9, 4)), (30, (20, 35)), (70, (50, 45, 40)), (1, (3,))):
        context = text(draw.integers(3, VOCABULARY, length))
        contexts.append([context] * len(others))
        candidates.append([" " + text(draw.integers(3, VOCABULARY, other)) for other in others])
    scored = Scorer(model, Numbers()).log_probabilities(contexts, candidates)
    for context, own, found in zip(contexts, candidates, scored, strict=True):
        for candidate, score in zip(own, found.log_probability, strict=True):
            ids = list(map(int, (context[0] + candidate).split()))
            table = plain_log_probabilities(model, ids)
            start = len(context[0].split())
            expected = sum(float(table[place - 1, ids[place]]) for place in range(start, len(ids)))
            assert score == pytest.approx(expected, abs=1e-4, rel=1e-6)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in CHANGES_AS_IT_GROWS])
def test_sampled_tokens_have_the_log_probabilities_of_an_unpadded_text(kind):
    model, draw = small_model(kind), np.random.default_rng(2)
    if kind in CANNOT_BE_SAMPLED:
        with pytest.raises(UserError, match=f"{type(model).__name__}: "):
            Policy(model)
        return
    policy = Policy(model)
    prompts = [draw.integers(3, VOCABULARY, length).tolist() for length in (2, 5, 3 * WINDOW, 5)]
    rollout = sample(
        policy,
        Numbers(),
        prompts,
        stops=list(range(3, 6)),
        max_new_tokens=2 * WINDOW,
        temperature=1.0,
        top_p=1.0,
        generator=torch.Generator().manual_seed(0),
    )
    steps = rollout.actions.shape[1]
    with torch.no_grad():
        hidden = action_states(model, rollout.input_ids, rollout.attention_mask, steps)
        again = log_distribution(model, hidden, 1.0)
    for row, prompt in enumerate(prompts):
        length = int(rollout.actions[row].sum())
        tokens = rollout.tokens[row, :length].tolist()
        assert rollout.input_ids[row][rollout.attention_mask[row].bool()].tolist() == prompt + tokens
        table = plain_log_probabilities(model, prompt + tokens)[len(prompt) - 1 : -1]
        expected = table.gather(1, torch.tensor(tokens)[:, None])[:, 0]
        torch.testing.assert_close(rollout.log_probs[row, :length], expected, atol=1e-4, rtol=1e-5)
        torch.testing.assert_close(again[row, :length], table, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in CHANGES_AS_IT_GROWS])
def test_a_teacher_reads_rows_as_plain_texts_or_says_that_it_cannot(kind):
    model, draw = small_model(kind), np.random.default_rng(3)
    prefix, *rows = (draw.integers(3, VOCABULARY, length).tolist() for length in (11, 3, 20, 3, 7))
    try:
        teacher = PrefixModel(model, prefix)
    except UserError as error:
        assert re.search("not supported here|cannot be run", str(error))
        assert kind in CANNOT_TEACH
        return
    assert kind not in CANNOT_TEACH
    for batch in teacher.batches([len(row) for row in rows], 2):
        hidden, cache, mask, positions = teacher.read([rows[index][:-1] for index in batch])
        tokens = torch.tensor([rows[index][-1] for index in batch])
        mask = torch.cat([mask, mask.new_ones(len(batch), 1)], dim=1)
        last, _ = teacher.step(tokens, cache, mask, positions)
        found = torch.stack([teacher.logits(hidden[:, -1]), last], dim=1).log_softmax(-1)
        for values, index in zip(found, batch, strict=True):
            expected = plain_log_probabilities(model, prefix + rows[index])[-2:]
            torch.testing.assert_close(values, expected, atol=1e-4, rtol=1e-5)
