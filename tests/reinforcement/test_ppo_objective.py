"""Each formula of PPO against a hand computation, or a loop in plain Python floats."""

import math

import numpy as np
import pytest
import torch

from babylogue.reinforcement import objective
from babylogue.reinforcement.policy import top_p_nucleus

MASK = torch.tensor([[True, True, True], [True, True, False], [True, False, False]])


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


def random(rng, *shape):
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def entries(x):
    """The sampled entries of each row, as lists of floats."""
    return [row[keep].tolist() for row, keep in zip(x, MASK, strict=True)]


def flat(x):
    """The sampled entries of all rows, as floats."""
    return x[MASK].tolist()


def test_masked_mean_leaves_out_what_was_not_sampled():
    x = torch.tensor([[1.0, 2.0, math.inf], [3.0, math.nan, 7.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert float(objective.masked_mean(x, mask)) == 2.0


@pytest.mark.parametrize("shift_mean", [True, False])
def test_whiten(rng, shift_mean):
    x = random(rng, 3, 3) * 4 + 10
    whitened = objective.whiten(x, MASK, shift_mean=shift_mean)
    plain = np.array(flat(x))
    expected = (plain - plain.mean()) / plain.std() + (0 if shift_mean else plain.mean())
    np.testing.assert_allclose(flat(whitened), expected, rtol=1e-6)
    assert (whitened[~MASK] == 0).all()


def test_kl_estimates_by_hand():
    p, q = torch.tensor([0.5]).log(), torch.tensor([0.25]).log()
    assert float(objective.kl_k1(p, q)) == pytest.approx(math.log(2))
    assert float(objective.kl_k3(p, q)) == pytest.approx(0.5 - 1 + math.log(2))
    assert float(objective.kl_abs(q, p)) == pytest.approx(math.log(2))


def test_kl_estimates_have_the_full_kl_as_their_mean(rng):
    log_p, log_q = random(rng, 7).log_softmax(0), random(rng, 7).log_softmax(0)
    full = float(objective.kl_full(log_p, log_q))
    p, q = log_p.exp().tolist(), log_q.exp().tolist()
    assert full == pytest.approx(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    for estimate in (objective.kl_k1, objective.kl_k3):
        assert float((log_p.exp() * estimate(log_p, log_q)).sum()) == pytest.approx(full)


def test_entropy_and_full_kl_within_a_nucleus():
    logits = torch.tensor([1.0, 1.0, float("-inf")], requires_grad=True)
    log_p = logits.log_softmax(0)
    value = objective.entropy(log_p)
    value.backward()
    assert value.item() == pytest.approx(math.log(2))
    assert torch.isfinite(logits.grad).all()
    log_q = torch.tensor([0.75, 0.25, 0.0]).log()
    expected = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert float(objective.kl_full(log_p.detach(), log_q)) == pytest.approx(expected)


def test_nucleus_is_the_smallest_set_that_holds_top_p():
    log_p = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.97, 0.01, 0.01, 0.01]]).log()
    assert top_p_nucleus(log_p, 0.7).tolist() == [[False, True, False, True], [True, False, False, False]]
    assert top_p_nucleus(log_p, 1e-6).sum(dim=1).tolist() == [1, 1]


def test_scores_without_length_by_hand():
    """Each score less what others earn at its length; half or double of it weighs exp(-(log 2 / 0.2)^2 / 2)."""
    lengths = torch.tensor([1, 1, 2, 4])
    scores = torch.tensor([2.0, 4.0, 3.0, 7.0], dtype=torch.float64)
    expected = torch.tensor([1.0, 1.0, 2.0, 2.0], dtype=torch.float64)
    one, two, three, four = -1.5, 0.5, -1.5, 2.5  # beyond what is expected, less its mean of 2.5
    near = math.exp(-((math.log(2) / 0.2) ** 2) / 2)
    far = math.exp(-((math.log(4) / 0.2) ** 2) / 2)
    of_length = np.array(
        [
            (two + three * near + four * far) / (1 + near + far + 1),
            (one + three * near + four * far) / (1 + near + far + 1),
            (one + two + four) * near / (3 * near + 1),
            (three * near + (one + two) * far) / (near + 2 * far + 1),
        ]
    )
    found = objective.without_length(scores, expected, lengths)
    np.testing.assert_allclose(found, scores.numpy() - of_length + of_length.mean())
    assert float(found.mean()) == pytest.approx(4)


LENGTHS = torch.tensor([2] * 25 + [3] * 9 + [4] * 7 + [5] * 7 + [6] * 4 + [7, 7, 8, 8, 9, 10, 12, 14, 17, 20])


@pytest.mark.parametrize("of_length", [lambda n: n.log(), lambda n: -n.log(), lambda n: (n <= 2).double()])
def test_a_score_of_length_alone_is_nearly_gone(of_length):
    scores = of_length(LENGTHS.double())
    left = objective.without_length(scores, torch.zeros_like(scores), LENGTHS)
    assert left.var() < 0.1 * scores.var()


def test_a_score_without_length_in_it_stays_nearly_as_it_is(rng):
    scores = random(rng, len(LENGTHS))
    left = objective.without_length(scores, torch.zeros_like(scores), LENGTHS)
    assert np.corrcoef(left, scores)[0, 1] > 0.95 and left.var() > 0.9 * scores.var()


def test_prompts_that_call_for_length_and_earn_much_make_no_length_pay(rng):
    """Within a prompt length earns nothing; only with what the prompt lets expect does control leave it so."""
    of_prompt = random(rng, 400).repeat_interleave(2)
    lengths = (1 + (of_prompt + 0.5 * random(rng, 800)).exp() * 3).round().clamp(1, 20)
    scores = of_prompt + random(rng, 800)

    def within(aims):
        pairs = [(x.view(-1, 2)[:, 0] - x.view(-1, 2)[:, 1]).numpy() for x in (aims, lengths.log())]
        return np.corrcoef(*pairs)[0, 1]

    assert abs(within(scores)) < 0.1
    assert abs(within(objective.without_length(scores, of_prompt, lengths))) < 0.1
    assert within(objective.without_length(scores, torch.zeros_like(scores), lengths)) < -0.2


def test_token_rewards_put_the_score_on_the_last_action():
    kl = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 99.0], [1.0, 99.0, 99.0]])
    rewards = objective.token_rewards(torch.tensor([10.0, 20.0, 30.0]), kl, 0.1, MASK)
    expected = torch.tensor([[-0.1, -0.2, 9.7], [-0.1, 19.8, 0.0], [29.9, 0.0, 0.0]])
    torch.testing.assert_close(rewards, expected)


def test_advantages_by_hand():
    rewards, values = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 1.5]])
    actions = torch.tensor([[True, True]])
    advantages, returns = objective.advantages_and_returns(rewards, values, actions, gamma=0.9, gae_lambda=0.5)
    last = 2 - 1.5
    first = 1 + 0.9 * 1.5 - 0.5 + 0.9 * 0.5 * last
    torch.testing.assert_close(advantages, torch.tensor([[first, last]]))
    torch.testing.assert_close(returns, torch.tensor([[first + 0.5, last + 1.5]]))


def test_advantages_are_the_weighted_sum_of_errors_to_come(rng):
    rewards, values = random(rng, 3, 3), random(rng, 3, 3)
    gamma, lam = 0.93, 0.7
    advantages, returns = objective.advantages_and_returns(rewards, values, MASK, gamma=gamma, gae_lambda=lam)
    for row, (r, v) in enumerate(zip(entries(rewards), entries(values), strict=True)):
        errors = [r[t] + gamma * ([*v, 0.0])[t + 1] - v[t] for t in range(len(r))]
        for t in range(len(r)):
            expected = sum((gamma * lam) ** k * errors[t + k] for k in range(len(r) - t))
            assert float(advantages[row, t]) == pytest.approx(expected)
            assert float(returns[row, t]) == pytest.approx(expected + v[t])
    assert (advantages[~MASK] == 0).all() and (returns[~MASK] == 0).all()


def test_lambda_one_is_the_discounted_return_less_the_value(rng):
    rewards, values = random(rng, 3, 3), random(rng, 3, 3)
    _, returns = objective.advantages_and_returns(rewards, values, MASK, gamma=1.0, gae_lambda=1.0)
    for row, r in enumerate(entries(rewards)):
        assert float(returns[row, 0]) == pytest.approx(sum(r))


def test_policy_loss_and_its_gradient(rng):
    old, advantages = random(rng, 3, 3), random(rng, 3, 3)
    new = (old + 0.4 * random(rng, 3, 3)).requires_grad_()
    clip = 0.2
    result = objective.policy_loss(new, old, advantages, MASK, clip)
    result.loss.backward()
    losses, clipped, gradients = [], 0, {}
    for row, column in MASK.nonzero().tolist():
        ratio = math.exp((new[row, column] - old[row, column]).item())
        advantage = float(advantages[row, column])
        kept = min(max(ratio, 1 - clip), 1 + clip)
        losses.append(-min(ratio * advantage, kept * advantage))
        decided = kept * advantage < ratio * advantage
        clipped += decided
        gradients[row, column] = 0.0 if decided else -ratio * advantage / int(MASK.sum())
    assert result.loss.item() == pytest.approx(np.mean(losses))
    assert float(result.clip_share) == pytest.approx(clipped / len(losses))
    assert 0 < clipped < len(losses)
    assert float(result.max_ratio) == pytest.approx(max(math.exp(x) for x in flat(new.detach() - old)))
    for row in range(3):
        for column in range(3):
            assert float(new.grad[row, column]) == pytest.approx(gradients.get((row, column), 0.0))


def test_value_loss(rng):
    old, returns = random(rng, 3, 3), random(rng, 3, 3)
    new = old + 0.5 * random(rng, 3, 3)
    losses = []
    for v, o, r in zip(flat(new), flat(old), flat(returns), strict=True):
        kept = min(max(v, o - 0.2), o + 0.2)
        losses.append(max((v - r) ** 2, (kept - r) ** 2))
    assert float(objective.value_loss(new, old, returns, MASK, 0.2)) == pytest.approx(0.5 * np.mean(losses))


def test_value_error_is_the_root_of_the_mean_square(rng):
    values, returns = random(rng, 3, 3), random(rng, 3, 3)
    squares = [(v - r) ** 2 for v, r in zip(flat(values), flat(returns), strict=True)]
    assert objective.value_error(values, returns, MASK) == pytest.approx(math.sqrt(sum(squares) / 6))


def test_explained_variance():
    returns = torch.tensor([[1.0, 2.0, 3.0]])
    actions = torch.ones(1, 3, dtype=torch.bool)
    assert objective.explained_variance(returns, returns, actions) == pytest.approx(1)
    assert objective.explained_variance(torch.zeros(1, 3), returns, actions) == pytest.approx(0)
    assert math.isnan(objective.explained_variance(returns, torch.ones(1, 3), actions))


def test_adaptive_kl_moves_towards_its_target():
    controller = objective.AdaptiveKL(0.2, target=6.0, horizon=100)
    controller.update(6.6, episodes=10)
    assert controller.coefficient == pytest.approx(0.2 * 1.01)
    controller.update(60.0, episodes=10)
    assert controller.coefficient == pytest.approx(0.2 * 1.01 * 1.02)
    controller.update(-1.0, episodes=10)
    assert controller.coefficient == pytest.approx(0.2 * 1.01 * 1.02 * 0.98)


def test_fixed_kl_stays():
    controller = objective.FixedKL(0.3)
    controller.update(60.0, episodes=10)
    assert controller.coefficient == 0.3
