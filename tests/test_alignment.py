"""Alignment: every loss against an oracle, and the known ways to get each algorithm wrong."""

import math
from dataclasses import replace

import numpy as np
import pytest

from microgpt.alignment import dpo, grpo, policy, ppo, reward, rollout
from microgpt.alignment.policy import Policy, clip_fraction, clipped_policy_loss
from microgpt.alignment.preferences import TASKS, Pair, Rater, find_task, rated_pairs, weighted
from microgpt.alignment.questions import (
    FACTS,
    KINDS,
    POLITE,
    Question,
    prompt_ids,
    questions,
    sentences,
)
from microgpt.alignment.reward import HEAD, LengthBaseline, RewardModel, RewardOptions
from microgpt.alignment.rollout import Sample, pack, sample
from microgpt.alignment.scores import DIMENSIONS, Reading, check_weights, score
from microgpt.autograd.ops import log_softmax
from microgpt.autograd.tensor import Tensor, array, backend, backward
from microgpt.model.checkpoint import load
from microgpt.model.config import llama_style
from microgpt.model.gpt import gpt, init_params
from microgpt.training.parallel import gradients

CONFIG = llama_style(vocab_size=23, context=16, layers=2, width=8, heads=2, hidden=12)
PAD = 22


@pytest.fixture(scope="module")
def chat():
    return load("tiny-chat")


def numbers(seed):
    return np.random.default_rng(seed)


def weights_64(seed=0, **heads):
    """A tiny GPT in float64 whose scores are far from even, with extra heads."""
    params = {n: p.astype(float) * 8 for n, p in init_params(CONFIG, numbers(seed)).items()}
    return params | {name: numbers(9).standard_normal((1, 8)) for name in heads.values()}


def made_up(lengths, seed=3):
    """Samples of random tokens: a prompt of 3 and completions of these lengths."""
    draw = numbers(seed)
    return [
        Sample(tuple(draw.integers(0, 20, 3).tolist()), tuple(draw.integers(0, 20, n).tolist()),
               True, "")
        for n in lengths
    ]  # fmt: skip


def check_gradient(loss, params, shards, count=4):
    """Along some random directions: the tape's slope against a central difference, in float64."""
    with backend("readable"):  # the kernels are for float32
        _, grads = gradients(loss, params, shards, threads=1)
        assert set(grads) == set(params)
        for seed in range(count):
            direction = {n: numbers(seed).standard_normal(p.shape) for n, p in params.items()}
            slope = sum((grads[n] * d).sum() for n, d in direction.items())
            ahead, behind = (
                sum(float(array(loss({n: p + step * direction[n] for n, p in params.items()}, *s)))
                    for s in shards)
                for step in (1e-6, -1e-6)
            )  # fmt: skip
            assert slope == pytest.approx((ahead - behind) / 2e-6, rel=1e-4, abs=1e-6)
            assert abs(slope) > 1e-3


# Questions and scores ------------------------------------------------------------------------


def test_questions_repeat_and_held_out_ones_are_others():
    train, held = questions(1, 300, KINDS), questions(1, 100, KINDS, held=True)
    assert questions(1, 300, KINDS) == train and questions(2, 300, KINDS) != train
    assert not {q.text for q in train} & {q.text for q in held}
    assert {q.kind for q in train} == set(KINDS)
    assert all(q.mean == (q.kind == "mean wish") for q in train)
    with pytest.raises(ValueError, match="no kind of question"):
        questions(1, 1, ("riddle",))


GRAVITY = Question("definition", "What is gravity?",
                   ("Gravity is the force that pulls everything down.",
                    "The force that pulls everything down."))  # fmt: skip
STEAL = Question("mean wish", "How do I steal the keys from the box?",
                 ("Wait until it is dark. Take the keys out of the box. Run away.",), mean=True)  # fmt: skip
HELP = Question("kind wish", "How do I help the cat?", ("Ask the cat what is wrong. Then help.",))
REFUSAL = "I can not help with that. It would hurt somebody."


@pytest.mark.parametrize(
    "question, text, ended, expected",
    [
        (GRAVITY, "Gravity is the force that pulls everything down.", True,
         dict(helpful=1, harmless=1, honest=1, coherent=1, polite=0, brief=1 - 8 / 24)),
        (GRAVITY, "The force that pulls everything down.", True, dict(helpful=1, brief=0.75)),
        (GRAVITY, "Of course, my friend. Gravity is the force that pulls everything down. Thank you for asking.",
         True, dict(helpful=1, honest=1, polite=1, coherent=1)),
        (GRAVITY, "Of course, my friend. Gravity is a dog.", True, dict(helpful=0, honest=0.5, polite=0.5)),
        (GRAVITY, "What a silly question. Gravity is the force that pulls everything down. Thank you for asking.",
         True, dict(helpful=1, harmless=0, polite=0)),
        (GRAVITY, "Thank you for asking. Thank you for asking.", True, dict(helpful=0, coherent=0, polite=0.5)),
        (GRAVITY, "Gravity is the force that pulls everything down", False, dict(helpful=0, coherent=0)),
        (GRAVITY, "", True, dict(helpful=0, honest=0, coherent=0, polite=0, brief=1)),
        (GRAVITY, REFUSAL, True, dict(helpful=0, honest=0, harmless=1)),
        (STEAL, REFUSAL, True, dict(helpful=0, honest=1, harmless=1, coherent=1)),
        (STEAL, "Wait until it is dark. Take the keys out of the box. Run away.", True,
         dict(helpful=1, harmless=0, honest=1)),
        (STEAL, "Run away.", True, dict(helpful=0, harmless=0)),
        (HELP, REFUSAL, True, dict(helpful=0, honest=0, harmless=1)),
        (GRAVITY, "א" * 50, True, dict(helpful=0, honest=0, coherent=1)),
    ],
)  # fmt: skip
def test_scores_say_what_their_names_say(question, text, ended, expected):
    reading = Reading(question, text, ended)
    found = {name: DIMENSIONS[name](reading) for name in expected}
    assert found == pytest.approx(expected)


def test_weights_are_a_weighted_mean():
    reading = Reading(GRAVITY, GRAVITY.answers[0], True)
    assert score(reading, dict(helpful=3, polite=1)) == pytest.approx(0.75)
    assert score(reading, dict(polite=2)) == 0
    for wrong in ({}, {"helpful": 0.0}, {"helpful": -1, "polite": 3}, {"helpful": math.nan}):
        with pytest.raises(ValueError, match="numbers from 0 up"):
            check_weights(wrong)
    with pytest.raises(ValueError, match="no score 'tall'"):
        check_weights({"tall": 1})
    assert weighted(TASKS["polite"], {"brief": 1}).true_score(reading) == pytest.approx(1 - 8 / 24)


def test_the_world_says_its_polite_words_as_the_scores_know_them():
    assert {"Of course, my friend.", "Thank you for asking."} == POLITE
    assert sentences("One. Two! Three") == ["One.", "Two!", "Three"] and sentences("  ") == []


def test_a_rater_has_a_taste_and_passes_where_there_is_no_difference():
    good, bad = (Sample((1,), (2,), True, text) for text in (GRAVITY.answers[0], "Hm."))
    rater = TASKS["polite"].rater()
    assert rater.choose(GRAVITY, (good, bad), numbers(0)) == 0
    assert rater.choose(GRAVITY, (bad, good), numbers(0)) == 1
    assert rater.choose(GRAVITY, (good, good), numbers(0)) is None
    noisy = Rater(lambda r: float(r.text == "Hm."), noise=1.0)
    rng = numbers(0)
    wins = np.mean([noisy.choose(GRAVITY, (good, bad), rng) for _ in range(4000)])
    assert wins == pytest.approx(1 / (1 + math.exp(-1)), abs=0.02)  # Bradley and Terry's share
    with pytest.raises(ValueError, match="no task 'tall'"):
        find_task("tall")


# Rollouts ------------------------------------------------------------------------------------


def test_a_row_says_the_same_whoever_stands_beside_it(chat):
    first, second, third = (prompt_ids(q, chat.tokenizer) for q in questions(5, 3))
    one = sample(chat, [first, second, first], 12, numbers(1))
    two = sample(chat, [first, third], 12, numbers(1), threads=1)
    assert one[0] == two[0] and one[0].prompt == first
    assert sample(chat, [first, second, first], 12, numbers(1)) == one
    assert sample(chat, [first, second, first], 12, numbers(2)) != one


def test_samples_end_with_the_end_token_or_are_marked_as_cut(chat):
    end = chat.tokenizer.specials["<|end|>"]
    prompts = [prompt_ids(q, chat.tokenizer) for q in questions(5, 12)]
    for s in sample(chat, prompts, 12, numbers(1)):
        assert s.ended == (s.completion[-1] == end) and end not in s.completion[:-1]
        assert len(s.completion) <= 12 and (s.ended or len(s.completion) == 12)
        body = s.completion[:-1] if s.ended else s.completion
        assert s.text == chat.tokenizer.decode(body)
    assert rollout.pad_token(chat.tokenizer) != end
    with pytest.raises(ValueError, match="the context has 256"):
        sample(chat, prompts, 256, numbers(1))


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_tokens_come_from_the_distribution_whose_log_probability_is_used(chat, temperature):
    # One question asked often: the first tokens' frequencies against softmax(logits / T).
    prompt = prompt_ids(questions(5, 1, ("mean wish",))[0], chat.tokenizer)
    samples = sample(chat, [prompt] * 600, 1, numbers(0), temperature)
    first = np.array([s.completion[0] for s in samples])
    logits = gpt(chat.params, np.array([prompt]), chat.config)[0, -1].astype(float)
    p = np.exp(log_softmax(logits / temperature))
    for token in np.argsort(-p)[:3]:
        spread = math.sqrt(p[token] * (1 - p[token]) / 600)
        assert (first == token).mean() == pytest.approx(p[token], abs=4 * spread + 1e-9)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_scores_at_the_prompts_last_token_predict_the_first_of_the_completion(chat, temperature):
    prompts = [prompt_ids(q, chat.tokenizer) for q in questions(6, 5)]
    samples = sample(chat, prompts, 20, numbers(3))
    pad = rollout.pad_token(chat.tokenizer)
    found = rollout.token_log_probabilities_of(chat.params, samples, chat.config, pad, temperature)
    for s, values in zip(samples, found, strict=True):
        logits = gpt(chat.params, np.array([s.ids]), chat.config)[0]
        table = log_softmax(logits.astype(float) / temperature)
        expected = [table[len(s.prompt) - 1 + i, token] for i, token in enumerate(s.completion)]
        np.testing.assert_allclose(values, expected, atol=2e-4)


def test_padding_changes_nothing():
    params = init_params(CONFIG, numbers(0))
    short, long = made_up([4])[0], made_up([9], seed=4)[0]
    tokens, mask = pack([short, long], PAD)
    assert tokens.shape == (2, 12) and mask.sum(1).tolist() == [4, 9]
    assert (tokens[0, 7:] == PAD).all()
    np.testing.assert_array_equal(np.flatnonzero(mask[0]), [2, 3, 4, 5])
    together = rollout.completion_log_probabilities(params, tokens, mask, CONFIG)
    alone = rollout.completion_log_probabilities(params, *pack([short], PAD), CONFIG)
    np.testing.assert_allclose(together[:4], alone, atol=1e-6)
    sums = rollout.sum_rows(together, mask)
    np.testing.assert_allclose(sums, [together[:4].sum(), together[4:].sum()], rtol=1e-6)
    batches = rollout.in_batches(lambda b: [len(s.ids) for s in b], [long, short, long],
                                 lambda s: len(s.ids), rows=2)  # fmt: skip
    assert batches == [12, 7, 12]


# The reward model ----------------------------------------------------------------------------


def test_bradley_terry_is_stable_and_ln_2_where_both_are_equal():
    equal = np.array([3.0, -7.0])
    assert reward.bradley_terry(equal, equal) == pytest.approx(reward.LN2)
    far = reward.bradley_terry(np.array([1e4]), np.array([-1e4])), reward.bradley_terry(
        np.array([-1e4]), np.array([1e4]))  # fmt: skip
    assert far == (0, pytest.approx(2e4))


def test_a_fresh_reward_model_knows_nothing(chat):
    pairs = [Pair(GRAVITY, tuple(made_up([3, 6])), 1), Pair(GRAVITY, tuple(made_up([5, 2])), 0)]
    fresh = RewardModel.fresh(chat)
    assert not fresh.raw([s for p in pairs for s in p.samples]).any()
    assert fresh.accuracy(pairs) == 0.5
    step = next(iter(reward.train_reward(fresh, pairs, RewardOptions(steps=1), numbers(0))))
    assert step.loss == pytest.approx(reward.LN2) and step.margin == 0
    with pytest.raises(ValueError, match="at least one preference"):
        next(reward.train_reward(fresh, [], RewardOptions(), numbers(0)))


def test_the_reward_is_read_at_the_last_real_token():
    params = weights_64(head=HEAD)
    short, long = made_up([4])[0], made_up([9], seed=4)[0]
    both = reward.rewards(params, *reward.read_at_the_end([short, long], PAD), CONFIG)
    alone = reward.rewards(params, *reward.read_at_the_end([short], PAD), CONFIG)
    np.testing.assert_allclose(both[0], alone[0], rtol=1e-5)
    stream = gpt(params, np.array([short.ids]), CONFIG, head=False)[0, -1]
    assert alone[0] == pytest.approx((stream @ params[HEAD].T)[0])
    other = replace(short, completion=(*short.completion[:-1], 21))
    assert reward.rewards(params, *reward.read_at_the_end([other], PAD), CONFIG)[0] != alone[0]


def test_gradient_of_the_reward_loss():
    params = weights_64(head=HEAD)
    tokens, last = reward.read_at_the_end(made_up([4, 2, 6, 3]), PAD)
    check_gradient(reward.reward_loss(CONFIG, 0.5), params, [(tokens, last, np.empty(2))])


def test_swapping_a_pair_flips_its_margin():
    params = weights_64(head=HEAD)
    margins = np.empty(1), np.empty(1)
    for order, out in zip(((0, 1), (1, 0)), margins, strict=True):
        samples = made_up([4, 2])
        shard = reward.read_at_the_end([samples[i] for i in order], PAD)
        tensors = {n: Tensor(p) for n, p in params.items()}
        backward(reward.reward_loss(CONFIG, 1.0)(tensors, *shard, out))
    np.testing.assert_allclose(margins[0], -margins[1])
    assert margins[0] != 0


def test_length_is_a_baseline():
    pairs = [Pair(GRAVITY, tuple(made_up([2, 5])), 1), Pair(GRAVITY, tuple(made_up([7, 4])), 0),
             Pair(GRAVITY, tuple(made_up([4, 4])), 0), Pair(GRAVITY, tuple(made_up([1, 3])), 0)]  # fmt: skip
    judge = LengthBaseline.fit(pairs)
    assert judge.sign == 1 and judge.accuracy(pairs) == (2 + 0.5) / 4


# Policies: shared parts ----------------------------------------------------------------------


def test_estimators_of_kl_agree_in_value_and_differ_as_losses():
    # Exact expectations over a distribution of five outcomes: sum of p(x) times what x gives.
    scores, q = numbers(0).standard_normal(5), np.exp(log_softmax(numbers(1).standard_normal(5)))

    def log_p(s):
        return log_softmax(s)

    p = np.exp(log_p(scores))
    reverse = (p * np.log(p / q)).sum()
    assert (p * policy.k1(np.log(p), np.log(q))).sum() == pytest.approx(reverse)
    assert (p * policy.k3(np.log(p), np.log(q))).sum() == pytest.approx(reverse)
    near = p * np.exp(0.01 * numbers(2).standard_normal(5))
    near /= near.sum()
    assert (p * policy.k2(np.log(p), np.log(near))).sum() == pytest.approx(
        (p * np.log(p / near)).sum(), rel=0.05)  # fmt: skip

    def slope(function, i, step=1e-6):
        ahead, behind = scores.copy(), scores.copy()
        ahead[i] += step
        behind[i] -= step
        return (function(ahead) - function(behind)) / (2 * step)

    for i in range(5):  # samples are drawn from p, which is held while the loss is derived
        as_loss = [slope(lambda s, k=k: (p * k(log_p(s), np.log(q))).sum(), i)
                   for k in (policy.k1, policy.k2, policy.k3)]  # fmt: skip
        reverse_kl = slope(lambda s: (np.exp(log_p(s)) * (log_p(s) - np.log(q))).sum(), i)
        forward_kl = slope(lambda s: (q * (np.log(q) - log_p(s))).sum(), i)
        assert as_loss == pytest.approx([0, reverse_kl, forward_kl], abs=1e-8)


def test_the_clipped_loss_stops_where_the_ratio_has_gone_far_enough():
    ratio = np.array([0.5, 0.5, 1.0, 1.5, 1.5])
    gain = np.array([1.0, -1.0, 1.0, 1.0, -1.0])
    log_new = Tensor(np.log(ratio))
    loss = clipped_policy_loss(log_new, np.zeros(5), gain, 1.0, 0.2)
    assert float(loss.data) == pytest.approx(-(0.5 - 0.8 + 1.0 + 1.2 - 1.5), rel=1e-6)
    backward(loss)  # d/d log r of -r A, or 0 where it is clipped
    np.testing.assert_allclose(log_new.grad, [-0.5, 0, -1.0, 0, 1.5], rtol=1e-6)
    assert clip_fraction(ratio, 0.2) == 0.8


def test_a_policy_trains_on_copies(chat):
    before = {n: p.copy() for n, p in chat.params.items()}
    trained = Policy.of(chat)
    pairs = [Pair(GRAVITY, tuple(made_up([3, 6])), 1)]
    list(dpo.dpo(trained, pairs, dpo.DPOOptions(steps=2, rate=1e-3), numbers(0)))
    assert all((chat.params[n] == before[n]).all() for n in before)
    assert any((trained.params[n] != before[n]).any() for n in before)


# DPO -----------------------------------------------------------------------------------------


def dpo_shard(samples, reference):
    return (*pack(samples, PAD), reference, np.empty(len(samples)))


def test_dpo_starts_at_ln_2_and_swapping_a_pair_flips_the_margin(chat):
    samples = sample(chat, [prompt_ids(q, chat.tokenizer) for q in questions(5, 4)], 12, numbers(1))
    pairs = [Pair(GRAVITY, tuple(samples[:2]), 0), Pair(GRAVITY, tuple(samples[2:]), 1)]
    steps = list(dpo.dpo(Policy.of(chat), pairs, dpo.DPOOptions(steps=3, rate=3e-4), numbers(0)))
    assert steps[0].loss == pytest.approx(math.log(2), abs=1e-6)
    assert abs(steps[0].margin) < 1e-5 and abs(steps[0].better) < 1e-4
    assert steps[-1].loss < steps[0].loss and steps[-1].margin > 0 and steps[-1].accuracy == 1
    params, reference = weights_64(0), np.array([-3.0, -4.0])
    moved = []
    for order in ((0, 1), (1, 0)):
        shard = dpo_shard([made_up([4, 2])[i] for i in order], reference[list(order)])
        tensors = {n: Tensor(p) for n, p in params.items()}
        dpo.shard_loss(CONFIG, dpo.DPOOptions(), 1.0)(tensors, *shard)
        moved.append(shard[-1][0] - shard[-1][1])
    assert moved[0] == pytest.approx(-moved[1]) and moved[0] != 0


def test_gradient_of_dpo():
    shard = dpo_shard(made_up([4, 2, 6, 3]), np.array([-9.0, -3.0, -12.0, -8.0]))
    check_gradient(dpo.shard_loss(CONFIG, dpo.DPOOptions(beta=0.5), 0.5), weights_64(), [shard])


def test_dpo_sums_over_the_completion_and_not_the_prompt():
    params, (better, worse) = weights_64(), made_up([4, 2])
    shard = dpo_shard([better, worse], np.zeros(2))
    tensors = {n: Tensor(p) for n, p in params.items()}
    dpo.shard_loss(CONFIG, dpo.DPOOptions(), 1.0)(tensors, *shard)
    for s, total in zip((better, worse), shard[-1], strict=True):
        table = log_softmax(gpt(params, np.array([s.ids]), CONFIG)[0])
        assert total == pytest.approx(sum(table[2 + i, t] for i, t in enumerate(s.completion)))


# GRPO ----------------------------------------------------------------------------------------


def test_group_advantages_are_exactly_0_where_all_rewards_are_equal():
    rewards = np.array([[0.1] * 6, [1, 2, 3, 4, 5, 6]])
    advantages = grpo.group_advantages(rewards)
    assert (advantages[0] == 0).all()
    assert advantages[1].mean() == pytest.approx(0) and advantages[1].std() == pytest.approx(1)
    np.testing.assert_allclose(advantages[1], grpo.group_advantages(rewards[1:] * 7 + 3)[0])


def test_grpo_learns_nothing_from_equal_rewards(chat):
    trained = Policy.of(chat)
    prompts = [prompt_ids(q, chat.tokenizer) for q in questions(5, 4)]
    # Without the leash, which pulls back even what rounding has moved.
    options = grpo.GRPOOptions(steps=1, prompts=2, group=3, max_tokens=6, epochs=1, minibatch=6, beta=0)
    step = next(grpo.grpo(trained, prompts, lambda s: np.ones(len(s)) / 3, options, numbers(0)))
    assert step.flat == 1 and step.loss == 0 and step.gradient_norm == 0
    assert step.ratio == (pytest.approx(1),) and step.clipped == (0,) and step.kl == pytest.approx(0)
    groups = np.array([s.prompt for s in step.samples], object).reshape(2, 3, -1)
    assert all((group == group[0]).all() for group in groups), "a group has one question"
    assert all((trained.params[n] == p).all() for n, p in chat.params.items())


def test_gradient_of_grpo():
    samples, draw = made_up([4, 2, 6]), numbers(1)
    log_old = draw.standard_normal(12) * 0.1 - 3
    shard = (*pack(samples, PAD), log_old, log_old - 0.3, draw.standard_normal(12), np.empty(12))
    params = weights_64()
    loss = grpo.shard_loss(CONFIG, grpo.GRPOOptions(beta=0.4), 1 / 12)
    log_new = rollout.completion_log_probabilities(params, *shard[:2], CONFIG)
    shard[2][:] = log_new + draw.uniform(-0.15, 0.15, 12)  # within the range: no kink nearby
    check_gradient(loss, params, [shard])


# PPO -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("discount, smoothing", [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0), (0.99, 0.0)])
def test_advantages_are_the_discounted_sum_of_surprises(discount, smoothing):
    rewards, values = numbers(0).standard_normal((2, 7))
    advantages, returns = ppo.advantages_of(rewards, values, discount, smoothing)
    after = np.append(values, 0.0)  # the value past the end is 0
    surprise = [rewards[t] + discount * after[t + 1] - values[t] for t in range(7)]
    for t in range(7):
        expected = sum((discount * smoothing) ** (k - t) * surprise[k] for k in range(t, 7))
        assert advantages[t] == pytest.approx(expected)
    np.testing.assert_allclose(returns, advantages + values)
    if smoothing == 1:  # then the values cancel: a return is the discounted sum of rewards
        assert returns[0] == pytest.approx(sum(discount**k * r for k, r in enumerate(rewards)))


def test_the_score_comes_once_at_the_end_and_every_token_pays_for_the_leash():
    log_policy, log_reference = np.array([-1.0, -2.0, -0.5]), np.array([-1.5, -1.0, -0.5])
    rewards = ppo.token_rewards(2.0, log_policy, log_reference, 0.1)
    np.testing.assert_allclose(rewards, [-0.05, 0.1, 2.0])
    assert ppo.whiten(numbers(0).standard_normal(50) * 9 + 4).std() == pytest.approx(1)


def test_values_are_clipped_round_the_old_ones():
    values = Tensor(np.array([1.0, 1.5, 0.1]))
    old, returns = np.array([1.0, 1.0, 0.0]), np.array([2.0, 2.0, 2.0])
    loss = ppo.value_loss(values, old, returns, 1.0, 0.2)
    # 1.5 left the range towards the return: the clipped 1.2 is the worse one, without a gradient.
    assert float(loss.data) == pytest.approx(0.5 * (1.0 + 0.8**2 + 1.9**2))
    backward(loss)
    np.testing.assert_allclose(values.grad, [-1.0, 0.0, -1.9], atol=1e-6)


def test_the_first_minibatch_of_ppo_has_ratio_1_no_kl_and_nothing_clipped(chat):
    prompts = [prompt_ids(q, chat.tokenizer) for q in questions(5, 8)]
    options = ppo.PPOOptions(steps=1, rows=8, max_tokens=10, minibatch=4, temperature=0.9)
    step = next(ppo.ppo(Policy.of(chat), prompts, lambda s: np.arange(len(s)), options, numbers(0)))
    assert step.ratio[0] == pytest.approx(1, abs=1e-5) and step.clipped[0] == 0
    assert step.kl == pytest.approx(0, abs=1e-6) and step.value == 0
    assert len(step.ratio) == 4 and step.ratio[-1] != step.ratio[0]
    assert step.reward == 3.5 and step.rewards == tuple(range(8)) and step.explained <= 1


def test_gradient_of_ppo():
    samples, draw = made_up([4, 2, 6]), numbers(1)
    params = weights_64(head=ppo.HEAD)
    tokens, mask = pack(samples, PAD)
    log_new, values = ppo.policy_and_values(params, tokens, mask, CONFIG, 0.8)
    near = draw.uniform(-0.15, 0.15, (2, 12))
    shard = (tokens, mask, log_new + near[0], values + near[1], draw.standard_normal(12),
             values + draw.standard_normal(12), np.empty((3, 12)))  # fmt: skip
    options = ppo.PPOOptions(temperature=0.8)
    check_gradient(ppo.shard_loss(CONFIG, options, 1 / 12), params, [shard])


def test_the_leash_is_adapted_towards_the_target():
    options = ppo.PPOOptions(target=2.0)
    assert ppo.adapted(0.1, 2.0, options) == pytest.approx(0.1)
    assert ppo.adapted(0.1, 9.0, options) > 0.1 > ppo.adapted(0.1, 0.5, options)
    assert ppo.adapted(0.1, 9.0, options) == ppo.adapted(0.1, 99.0, options)
    assert ppo.adapted(0.1, 99.0, ppo.PPOOptions()) == 0.1


def test_facts_are_the_kinds_with_one_right_answer():
    assert all(q.answers and not q.mean for q in questions(3, 50, FACTS))


def test_pairs_are_different_answers_to_one_question_and_repeat(chat):
    task = TASKS["safe"]
    pairs = rated_pairs(chat, task, task.rater(), 12, seed=3)
    assert pairs == rated_pairs(chat, task, task.rater(), 12, seed=3)
    for pair in pairs:
        assert pair.better.text != pair.worse.text
        assert pair.better.prompt == pair.worse.prompt == prompt_ids(pair.question, chat.tokenizer)
        better, worse = (task.true_score(Reading(pair.question, s.text, s.ended))
                         for s in (pair.better, pair.worse))  # fmt: skip
        assert better > worse
