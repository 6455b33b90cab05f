"""Group relative policy optimization: ask the same question several times, compare the answers.

Shao et al. 2024 (DeepSeekMath, eq. 3): an answer's advantage is how far its reward lies above the
mean of its group. No value head is needed. Named choices, for papers differ: the advantage is
divided by the group's deviation (of the population); the loss is the mean over all tokens of all
answers (as in DAPO, Yu et al. 2025), so a long answer counts more than a short one; the leash is
k2 in the loss, whose gradient is the reverse KL's.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.alignment.policy import Policy, clip_fraction, clipped_policy_loss, k1, k2
from microgpt.alignment.rollout import (
    Sample,
    completion_log_probabilities,
    pack,
    sample,
    shuffled,
    token_log_probabilities_of,
)
from microgpt.autograd.tensor import add, array, multiply, total


@dataclass(frozen=True)
class GRPOOptions:
    """`prompts` questions a step, each asked `group` times; `beta` is the leash, per token."""

    steps: int = 30
    prompts: int = 8
    group: int = 8
    max_tokens: int = 48
    epochs: int = 2
    minibatch: int = 32
    rate: float = 1e-4
    limit: float = 0.2
    beta: float = 0.05
    temperature: float = 1.0
    clip: float = 1.0
    threads: int = 2


@dataclass(frozen=True)
class GRPOStep:
    """One step. `reward` is the mean of what the answers got, `deviation` that within groups,
    `kl` the mean over answers of log p - log p_reference, in nats. `flat` is the share of groups
    whose answers all got the same, from which nothing can be learned. `ratio` and `clipped` are
    those of every minibatch, in order. `samples` are the answers, `rewards` what each got.
    """

    step: int
    reward: float
    deviation: float
    kl: float
    flat: float
    loss: float
    ratio: tuple[float, ...]
    clipped: tuple[float, ...]
    gradient_norm: float
    length: float
    seconds: float
    samples: tuple[Sample, ...]
    rewards: tuple[float, ...]


def group_advantages(rewards):  # (groups, answers) -> (groups, answers)
    """(reward - mean) / deviation within each group; exactly 0 where all rewards are equal."""
    centered = rewards - rewards.mean(1, keepdims=True)
    equal = rewards.max(1, keepdims=True) == rewards.min(1, keepdims=True)
    return np.where(equal, 0.0, centered / np.where(equal, 1.0, rewards.std(1, keepdims=True)))


def shard_loss(config, options, weight):
    """The loss of a shard, as `gradients` wants it; `seen` (N,) is filled with log p."""

    def loss(params, tokens, mask, log_old, log_reference, advantages, seen):
        log_new = completion_log_probabilities(params, tokens, mask, config, options.temperature)
        seen[:] = array(log_new)
        gain = clipped_policy_loss(log_new, log_old, advantages, weight, options.limit)
        leash = multiply(total(k2(log_new, log_reference)), np.float32(weight * options.beta))
        return add(gain, leash)

    return loss


def grpo(
    policy: Policy,
    prompts: Sequence[tuple[int, ...]],
    reward: Callable[[Sequence[Sample]], np.ndarray],
    options: GRPOOptions,
    rng: np.random.Generator,
) -> Iterator[GRPOStep]:
    """Train the policy to get more reward than its own average; yields after every step.

    `prompts` are drawn from; `reward` gives one number for each of a list of samples.
    """
    if not prompts:
        raise ValueError("There are no prompts to practise on; give at least one.")
    for step in range(1, options.steps + 1):
        start = time.perf_counter()
        # 1. Ask some questions, each of them `group` times.
        asked = [prompts[i] for i in rng.integers(len(prompts), size=options.prompts)]
        samples = sample(
            policy.model, [p for p in asked for _ in range(options.group)], options.max_tokens,
            rng, options.temperature, options.threads,
        )  # fmt: skip
        # 2. Judge the answers, and compare each with its own group.
        rewards = np.asarray(reward(samples), np.float64).reshape(-1, options.group)
        advantages = group_advantages(rewards)
        # 3. How likely each token was, for the policy and for the reference.
        scored = (samples, policy.config, policy.pad, options.temperature, options.threads)
        log_old = token_log_probabilities_of(policy.params, *scored)
        log_reference = token_log_probabilities_of(policy.reference.params, *scored)
        # 4. Some clipped steps; answers of groups without a difference only feel the leash.
        losses, norms, ratios, clipped = [], [], [], []
        for _ in range(options.epochs):
            for batch in shuffled(rng, len(samples), options.minibatch):
                columns = log_old, log_reference, advantages.reshape(-1)
                value, norm, ratio = _update(policy, batch, samples, columns, options)
                losses.append(value)
                norms.append(norm)
                ratios.append(float(ratio.mean()))
                clipped.append(clip_fraction(ratio, options.limit))
        # 5. Report.
        gaps = [k1(p, q).sum() for p, q in zip(log_old, log_reference, strict=True)]
        yield GRPOStep(
            step, float(rewards.mean()), float(rewards.std(1).mean()), float(np.mean(gaps)),
            float((rewards.max(1) == rewards.min(1)).mean()), float(np.mean(losses)),
            tuple(ratios), tuple(clipped), float(np.mean(norms)),
            float(np.mean([len(s.completion) for s in samples])), time.perf_counter() - start,
            tuple(samples), tuple(rewards.reshape(-1).tolist()),
        )  # fmt: skip


def _update(policy, batch, samples, columns, options):
    """One step on a minibatch: the loss, the gradient's norm, and the ratios (N,) before it."""
    log_old, log_reference, advantages = columns
    parts = [batch[i :: options.threads] for i in range(min(options.threads, len(batch)))]
    shards = []
    for part in parts:
        old, lengths = [log_old[i] for i in part], [len(log_old[i]) for i in part]
        spread = np.repeat(advantages[part], lengths).astype(np.float32)  # an answer's, per token
        shards.append((
            *pack([samples[i] for i in part], policy.pad), np.concatenate(old),
            np.concatenate([log_reference[i] for i in part]), spread, np.empty(len(spread)),
        ))  # fmt: skip
    tokens = sum(len(shard[-1]) for shard in shards)
    loss = shard_loss(policy.config, options, 1 / tokens)
    value, norm = policy.improve(loss, shards, options.rate, options.clip, options.threads)
    ratio = np.concatenate([np.exp(shard[-1] - shard[2]) for shard in shards])
    return value, norm, ratio
