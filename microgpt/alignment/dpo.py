"""Direct preference optimization: no reward model, no sampling, one loss on pairs.

Rafailov et al. 2023, eq. 7: with r(answer) = beta * log(policy / reference), which is the reward
that the policy would be optimal for, the loss is the reward model's: -log sigmoid(r+ - r-).
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.alignment.policy import Policy
from microgpt.alignment.preferences import Pair
from microgpt.alignment.rollout import (
    completion_log_probabilities,
    pack,
    shuffled,
    sum_rows,
    token_log_probabilities_of,
)
from microgpt.autograd.optim import warmup_linear
from microgpt.autograd.tensor import array, log_sigmoid, multiply, subtract, total


@dataclass(frozen=True)
class DPOOptions:
    """`beta` is the leash: how many nats away from the reference one unit of reward is worth."""

    steps: int = 24
    batch: int = 16
    beta: float = 0.1
    rate: float = 1e-4
    clip: float = 1.0
    threads: int = 2


@dataclass(frozen=True)
class DPOStep:
    """One step, measured before it.

    `margin` is the mean of r+ - r-, `accuracy` the share of the batch's pairs above 0. `better`
    and `worse` tell how far the log-probabilities of whole answers have moved from the
    reference's, in nats: both may fall while the margin grows, so look at both.
    """

    step: int
    loss: float
    margin: float
    accuracy: float
    better: float
    worse: float
    gradient_norm: float
    seconds: float


def dpo_loss(better, worse, reference_better, reference_worse, beta, weight):  # (B,) each -> ()
    """-log sigmoid(beta (log-ratio of the better answer - that of the worse)), times `weight`."""
    moved = subtract(subtract(better, reference_better), subtract(worse, reference_worse))
    return multiply(total(log_sigmoid(multiply(moved, np.float32(beta)))), np.float32(-weight))


def shard_loss(config, options, weight):
    """The loss of a shard whose first half are the better answers, as `gradients` wants it.

    `moved` (B,) is filled with how far each answer's log-probability is from the reference's.
    """

    def loss(params, tokens, mask, reference, moved):
        sums = sum_rows(completion_log_probabilities(params, tokens, mask, config), mask)
        half = len(mask) // 2
        moved[:] = array(sums) - reference
        return dpo_loss(sums[:half], sums[half:], reference[:half], reference[half:],
                        options.beta, weight)  # fmt: skip

    return loss


def dpo(
    policy: Policy, pairs: Sequence[Pair], options: DPOOptions, rng: np.random.Generator
) -> Iterator[DPOStep]:
    """Train the policy on preferences; yields after every step."""
    if not pairs:
        raise ValueError("There are no pairs yet: DPO needs at least one preference.")
    # 1. The reference's log-probability of every answer: the sum over its tokens, once.
    answers = [sample for pair in pairs for sample in (pair.better, pair.worse)]
    frozen = token_log_probabilities_of(
        policy.reference.params, answers, policy.config, policy.pad, threads=options.threads
    )
    reference = np.array([tokens.sum() for tokens in frozen], np.float32).reshape(-1, 2)
    size, queue = min(options.batch, len(pairs)), []
    for step in range(1, options.steps + 1):
        start = time.perf_counter()
        # 2. The next pairs; when all were seen, shuffle again.
        while len(queue) < size:
            queue += shuffled(rng, len(pairs), len(pairs))[0].tolist()
        batch, queue = queue[:size], queue[size:]
        parts = [batch[i :: options.threads] for i in range(min(options.threads, size))]
        shards = [
            (*pack([pairs[i].better for i in part] + [pairs[i].worse for i in part], policy.pad),
             reference[part].T.reshape(-1), np.empty(2 * len(part)))
            for part in parts
        ]  # fmt: skip
        # 3. Make the better answer likelier and the worse one less so, against the reference.
        loss = shard_loss(policy.config, options, 1 / size)
        rate = warmup_linear(step - 1, options.rate, options.steps, 3, floor=0.1)
        value, norm = policy.improve(loss, shards, rate, options.clip, options.threads)
        # 4. Report what moved.
        better = np.concatenate([s[-1][: len(s[-1]) // 2] for s in shards])
        worse = np.concatenate([s[-1][len(s[-1]) // 2 :] for s in shards])
        margin = options.beta * (better - worse)
        yield DPOStep(
            step, value, float(margin.mean()), float((margin > 0).mean()), float(better.mean()),
            float(worse.mean()), norm, time.perf_counter() - start,
        )  # fmt: skip
