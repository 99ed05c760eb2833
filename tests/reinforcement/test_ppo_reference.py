"""Whole steps of PPO in float64 against an implementation of its own: rows and tokens one by one, no cache."""

import copy
import math

import numpy as np
import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from babylogue.reinforcement import ppo
from babylogue.reinforcement.corpus import corpus_batches
from support.tiny_ppo import PROMPTS, ball, quick, tiny_llama, tiny_tokenizer

CORPUS = "*CHI: a dog . *MOT: what ?"
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's


class Reference:
    """A policy with its value head, its optimiser and the model that it started from."""

    def __init__(self, model, settings):
        self.model, self.settings = model, settings
        self.start = copy.deepcopy(model).requires_grad_(False)
        self.head = torch.zeros(model.config.hidden_size, dtype=torch.float64, requires_grad=True)
        self.bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
        self.parameters = [*model.parameters(), self.head, self.bias]
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters]
        self.updates, self.kl_coefficient, self.log = 0, settings.kl_coefficient, []

    def logits_and_states(self, model, ids, at):
        output = model(torch.tensor([ids]), output_hidden_states=True)
        return output.logits[0, at] / self.settings.temperature, output.hidden_states[-1][0, at]

    def nucleus(self, logits):
        """The most probable tokens that hold top_p."""
        p, kept, held = logits.softmax(-1).tolist(), [], 0.0
        for token in sorted(range(len(p)), key=lambda token: -p[token]):
            kept.append(token)
            held += p[token]
            if held >= self.settings.top_p:
                return kept
        return kept

    def actions(self, ids, length):
        """Of each sampled token: the position before it, the token, and the tokens that it was drawn from."""
        places = range(len(ids) - length, len(ids))
        with torch.no_grad():
            return [
                (at - 1, ids[at], self.nucleus(self.logits_and_states(self.model, ids, at - 1)[0]))
                for at in places
            ]

    def distribution(self, model, ids, action):
        """Log-probability of the token, the distribution's entropy, and the value."""
        at, token, nucleus = action
        logits, state = self.logits_and_states(model, ids, at)
        log_p = logits[nucleus] - logits[nucleus].exp().sum().log()
        return log_p[nucleus.index(token)], -(log_p.exp() * log_p).sum(), state @ self.head + self.bias

    def without_length(self, scores, expected, said, lengths):
        """Of those that count: less what the others earn at such a length, at the same mean over all."""
        rows = np.flatnonzero(said)
        if not len(rows):
            return np.array(scores)
        surplus = {row: scores[row] - expected[row] for row in rows}
        mean = np.mean(list(surplus.values()))
        of_length = {}
        for row in rows:
            total, weights = 0.0, 1.0
            for other in rows:
                if other != row:
                    near = math.exp(-((math.log(lengths[row] / lengths[other]) / 0.2) ** 2) / 2)
                    total, weights = total + near * (surplus[other] - mean), weights + near
            of_length[row] = total / weights
        shift = np.mean(list(of_length.values()))
        return np.array(
            [score - of_length[row] + shift if row in of_length else score for row, score in enumerate(scores)]
        )

    def whitened(self, rewards):
        """All rewards of a rollout at variance 1, the mean as it was."""
        if not self.settings.whiten_rewards:
            return rewards
        flat = np.concatenate(rewards)
        return [[(r - flat.mean()) / math.sqrt(flat.var() + 1e-8) + flat.mean() for r in row] for row in rewards]

    def step(self, replies, scores, said, minibatches):
        """`replies`: ids with the prompt, and how many were sampled; `said`: which ended and have words."""
        s = self.settings
        acts = [self.actions(ids, length) for ids, length in replies]
        with torch.no_grad():
            if not self.updates:  # the mean return of a token, at which there is no KL yet
                bare = self.whitened(
                    [[0.0] * (len(own) - 1) + [score] for own, score in zip(acts, scores, strict=True)]
                )
                returns = [
                    sum(s.gamma**k * r for k, r in enumerate(row[t:])) for row in bare for t in range(len(row))
                ]
                self.bias.fill_(float(np.mean(returns)))
            old = [
                [self.distribution(self.model, ids, a) for a in own]
                for (ids, _), own in zip(replies, acts, strict=True)
            ]
            then = [
                [self.distribution(self.start, ids, a)[0] for a in own]
                for (ids, _), own in zip(replies, acts, strict=True)
            ]
        gaps = [
            [float(o[0] - q) for o, q in zip(row, base, strict=True)] for row, base in zip(old, then, strict=True)
        ]
        expected = [0.0 if s.whiten_rewards else float(row[0][2]) for row in old]
        scores = self.without_length(scores, expected, said, [length for _, length in replies])
        rewards = [[-self.kl_coefficient * gap for gap in row] for row in gaps]
        for row, score in zip(rewards, scores, strict=True):
            row[-1] += score
        rewards = self.whitened(rewards)
        advantages = []
        for row, known in zip(rewards, old, strict=True):
            values = [float(o[2]) for o in known] + [0.0]
            errors = [r + s.gamma * values[t + 1] - values[t] for t, r in enumerate(row)]
            advantages.append(
                [
                    sum((s.gamma * s.gae_lambda) ** k * error for k, error in enumerate(errors[t:]))
                    for t in range(len(row))
                ]
            )
        flat = np.concatenate(advantages)
        for rows in minibatches:
            terms = []
            for row in rows:
                for t, action in enumerate(acts[row]):
                    log_p, entropy, value = self.distribution(self.model, replies[row][0], action)
                    before, goal = float(old[row][t][2]), advantages[row][t] + float(old[row][t][2])
                    advantage = (advantages[row][t] - flat.mean()) / math.sqrt(flat.var() + 1e-8)
                    ratio = (log_p - old[row][t][0]).exp()
                    gain = torch.min(
                        ratio * advantage, ratio.clamp(1 - s.clip_range, 1 + s.clip_range) * advantage
                    )
                    near = value.clamp(before - s.value_clip_range, before + s.value_clip_range)
                    error = torch.max((value - goal) ** 2, (near - goal) ** 2)
                    terms.append(-gain + s.value_coefficient * 0.5 * error - s.entropy_coefficient * entropy)
            self.apply(torch.stack(terms).mean() + s.language_model_coefficient * self.corpus_loss())
        kl = float(np.mean([sum(row) for row in gaps]))
        self.log.append((kl, self.kl_coefficient))
        self.kl_coefficient *= 1 + np.clip(kl / s.kl_target - 1, -0.2, 0.2) * len(replies) / s.kl_horizon

    def corpus_loss(self):
        """Of the one text that the corpus has, its end included."""
        log_p = self.model(torch.tensor([self.corpus])).logits[0].log_softmax(-1)
        return -torch.stack([log_p[at, token] for at, token in enumerate(self.corpus[1:])]).mean()

    def apply(self, loss):
        """A step of Adam with a clipped gradient."""
        gradients = torch.autograd.grad(loss, self.parameters)
        norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
        scale = min(1.0, self.settings.max_gradient_norm / (norm + 1e-6))  # as torch does it
        self.updates += 1
        with torch.no_grad():
            for p, g, (m, v) in zip(self.parameters, gradients, self.moments, strict=True):
                m.mul_(BETA1).add_((1 - BETA1) * scale * g)
                v.mul_(BETA2).add_((1 - BETA2) * (scale * g) ** 2)
                mean, square = m / (1 - BETA1**self.updates), v / (1 - BETA2**self.updates)
                p -= self.settings.learning_rate * mean / (square.sqrt() + EPSILON)


@pytest.fixture(autouse=True)
def full_precision(monkeypatch):
    """Llama's norm and loss are in float32 whatever the model is in, and Adam makes much of small differences."""

    def norm(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + self.variance_epsilon)

    monkeypatch.setattr(LlamaRMSNorm, "forward", norm)
    upcast = torch.Tensor.float  # transformers takes the logits of its loss to float32, which here is down
    monkeypatch.setattr(torch.Tensor, "float", lambda x: x if x.dtype == torch.float64 else upcast(x))


@pytest.mark.parametrize(("top_p", "whiten_rewards"), [(1.0, True), (0.7, False)])
def test_whole_steps_end_in_the_weights_of_an_independent_ppo(top_p, whiten_rewards, monkeypatch):
    """Rollouts and minibatches are taken over; probabilities, rewards, advantages, losses and Adam are its own."""
    tokenizer = tiny_tokenizer()
    settings = quick(
        prompts=18, batch_size=6, minibatch_size=3, epochs_per_batch=2, learning_rate=5e-3, max_gradient_norm=0.5,
        temperature=0.8, top_p=top_p, gamma=0.9, gae_lambda=0.8, value_coefficient=0.4, entropy_coefficient=0.05,
        language_model_coefficient=0.3, kl_coefficient=0.4, kl_target=0.2, kl_horizon=30,
        whiten_rewards=whiten_rewards, length_control=True,
    )  # fmt: skip
    rollouts, minibatches = [], []

    def recorded(function, notes, what):
        def call(*arguments, **named):
            result = function(*arguments, **named)
            notes.append(what(arguments, result))
            return result

        return call

    monkeypatch.setattr(ppo, "sample", recorded(ppo.sample, rollouts, lambda _, rollout: rollout))
    monkeypatch.setattr(
        ppo, "minibatch_loss", recorded(ppo.minibatch_loss, minibatches, lambda given, _: list(given[3]))
    )
    model = tiny_llama(tokenizer).double()
    reference = Reference(copy.deepcopy(model), settings)
    reference.corpus = [*tokenizer(CORPUS)["input_ids"], tokenizer.eos_token_id]
    result = ppo.train(model, tokenizer, PROMPTS, ball, settings, seed=0, corpus_texts=[CORPUS])

    for step, rollout in enumerate(rollouts[:-1]):
        replies = [
            (ids[mask.bool()].tolist(), int(length))
            for ids, mask, length in zip(
                rollout.input_ids, rollout.attention_mask, rollout.actions.sum(dim=1), strict=True
            )
        ]
        worded = [any(map(str.isalpha, reply)) for reply in rollout.replies]
        said = rollout.finished.numpy() & np.array(worded)
        scores = np.where(rollout.finished, ball(PROMPTS, rollout.replies), -1.0)
        reference.step(replies, scores, said, minibatches[4 * step : 4 * step + 4])
    assert len(rollouts) == 4 and len(minibatches) == 12
    assert any(bool(rollout.finished.any()) and not rollout.finished.all() for rollout in rollouts)
    kls, coefficients = zip(*reference.log, strict=True)
    np.testing.assert_allclose(result.log["kl_k1"][:3], kls, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(result.log["kl_coefficient"][:3], coefficients, rtol=1e-7)
    start = tiny_llama(tokenizer).double().state_dict()
    for name, weight in reference.model.state_dict().items():
        torch.testing.assert_close(result.final[name], weight, rtol=0, atol=1e-7, msg=name)
        assert (result.final[name] - start[name]).abs().max() > 1e-2


def test_corpus_batches_by_hand():
    """Whole texts with their end, cut to the context, padding in no loss; every text comes."""
    tokenizer = tiny_tokenizer()
    end, texts = tokenizer.eos_token_id, ["*CHI: no .", "*MOT: what is that ?"]
    short, long = ([*tokenizer(text)["input_ids"], end] for text in texts)
    assert tokenizer.convert_ids_to_tokens(short) == ["<s>", "*CHI:", "no", ".", "</s>"]
    rng = np.random.default_rng(0)
    batches = corpus_batches(tokenizer, texts, size=2, max_tokens=6, device=torch.device("cpu"), rng=rng)
    seen = set()
    for _ in range(8):
        batch = next(batches)
        columns = (batch[name].tolist() for name in ("input_ids", "attention_mask", "labels"))
        for ids, mask, labels in zip(*columns, strict=True):
            text = ids[: sum(mask)]
            assert text in (short, long[:6])
            assert mask == [1] * len(text) + [0] * (len(ids) - len(text))
            assert labels == text + [-100] * (len(ids) - len(text))
            seen.add(len(text))
    assert seen == {5, 6}


def test_the_corpus_loss_is_weighed_by_its_coefficient(monkeypatch):
    """With one text, the gradient of a step is that of the policy alone plus the coefficient times the text's."""
    tokenizer = tiny_tokenizer()
    ids = torch.tensor([[*tokenizer(CORPUS)["input_ids"], tokenizer.eos_token_id]])
    model = tiny_llama(tokenizer).double()
    model(input_ids=ids, labels=ids).loss.backward()
    of_text = {name: p.grad.clone() for name, p in model.named_parameters()}

    def first_gradient(coefficient):
        """The gradient before it is clipped, and the log."""
        noted = {}

        def keep(parameters, _):
            noted.setdefault("gradient", [p.grad.clone() for p in parameters])
            return torch.zeros(())

        monkeypatch.setattr(
            torch.nn.utils, "clip_grad_norm_", lambda parameters, norm: keep(list(parameters), norm)
        )
        model = tiny_llama(tokenizer).double()
        settings = quick(prompts=16, minibatch_size=16, language_model_coefficient=coefficient)
        log = ppo.train(model, tokenizer, PROMPTS, ball, settings, seed=0, corpus_texts=[CORPUS]).log
        return dict(zip((name for name, _ in model.named_parameters()), noted["gradient"], strict=False)), log

    with_text, log = first_gradient(0.25)
    without, bare = first_gradient(0.0)
    assert log["language_model_loss"].notna()[0] and bare["language_model_loss"].isna().all()
    for name, gradient in with_text.items():
        torch.testing.assert_close(gradient, without[name] + 0.25 * of_text[name], rtol=1e-6, atol=1e-9)
