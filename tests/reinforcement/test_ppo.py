"""PPO as a whole: it trains on what it sampled, solves a task with a known optimum, and is watched."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from babylogue.dialogue import words
from babylogue.errors import UserError
from babylogue.reinforcement import policy as policies
from babylogue.reinforcement import ppo, rollouts
from babylogue.reinforcement.guard import Best, Guard, weights
from babylogue.reinforcement.measures import trained_on
from babylogue.reinforcement.objective import without_length
from babylogue.reinforcement.policy import Policy, action_states, log_distribution
from babylogue.reinforcement.prompts import hold_out
from babylogue.reinforcement.records import LOG_COLUMNS, describe_held_out, repeats_itself
from babylogue.reinforcement.rewards.base import RewardKind
from babylogue.reinforcement.rewards.multi import WeightedSum
from babylogue.reinforcement.rollouts import draw, encode_prompts, pad_left, sample, stop_tokens
from babylogue.reinforcement.schedules import Schedule
from babylogue.reinforcement.settings import GuardSettings, PPOSettings
from support.tiny_ppo import PROMPTS, WORDS, ball, quick, tiny_llama, tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def rollout_of(policy, tokenizer, *, prompts=PROMPTS, seed=3, max_new_tokens=12, temperature=1.0, top_p=1.0):
    encoded = encode_prompts(tokenizer, prompts, 40)
    return sample(
        policy,
        tokenizer,
        encoded,
        stops=stop_tokens(tokenizer),
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        generator=torch.Generator().manual_seed(seed),
    )


def fresh_log_probs(model, rollout, row, temperature=1.0):
    """Log-probabilities of a row's actions by an unpadded forward pass of its own, and the distributions."""
    ids = rollout.input_ids[row][rollout.attention_mask[row].bool()]
    length = int(rollout.actions[row].sum())
    with torch.no_grad():
        log_p = (model(ids[None]).logits[0] / temperature).log_softmax(-1)[-length - 1 : -1]
    return log_p.gather(1, ids[-length:, None])[:, 0], log_p


# Rollouts


def test_replies_end_at_a_tag_or_the_end_of_sequence(tokenizer):
    stops = stop_tokens(tokenizer)
    assert tokenizer.convert_ids_to_tokens(stops) == ["</s>", "*MOT:", "*CHI:", "*FAT:"]
    rollout = rollout_of(Policy(tiny_llama(tokenizer)), tokenizer, prompts=PROMPTS * 8)
    lengths = rollout.actions.sum(dim=1)
    assert len(set(lengths.tolist())) > 3 and not rollout.finished.all() and rollout.finished.any()
    for row, length in enumerate(lengths.tolist()):
        tokens = rollout.tokens[row].tolist()
        # A run of actions from the first column; attention on exactly those and the prompt.
        assert rollout.actions[row].tolist() == [column < length for column in range(len(tokens))]
        assert (
            rollout.attention_mask[row, rollout.prompt_length :].tolist() == rollout.actions[row].long().tolist()
        )
        # The stop token is the last action, and nowhere else.
        assert [token in stops for token in tokens[:length]].count(True) == int(rollout.finished[row])
        assert (tokens[length - 1] in stops) == bool(rollout.finished[row])
        said = tokens[: length - int(rollout.finished[row])]
        assert rollout.replies[row] == tokenizer.decode(said, skip_special_tokens=True).strip()
        assert "*" not in rollout.replies[row]


def test_sampled_log_probs_are_those_of_a_fresh_forward_pass(tokenizer):
    model = tiny_llama(tokenizer)
    rollout = rollout_of(Policy(model), tokenizer, temperature=0.7)
    for row in range(len(PROMPTS)):
        expected, log_p = fresh_log_probs(model, rollout, row, temperature=0.7)
        keep = rollout.actions[row]
        torch.testing.assert_close(rollout.log_probs[row][keep], expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(rollout.entropies[row][keep], -(log_p.exp() * log_p).sum(-1), atol=1e-4, rtol=0)
        assert (rollout.log_probs[row][~keep] == 0).all()


def test_draws_follow_their_probabilities():
    probabilities = torch.tensor([0.0, 0.2, 0.0, 0.5, 0.3, 0.0])
    drawn = draw(probabilities.expand(40_000, 6), torch.Generator().manual_seed(0))[:, 0]
    shares = drawn.bincount(minlength=6) / 40_000
    assert shares[[0, 2, 5]].tolist() == [0, 0, 0]
    torch.testing.assert_close(shares, probabilities, atol=0.01, rtol=0)  # four standard errors


def test_cached_sampling_is_sampling_without_cache(tokenizer):
    model = tiny_llama(tokenizer)
    rollout = rollout_of(Policy(model), tokenizer)
    input_ids, mask = pad_left(encode_prompts(tokenizer, PROMPTS, 40), model.device)
    generator = torch.Generator().manual_seed(3)
    for column in range(rollout.actions.shape[1]):
        with torch.no_grad():
            logits = model(input_ids, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)).logits
        token = draw(logits[:, -1].softmax(-1), generator)
        active = rollout.actions[:, column]
        assert token[active, 0].tolist() == rollout.tokens[active, column].tolist()
        input_ids = torch.cat([input_ids, token], dim=1)
        mask = torch.cat([mask, active[:, None].long()], dim=1)


def test_left_padding_changes_nothing(tokenizer):
    model = tiny_llama(tokenizer)
    encoded = encode_prompts(tokenizer, PROMPTS, 40)
    input_ids, mask = pad_left(encoded, model.device)
    with torch.no_grad():
        hidden = action_states(model, input_ids, mask, 2)
        padded = log_distribution(model, hidden[:, -1], 1.0)
        for row, ids in enumerate(encoded):
            alone = model(torch.tensor([ids])).logits[0, -2].log_softmax(-1)
            torch.testing.assert_close(padded[row], alone, atol=1e-5, rtol=0)


def test_select_cuts_padding_only(tokenizer):
    rollout = rollout_of(Policy(tiny_llama(tokenizer)), tokenizer, prompts=PROMPTS * 4)
    rows = [5, 1, 13]
    part = rollout.select(rows)
    assert part.attention_mask[:, 0].any() and part.actions[:, -1].any()
    for own, row in enumerate(rows):
        assert part.replies[own] == rollout.replies[row]
        kept, whole = part.attention_mask[own].bool(), rollout.attention_mask[row].bool()
        assert part.input_ids[own][kept].tolist() == rollout.input_ids[row][whole].tolist()
        torch.testing.assert_close(
            part.log_probs[own][part.actions[own]], rollout.log_probs[row][rollout.actions[row]]
        )


def test_nucleus_sampling_is_what_the_loss_sees(tokenizer):
    model = tiny_llama(tokenizer)
    rollout = rollout_of(Policy(model), tokenizer, top_p=0.6)
    for row in range(len(PROMPTS)):
        _, log_p = fresh_log_probs(model, rollout, row)
        keep = rollout.actions[row]
        nucleus = rollout.nucleus[row][keep]
        renormalised = log_p.masked_fill(~nucleus, -math.inf).log_softmax(-1)
        taken = renormalised.gather(1, rollout.tokens[row][keep][:, None])[:, 0]
        assert torch.isfinite(taken).all() and nucleus.sum() < nucleus.numel()
        torch.testing.assert_close(rollout.log_probs[row][keep], taken, atol=1e-4, rtol=0)
    settings = quick(top_p=0.6, max_new_tokens=12)
    zeros = torch.zeros_like(rollout.log_probs)
    targets = ppo.Targets(values=zeros, advantages=torch.ones_like(zeros), returns=zeros)
    _, parts = ppo.minibatch_loss(Policy(model), rollout, targets, [0, 1, 2, 3], settings)
    assert float(parts["ratio_max"]) == pytest.approx(1, abs=1e-4)


def test_in_bfloat16_the_loss_still_sees_what_was_sampled(tokenizer, monkeypatch):
    """As on a GPU: the transformer in bfloat16, the output layer, the value head and the loss in float32."""
    for module in (policies, rollouts):
        monkeypatch.setattr(module, "mixed_precision", lambda device: torch.autocast("cpu", dtype=torch.bfloat16))
    policy = Policy(tiny_llama(tokenizer))
    rollout = rollout_of(policy, tokenizer)
    assert rollout.hidden.dtype == rollout.log_probs.dtype == torch.float32
    exact, _ = fresh_log_probs(policy.language_model, rollout, 0)
    assert not torch.allclose(rollout.log_probs[0][rollout.actions[0]], exact, atol=1e-5)
    ones = torch.ones_like(rollout.log_probs)
    targets = ppo.Targets(values=ones, advantages=ones, returns=ones)
    loss, parts = ppo.minibatch_loss(policy, rollout, targets, [0, 1, 2, 3], quick(max_new_tokens=12))
    loss.backward()
    assert loss.dtype == torch.float32 and float(parts["clip_share"]) == 0
    assert float(parts["ratio_max"]) == pytest.approx(1, abs=0.1)
    assert all(p.grad.dtype == torch.float32 and torch.isfinite(p.grad).all() for p in policy.parameters())


def test_same_seed_same_rollout(tokenizer):
    policy = Policy(tiny_llama(tokenizer))
    one, two, other = (rollout_of(policy, tokenizer, seed=seed) for seed in (3, 3, 4))
    assert one.replies == two.replies and torch.equal(one.log_probs, two.log_probs)
    assert one.replies != other.replies


def test_prompts_that_cannot_be_used(tokenizer):
    with pytest.raises(UserError, match="'\\*MOT: what is that \\?' has 7 tokens"):
        encode_prompts(tokenizer, PROMPTS, 6)
    bare = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"<pad>": 0, "go": 1}, unk_token="<pad>")), pad_token="<pad>"
    )
    with pytest.raises(UserError, match="no single token \\*CHI:"):
        encode_prompts(bare, PROMPTS, 40)


# The update


def test_the_whole_loss_against_an_independent_one_in_float64(tokenizer):
    """Loss and gradient of a minibatch against row-by-row forward passes and loops over tokens."""
    model = tiny_llama(tokenizer).double()
    policy = Policy(model)
    rollout = rollout_of(policy, tokenizer)
    settings = quick(entropy_coefficient=0.05, value_coefficient=0.3, temperature=1.0, max_new_tokens=12)
    generator = torch.Generator().manual_seed(8)
    shape = rollout.log_probs.shape
    noise = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(5)]
    rollout.log_probs = rollout.log_probs + 0.3 * noise[0]  # as if the policy had moved since sampling
    torch.nn.init.normal_(policy.value_head.weight, generator=generator)
    targets = ppo.Targets(values=policy.values(rollout.hidden).detach() + 0.3 * noise[1], advantages=noise[2],
                          returns=noise[3])  # fmt: skip
    rows = [2, 0, 3]

    loss, _ = ppo.minibatch_loss(policy, rollout, targets, rows, settings)
    loss.backward()
    gradients = {name: p.grad.clone() for name, p in policy.named_parameters()}
    policy.zero_grad()

    terms = []
    for row in rows:
        ids = rollout.input_ids[row][rollout.attention_mask[row].bool()]
        length = int(rollout.actions[row].sum())
        output = model(ids[None], output_hidden_states=True)
        for t in range(length):
            at = len(ids) - length + t - 1
            p = output.logits[0, at].softmax(-1)
            ratio = p[ids[at + 1]] / rollout.log_probs[row, t].exp()
            advantage = targets.advantages[row, t]
            gain = torch.min(ratio * advantage, torch.clamp(ratio, 0.8, 1.2) * advantage)
            value = (output.hidden_states[-1][0, at] * policy.value_head.weight[0]).sum() + policy.value_head.bias[
                0
            ]
            old, goal = targets.values[row, t], targets.returns[row, t]
            kept = torch.min(torch.max(value, old - 0.2), old + 0.2)
            error = torch.max((value - goal) ** 2, (kept - goal) ** 2)
            terms.append(-gain + 0.3 * 0.5 * error + 0.05 * (p * p.log()).sum())
    expected = torch.stack(terms).mean()
    expected.backward()

    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    for name, parameter in policy.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-7, atol=1e-10, msg=name)


def test_the_token_that_ends_a_reply_is_trained_on(tokenizer):
    """In a reply of that token alone, a positive advantage makes it more probable."""
    policy = Policy(tiny_llama(tokenizer))
    rollout = rollout_of(policy, tokenizer, prompts=PROMPTS * 8)
    row = next(row for row, actions in enumerate(rollout.actions) if actions.sum() == 1 and rollout.finished[row])
    assert rollout.replies[row] == "" and int(rollout.tokens[row, 0]) in stop_tokens(tokenizer)
    zeros = torch.zeros_like(rollout.log_probs)
    targets = ppo.Targets(values=zeros, advantages=torch.ones_like(zeros), returns=zeros)
    optimiser = torch.optim.SGD(policy.parameters(), lr=0.1)
    loss, _ = ppo.minibatch_loss(policy, rollout, targets, [row], quick(value_coefficient=0.0))
    loss.backward()
    optimiser.step()
    after, _ = fresh_log_probs(policy.language_model, rollout, row)
    assert after.item() > rollout.log_probs[row, 0].item() + 0.01


def test_an_unfinished_reply_earns_the_penalty(tokenizer):
    model = tiny_llama(tokenizer)
    result = ppo.train(model, tokenizer, PROMPTS, ball, quick(prompts=16, max_new_tokens=1), seed=0)
    first = result.samples[result.samples.step == 0]
    earned = first.reward.where(first.finished, -1.0)
    assert not first.finished.all()
    assert result.log.reward_mean[0] == pytest.approx(earned.mean())


# The loop


def test_a_task_with_a_known_optimum_is_solved(tokenizer):
    model = tiny_llama(tokenizer)
    settings = quick(
        prompts=800, learning_rate=1e-3, kl_coefficient=0.01, kl_target=None, entropy_coefficient=0.01
    )
    result = ppo.train(model, tokenizer, PROMPTS, ball, settings, seed=0)
    assert result.log["reward_mean"].iloc[:3].mean() < 0.4
    assert result.log["reward_mean"].iloc[-5:].mean() > 0.8
    assert result.stopped is None and len(result.log) == settings.steps + 1
    assert list(result.log.columns) == list(LOG_COLUMNS)
    assert len(result.samples) == (settings.steps + 1) * 16


def test_the_kl_penalty_leads_to_its_known_optimum(tokenizer):
    """With replies of one token the best policy is q(a) exp(r(a) / coefficient), normalised."""
    model = tiny_llama(tokenizer)
    prompt, target = PROMPTS[0], WORDS.index("ball") + 2
    ids = torch.tensor(encode_prompts(tokenizer, [prompt], 40))
    reference = model(ids).logits[0, -1].softmax(-1).detach()
    settings = quick(prompts=64 * 60, batch_size=64, minibatch_size=64, max_new_tokens=1, learning_rate=4e-4,
                     kl_coefficient=0.5, kl_target=None, unfinished_reward=None)  # fmt: skip
    ppo.train(model, tokenizer, [prompt], ball, settings, seed=0)
    tilted = reference * torch.where(torch.arange(len(reference)) == target, math.exp(1 / 0.5), 1.0)
    optimum = tilted / tilted.sum()
    learned = model(ids).logits[0, -1].softmax(-1).detach()

    def distance(p):
        return 0.5 * float((p - optimum).abs().sum())

    assert distance(learned) < 0.08 and distance(reference) > 0.15


def test_the_first_policy_is_its_reference_and_kl_grows_from_zero(tokenizer):
    log = ppo.train(tiny_llama(tokenizer), tokenizer, PROMPTS, ball, quick(prompts=320), seed=0).log
    for column in ("kl_k1", "kl_k3", "kl_full"):
        assert log[column][0] == pytest.approx(0, abs=1e-4)
        assert log[column].iloc[-5:].mean() > 0.05
    # The estimates and the exact value agree on average over the run.
    assert log["kl_k3"].sum() == pytest.approx(log["kl_full"].sum(), rel=0.4)


def test_same_seed_same_weights(tokenizer):
    def run(seed):
        settings = quick(prompts=64, top_p=0.9, language_model_coefficient=0.1, entropy_coefficient=0.01)
        corpus = ["*MOT: what is that ? *CHI: a ball .", "*CHI: no ."]
        model = tiny_llama(tokenizer)
        return ppo.train(model, tokenizer, PROMPTS, ball, settings, seed=seed, corpus_texts=corpus)

    one, two, other = run(1), run(1), run(2)
    assert all(torch.equal(one.final[name], two.final[name]) for name in one.final)
    assert not all(torch.equal(one.final[name], other.final[name]) for name in one.final)
    assert one.samples.equals(two.samples)


def test_the_corpus_loss_keeps_the_model_on_the_corpus(tokenizer):
    corpus = ["*CHI: a dog . *MOT: what ?"]

    def last_loss(coefficient):
        settings = quick(prompts=112, language_model_coefficient=coefficient, value_coefficient=0.0)
        result = ppo.train(tiny_llama(tokenizer), tokenizer, PROMPTS, ball, settings, seed=0, corpus_texts=corpus)
        return result.log["language_model_loss"].iloc[-2]

    assert last_loss(1.0) < 0.5 < last_loss(1e-6)


@pytest.mark.parametrize("change", [{"whiten_rewards": True}, {"kl_penalty": "k3"}, {"kl_penalty": "abs"},
                                    {"gamma": 0.5}, {"gae_lambda": 0.0}, {"value_clip_range": 0.01},
                                    {"clip_range": 0.01}, {"kl_target": None, "kl_coefficient": 2.0},
                                    {"max_gradient_norm": 1e-3}, {"temperature": 0.5}])  # fmt: skip
def test_every_setting_changes_what_is_learned(tokenizer, change):
    base = {"prompts": 32, "kl_coefficient": 0.5}
    results = [
        ppo.train(tiny_llama(tokenizer), tokenizer, PROMPTS, ball, quick(**settings), seed=0)
        for settings in (base, base | change)
    ]
    assert any(not torch.equal(results[0].final[name], results[1].final[name]) for name in results[0].final)


def test_the_adaptive_coefficient_is_logged_and_fixed_stays(tokenizer):
    settings = quick(prompts=160, kl_target=0.01, kl_horizon=100)
    adaptive = ppo.train(tiny_llama(tokenizer), tokenizer, PROMPTS, ball, settings, seed=0).log
    assert adaptive["kl_coefficient"][0] == 0.2 and adaptive["kl_coefficient"].iloc[-1] > 0.22
    fixed = ppo.train(
        tiny_llama(tokenizer), tokenizer, PROMPTS, ball, settings.model_copy(update={"kl_target": None}), seed=0
    ).log
    assert (fixed["kl_coefficient"] == 0.2).all()


def test_schedules_are_followed_and_the_loss_sees_the_distribution_of_the_step(tokenizer):
    settings = quick(
        prompts=16 * 6,
        minibatch_size=16,
        epochs_per_batch=1,
        kl_target=None,
        temperature=Schedule(values=[2.0, 0.5], steps=2),
        entropy_coefficient=Schedule(values=[0.0, 0.06], steps=6, form="line"),
        kl_coefficient=Schedule(values=[0.1, 0.4], steps=1),
    )
    log = ppo.train(tiny_llama(tokenizer), tokenizer, PROMPTS, ball, settings, seed=0).log
    assert log["temperature"].tolist() == [2, 2, 0.5, 0.5, 2, 2, 0.5]
    assert log["entropy_coefficient"].tolist() == pytest.approx([0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    assert log["kl_coefficient"].tolist() == [0.1, 0.4, 0.1, 0.4, 0.1, 0.4, 0.1]
    # A hot step explores more; and at the one update of its rollout no probability has changed yet.
    assert log["entropy"][[0, 1, 4, 5]].min() > log["entropy"][[2, 3, 6]].max()
    assert log["ratio_max"][:6].tolist() == pytest.approx([1] * 6, abs=1e-4)
    assert log["kl_full"][0] == pytest.approx(0, abs=1e-5)  # the reference has the step's temperature too


def test_a_schedule_of_one_value_is_the_number(tokenizer):
    numbers = {"temperature": 0.8, "entropy_coefficient": 0.01, "kl_coefficient": 0.3}
    schedules = {name: Schedule(values=[value, value], steps=1) for name, value in numbers.items()}
    plain, scheduled = (
        ppo.train(
            tiny_llama(tokenizer), tokenizer, PROMPTS, ball, quick(prompts=64, kl_target=None, **own), seed=0
        )
        for own in (numbers, schedules)
    )
    assert all(torch.equal(plain.final[name], scheduled.final[name]) for name in plain.final)


def test_weights_alternate_between_terms_which_the_log_names(tokenizer):
    def short(prompts, replies):
        return np.array([5.0 * (len(reply.split()) < 2) for reply in replies])

    weights = {"ball": Schedule(values=[1, 0], steps=2), "short": Schedule(values=[0, 1], steps=2)}
    reward = WeightedSum(
        {"ball": (ball, RewardKind("", (), 0, 1)), "short": (short, RewardKind("", (), 0, 5))}, weights
    )
    settings = quick(prompts=16 * 5, unfinished_reward=None)
    log = ppo.train(tiny_llama(tokenizer), tokenizer, PROMPTS, reward, settings, seed=0).log
    assert list(log) == [*LOG_COLUMNS, "weight_ball", "reward_ball", "weight_short", "reward_short"]
    assert log["weight_ball"].tolist() == [1, 1, 0, 0, 1, 1]
    expected = log["reward_ball"].where(log["weight_ball"] == 1, log["reward_short"])
    assert log["reward_mean"].tolist() == pytest.approx(expected.tolist())


def test_rewards_that_cannot_be_used(tokenizer):
    def nan(prompts, replies):
        return np.full(len(replies), math.nan)

    def scalar(prompts, replies):
        return np.array([1.0])

    for reward, message in ((nan, "must be finite"), (scalar, r"shape \(1,\) for 16 replies")):
        with pytest.raises(UserError, match=message):
            ppo.train(tiny_llama(tokenizer), tokenizer, PROMPTS, reward, quick(), seed=0)
    with pytest.raises(UserError, match="no prompts"):
        ppo.train(tiny_llama(tokenizer), tokenizer, [], ball, quick(), seed=0)
    with pytest.raises(UserError, match="needs corpus texts"):
        ppo.train(tiny_llama(tokenizer), tokenizer, PROMPTS, ball, quick(language_model_coefficient=0.1), seed=0)


def test_settings_that_contradict_each_other():
    with pytest.raises(ValidationError, match="minibatch_size 5 does not divide batch_size 16"):
        PPOSettings(minibatch_size=5)
    with pytest.raises(ValidationError, match="less than one batch"):
        PPOSettings(prompts=10)


def test_a_reply_repeats_itself_if_neighbouring_words_come_again():
    replies = "no no no .", "in there in there .", "no no .", "the dog and the cat .", "", "ball ."
    assert [repeats_itself(reply.split()[:-1]) for reply in replies] == [True, True] + [False] * 4


# The guard


def test_the_guard_averages_and_names_quantity_value_and_bound():
    guard = Guard(GuardSettings(window_steps=2, max_kl=10.0))
    assert guard.check({"kl_k1": 30.0}) is None
    reason = guard.check({"kl_k1": 2.0})
    assert "KL" in reason and "16 over the last 2 steps" in reason and "max_kl 10" in reason
    assert guard.check({"kl_k1": 4.0}) is None
    guard = Guard(GuardSettings(window_steps=1))
    assert "entropy" in guard.check({"entropy": 0.1}) and "min_entropy 0.5" in guard.check({"entropy": 0.1})
    assert Guard(GuardSettings(window_steps=1, min_entropy=None)).check({"entropy": 0.0}) is None
    assert "gradient_norm is nan" in guard.check({"gradient_norm": math.nan})


@pytest.mark.parametrize(
    ("setting", "quantity", "good", "bad"),
    [
        ("max_kl", "kl_k1", 2.0, 2.1), ("min_entropy", "entropy", 2.0, 1.9),
        ("min_reply_tokens", "reply_tokens", 2.0, 1.9), ("max_reply_tokens", "reply_tokens", 2.0, 2.1),
        ("max_empty_share", "empty_share", 0.2, 0.3), ("max_repeated_share", "repeated_share", 0.2, 0.3),
        ("max_identical_share", "identical_share", 0.2, 0.3),
        ("max_unfinished_share", "unfinished_share", 0.2, 0.3),
        ("max_ratio", "ratio_max", 2.0, 2.1), ("max_clip_share", "clip_share", 0.2, 0.3),
        ("max_value_error", "value_error", 2.0, 2.1),
    ],
)  # fmt: skip
def test_every_bound_is_fatal_where_it_is_set_and_only_there(setting, quantity, good, bad):
    bounds = {name: None for name in GuardSettings.model_fields if name != "window_steps"}
    bound = GuardSettings(**bounds | {setting: good}, window_steps=1)
    guard = Guard(bound)
    assert guard.check({quantity: good}) is None and guard.tolerates({quantity: good})
    assert f"{setting} {good:g}" in guard.check({quantity: bad}) and not guard.tolerates({quantity: bad})
    unwatched = Guard(GuardSettings(**bounds, window_steps=1))
    assert unwatched.check({quantity: bad}) is None and unwatched.tolerates({quantity: bad})


def test_the_guard_names_everything_that_is_out_of_bounds():
    reason = Guard(GuardSettings(window_steps=1)).check({"kl_k1": 26.0, "entropy": 0.1, "empty_share": 0.1})
    assert "max_kl 25; entropy" in reason and "share of empty" not in reason


def test_a_guard_that_is_put_back_goes_on_where_it_was():
    rows = [{"kl_k1": kl, "held_out_accuracy": 60.0 - kl} for kl in (1.0, 5.0, 3.0, 8.0)]
    settings = GuardSettings(window_steps=3, max_kl=5.0, max_held_out_drop=6.0)
    whole = Guard(settings)
    told = [whole.check(row) for row in rows]
    assert told[:3] == [None] * 3 and "5.33 over the last 3 steps" in told[3] and "7.00 points" in told[3]
    for at in range(4):
        before, after = Guard(settings), Guard(settings)
        for row in rows[:at]:
            before.check(row)
        after.load_state_dict(before.state_dict())
        assert [after.check(row) for row in rows[at:]] == told[at:]


def test_an_evaluation_that_is_out_of_bounds_is_not_kept_as_best(tokenizer):
    """Before the average over a window has told: any KL is too much, and only the start has none."""
    bounds = quick().guard.model_copy(update={"max_kl": 1e-3, "window_steps": 1000})
    result = ppo.train(tiny_llama(tokenizer), tokenizer, PROMPTS, ball, quick(prompts=128, guard=bounds), seed=0)
    assert result.stopped is None and result.best_step == 0
    assert (result.log["checkpoint"] == "best").tolist() == [True] + [False] * 8


def test_the_guard_watches_held_out_accuracy():
    guard = Guard(GuardSettings(max_held_out_drop=1.0))
    assert guard.check({"held_out_accuracy": 60.0}) is None
    assert guard.check({"held_out_accuracy": math.nan}) is None
    assert guard.check({"held_out_accuracy": 59.5}) is None
    assert "1.50 points below" in guard.check({"held_out_accuracy": 58.5})


def evaluation(step, accuracy, words=4.0, distinct_2=0.5):
    return {
        "step": step,
        "held_out_accuracy": accuracy,
        "held_out_words": words,
        "held_out_distinct_2": distinct_2,
    }


def test_best_is_the_highest_reward_among_the_accurate(tokenizer):
    model, settings = tiny_llama(tokenizer), PPOSettings(held_out_tolerance=1.0)
    best = Best(settings)
    offers = [
        (evaluation(0, 60.0), -math.inf),
        (evaluation(5, 59.5), 0.1),
        (evaluation(10, 58.0), 0.5),
        (evaluation(15, 61.0), 0.3),
        (evaluation(20, 65.0), 0.2),
        (evaluation(25, 60.0), 0.3),
    ]
    assert [best.offer(*offer, model) for offer in offers] == [True, True, False, True, False, True]
    assert best.step == 25
    held_out = Best(settings)  # of the start, too, the reward is known
    assert [held_out.offer(row, reward, model) for row, reward in [(evaluation(0, 60.0), 0.4), *offers[1:]]] == [
        True,
        *[False] * 5,
    ]


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({}, True),
        ({"words": 5.1}, True),
        ({"words": 5.3}, False),
        ({"words": 2.7}, False),
        ({"distinct_2": 0.34}, False),
        ({"distinct_2": 0.66}, False),
        ({"distinct_2": math.nan}, False),  # of one-word replies
    ],
)
def test_best_says_as_much_as_the_start_and_as_variedly(tokenizer, changed, kept):
    model, tolerant = tiny_llama(tokenizer), PPOSettings(length_tolerance=None, diversity_tolerance=None)
    for settings, expected in ((PPOSettings(), kept), (tolerant, True)):
        best = Best(settings)
        best.offer(evaluation(0, 60.0), 0.1, model)
        assert best.offer(evaluation(5, 60.0, **changed), 0.9, model) == expected
    unknown = Best(PPOSettings())
    unknown.offer(evaluation(0, 60.0, math.nan, math.nan), 0.1, model)
    assert unknown.offer(evaluation(5, 60.0, **changed), 0.9, model)


def test_replies_to_held_out_prompts_are_described():
    said = [("the dog .", 0.0), ("the dog barks .", 0.5), ("no .", 0.4)]
    told = describe_held_out([{"reply": reply, "earned": earned} for reply, earned in said])
    # the dog, the dog, dog barks
    assert told == pytest.approx({"held_out_reward": 0.3, "held_out_words": 2.0, "held_out_distinct_2": 2 / 3})
    assert math.isnan(describe_held_out([{"reply": "no .", "earned": 1.0}])["held_out_distinct_2"])
    assert all(map(math.isnan, describe_held_out([]).values()))


def test_the_published_reply_is_the_childs_first_turn_among_tokens_that_are_all_trained_on(tokenizer, monkeypatch):
    rollouts, sampled = [], ppo.sample

    def noted(*arguments, **options):
        rollouts.append(sampled(*arguments, **options))
        return rollouts[-1]

    monkeypatch.setattr(ppo, "sample", noted)
    # With the guard as it is by default but for what is rare of replies: that none has ended is no fault here.
    bounds = GuardSettings(window_steps=2, min_entropy=None, max_empty_share=None, max_identical_share=None)
    settings = quick(prompts=64, max_new_tokens=9, reply="published", value_start="zero", guard=bounds)
    result = ppo.train(tiny_llama(tokenizer), tokenizer, PROMPTS, ball, settings, seed=0)
    assert result.stopped is None and (result.log["unfinished_share"] == 0).all()
    assert (result.log["reply_tokens"] == 9).all(), "all nine tokens are the reply, no end of a turn among them"
    trained = result.samples[~result.samples["held_out"]]
    assert trained["earned"].tolist() == trained["reward"].tolist()
    turns = []
    for rollout in rollouts:
        assert rollout.actions.all() and rollout.actions.shape[1] == 9
        for row in rollout.input_ids[:, rollout.prompt_length - 1 :].tolist():
            before, *tokens = tokenizer.convert_ids_to_tokens(row)
            assert before not in ("*CHI:", "<pad>")
            after = tokens[tokens.index("*CHI:") + 1 :] if "*CHI:" in tokens else []
            ends = (at for at, token in enumerate(after) if token.startswith("*") or token in ("<s>", "</s>"))
            turns.append(" ".join(after[: next(ends, len(after))]))
    assert trained["reply"].tolist() == turns and "" in turns and any(turns)


def test_length_control_is_among_replies_that_ended_and_have_words(tokenizer):
    rollout = rollout_of(Policy(tiny_llama(tokenizer)), tokenizer, prompts=PROMPTS * 8)
    wordless = torch.tensor([not words(reply) for reply in rollout.replies])
    said = rollout.finished & ~wordless
    lengths, expected = rollout.actions.sum(dim=1), torch.linspace(0, 1, 32)
    scores = torch.where(said, torch.arange(32.0), -50.0)
    controlled = trained_on(scores, expected, rollout, quick(length_control=True))
    assert said.sum() > 4 and (~rollout.finished).any() and (wordless & rollout.finished).any()
    torch.testing.assert_close(controlled[said], without_length(scores[said], expected[said], lengths[said]))
    assert not torch.equal(controlled[said], scores[said]) and (controlled[~said] == -50).all()
    assert trained_on(scores, expected, rollout, quick()) is scores
    # Without a penalty the others earn as any reply does.
    controlled = trained_on(scores, expected, rollout, quick(length_control=True, unfinished_reward=None))
    torch.testing.assert_close(
        controlled[~wordless], without_length(scores[~wordless], expected[~wordless], lengths[~wordless])
    )


def test_the_log_says_what_length_control_took_off(tokenizer):
    def by_length(prompts, replies):
        return [float(len(words(reply))) for reply in replies]

    logs = [
        ppo.train(
            tiny_llama(tokenizer), tokenizer, PROMPTS, by_length, quick(prompts=32, length_control=control), seed=0
        ).log
        for control in (True, False)
    ]
    assert (logs[0]["length_effect"][:2] > 0.1).all() and (logs[1]["length_effect"][:2] == 0).all()
    assert logs[0]["length_effect"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(("start", "length_pays"), [("zero", True), ("mean", False)])
def test_a_constant_reward_teaches_nothing_once_values_start_at_its_mean(tokenizer, start, length_pays):
    """From zero, whitened advantages of a constant reward rise along a reply, and its last tokens gain."""
    torch.manual_seed(0)
    settings = quick(prompts=16, unfinished_reward=None, kl_coefficient=0.0, kl_target=None, value_start=start)
    model = tiny_llama(tokenizer)
    before = weights(model)
    ppo.train(model, tokenizer, PROMPTS, lambda prompts, replies: [5.0] * len(replies), settings, seed=0)
    moved = max(float((model.state_dict()[name] - own).abs().max()) for name, own in before.items())
    assert (moved > 1e-4) == length_pays


def test_held_out_prompts_are_in_no_rollout_and_choose_best(tokenizer):
    trained, held_out = hold_out([f"{number}" for number in range(10)], 0.25)
    assert (trained, held_out) == ([*"01234567"], [*"89"])
    assert hold_out(PROMPTS, 0.0) == (PROMPTS, []) and len(hold_out(PROMPTS, 0.01)[1]) == 1
    assert [len(part) for part in hold_out([*map(str, range(1000))], 0.2)] == [900, 100]
    with pytest.raises(UserError, match="of 1 prompts 1 are held out, which leaves none"):
        hold_out(["a"], 0.2)
    result = ppo.train(
        tiny_llama(tokenizer), tokenizer, PROMPTS[:3], ball, quick(prompts=640, learning_rate=1e-3), seed=0,
        held_out_prompts=PROMPTS[3:],
    )  # fmt: skip
    samples, evaluated = result.samples, result.log[result.log["held_out_reward"].notna()]
    assert evaluated["step"].tolist() == list(range(0, 41, 4))
    assert set(samples[samples["held_out"]]["prompt"]) == {PROMPTS[3]}
    assert PROMPTS[3] not in set(samples[~samples["held_out"]]["prompt"])
    earned = samples[samples["held_out"]].groupby("step")["earned"].mean()
    assert evaluated["held_out_reward"].tolist() == pytest.approx(earned.tolist())
    # Twice the same policy gives twice the same replies; the latest of the highest is kept.
    assert result.best_step == earned[::-1].idxmax() and earned[result.best_step] > earned[0]


def test_the_guard_stops_a_collapse_and_keeps_the_last_good_weights(tokenizer):
    model = tiny_llama(tokenizer)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    guard = quick().guard.model_copy(update={"max_identical_share": 0.6, "window_steps": 3})
    settings = quick(
        prompts=960,
        learning_rate=1e-3,
        kl_coefficient=0.0,
        kl_target=None,
        unfinished_reward=None,
        guard=guard,
    )
    events = []
    seen = []

    def held_out(policy):
        seen.append({name: tensor.clone() for name, tensor in policy.state_dict().items()})
        return 60.0

    def silence(prompts, replies):
        return np.array([-float(len(reply.split())) for reply in replies])

    result = ppo.train(
        model, tokenizer, PROMPTS, silence, settings, seed=0, held_out=held_out, report=events.append
    )
    assert "share of the most frequent reply" in result.stopped and "max_identical_share 0.6" in result.stopped
    assert len(result.log) < settings.steps + 1 and len(events) == len(result.log)
    assert result.best_step % 4 == 0 and 0 < result.best_step < result.log["step"].iloc[-1]
    evaluated = seen[result.best_step // 4]
    assert all(torch.equal(result.best[name], evaluated[name]) for name in evaluated)
    assert not all(torch.equal(result.best[name], result.final[name]) for name in evaluated)
    assert not all(torch.equal(result.final[name], before[name]) for name in before)


def test_a_bound_that_the_start_breaks_leaves_the_start_as_best(tokenizer):
    model = tiny_llama(tokenizer)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    guard = GuardSettings(window_steps=1, min_entropy=100.0)
    result = ppo.train(model, tokenizer, PROMPTS, ball, quick(guard=guard), seed=0)
    assert result.stopped and len(result.log) == 1 and result.best_step == 0
    assert all(torch.equal(result.best[name], before[name]) for name in before)


def test_a_gradient_that_is_not_finite_stops_the_run_before_it_is_applied(tokenizer, monkeypatch):
    model = tiny_llama(tokenizer)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    infinite = ppo.minibatch_loss

    def broken(*arguments):
        loss, parts = infinite(*arguments)
        return loss * math.inf, parts

    monkeypatch.setattr(ppo, "minibatch_loss", broken)
    result = ppo.train(model, tokenizer, PROMPTS, ball, quick(), seed=0)
    assert "gradient_norm is nan" in result.stopped
    assert all(torch.equal(result.final[name], before[name]) for name in before)


def test_save_writes_the_language_model_alone(tokenizer, tmp_path):
    model = tiny_llama(tokenizer)
    result = ppo.train(model, tokenizer, PROMPTS, ball, quick(prompts=64), seed=0)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).state_dict()
    assert loaded.keys() == result.final.keys() == result.best.keys()
    assert all(torch.equal(loaded[name], result.final[name]) for name in loaded)
