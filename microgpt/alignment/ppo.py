"""Proximal policy optimization with a leash: write, judge, improve a little, write again.

Schulman et al. 2017, for language models as in Ziegler et al. 2019 and Ouyang et al. 2022. An
action is a token, an episode an answer. The reward model speaks once, at the answer's last token;
every token pays for leaving the reference.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.alignment.policy import Policy, clip_fraction, clipped_policy_loss, k1
from microgpt.alignment.rollout import (
    Sample,
    in_batches,
    last_stream,
    log_probabilities,
    pack,
    sample,
    shuffled,
    split,
    token_log_probabilities_of,
)
from microgpt.autograd.tensor import (
    add,
    array,
    clip,
    linear,
    maximum,
    multiply,
    reshape,
    subtract,
    total,
)

HEAD = "value_head.weight"


@dataclass(frozen=True)
class PPOOptions:
    """`rows` answers a step. `beta` is what a nat of distance from the reference costs (0: no
    leash); with `target`, in nats an answer, it is adapted so that the distance comes there.
    `limit` bounds the policy's ratio, `value_limit` how far a value moves. `discount` and
    `smoothing` are GAE's gamma and lambda.
    """

    steps: int = 30
    rows: int = 64
    max_tokens: int = 48
    epochs: int = 2
    minibatch: int = 32
    rate: float = 1e-4
    value_rate: float = 3e-3
    limit: float = 0.2
    value_limit: float = 0.2
    value_weight: float = 0.1
    beta: float = 0.05
    target: float | None = None
    discount: float = 1.0
    smoothing: float = 0.95
    temperature: float = 1.0
    clip: float = 1.0
    threads: int = 2


@dataclass(frozen=True)
class PPOStep:
    """One step. `reward` is the mean of what the answers got, before the leash; `kl` the mean over
    answers of log p - log p_reference, in nats; `beta` the leash's price in this step. `value` is
    the mean expectation at the first token, `explained` the share of the returns' variance that
    the values explain. `entropy` is the mean surprise of the tokens drawn, in nats. `ratio` and
    `clipped` are those of every minibatch, in order, before its update. `samples` are the answers,
    `rewards` what each got.
    """

    step: int
    reward: float
    kl: float
    beta: float
    value: float
    explained: float
    policy_loss: float
    value_loss: float
    entropy: float
    ratio: tuple[float, ...]
    clipped: tuple[float, ...]
    gradient_norm: float
    length: float
    seconds: float
    samples: tuple[Sample, ...]
    rewards: tuple[float, ...]


def policy_and_values(params, tokens, mask, config, temperature):  # -> (N,), (N,)
    """For every completion token: log p, and the reward still to come, as expected before it."""
    stream = last_stream(params, tokens, mask, config)
    log_p = log_probabilities(stream, params, tokens, mask, config, temperature)
    return log_p, reshape(linear(stream, params[HEAD]), (-1,))


def token_rewards(score, log_policy, log_reference, beta):  # number, (T,), (T,) -> (T,)
    """What each token of one answer earns: its share of the leash, and the score at the end."""
    rewards = -beta * k1(log_policy, log_reference)
    rewards[-1] += score
    return rewards


def advantages_of(rewards, values, discount=1.0, smoothing=0.95):  # (T,), (T,) -> (T,), (T,)
    """Generalized advantage estimation, backwards, and the returns (Schulman et al. 2016, eq. 16).

    A surprise is r_t + gamma V_{t+1} - V_t, where V past the end is 0; an advantage is the sum of
    the surprises from there on, each later one counting gamma lambda times as much.
    """
    advantages, later, next_value = np.zeros(len(rewards)), 0.0, 0.0
    for t in reversed(range(len(rewards))):
        surprise = rewards[t] + discount * next_value - values[t]
        later = surprise + discount * smoothing * later
        advantages[t], next_value = later, values[t]
    return advantages, advantages + values


def whiten(advantages):  # (N,) -> (N,)
    """Mean 0 and deviation 1 over all tokens of the batch, so that the step has a known size."""
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)


def value_loss(values, old, returns, weight, limit):  # (N,) thrice -> ()
    """Half the squared error; a value that left old +- limit is not rewarded for going on."""
    near = add(old, clip(subtract(values, old), -limit, limit))
    error, near_error = subtract(values, returns), subtract(near, returns)
    worst = maximum(multiply(error, error), multiply(near_error, near_error))
    return multiply(total(worst), np.float32(0.5 * weight))


def shard_loss(config, options, weight):
    """The loss of a shard, as `gradients` wants it.

    `seen` (3, N) is filled for the report: log ratios, then the policy's and the values' loss.
    """

    def loss(params, tokens, mask, log_old, old_values, advantages, returns, seen):
        log_new, values = policy_and_values(params, tokens, mask, config, options.temperature)
        gain = clipped_policy_loss(log_new, log_old, advantages, weight, options.limit)
        error = value_loss(values, old_values, returns, weight, options.value_limit)
        seen[0], seen[1], seen[2] = array(log_new) - log_old, array(gain), array(error)
        return add(gain, multiply(error, np.float32(options.value_weight)))

    return loss


def adapted(beta, kl, options) -> float:
    """The leash's price for the next step: up to a fifth dearer where the policy is too far, up to
    a fifth cheaper where it is near (Ziegler et al. 2019, section 2.2, whose steps are smaller
    and many more)."""
    if options.target is None:
        return beta
    return float(beta * (1 + np.clip(kl / options.target - 1, -0.2, 0.2)))


def ppo(
    policy: Policy,
    prompts: Sequence[tuple[int, ...]],
    reward: Callable[[Sequence[Sample]], np.ndarray],
    options: PPOOptions,
    rng: np.random.Generator,
) -> Iterator[PPOStep]:
    """Train the policy to be rewarded without leaving its reference; yields after every step."""
    if not prompts:
        raise ValueError("There are no prompts to practise on; give at least one.")
    policy.params.setdefault(HEAD, np.zeros((1, policy.config.width), np.float32))
    beta = options.beta
    for step in range(1, options.steps + 1):
        start = time.perf_counter()
        # 1. Ask, and let the policy write.
        asked = [prompts[i] for i in rng.integers(len(prompts), size=options.rows)]
        samples = sample(
            policy.model, asked, options.max_tokens, rng, options.temperature, options.threads
        )
        # 2. Judge whole answers.
        scores = np.asarray(reward(samples), np.float64)
        # 3. How likely each token was, for the policy and the reference, and what was expected.
        log_old, values = _expectations(policy, samples, options)
        log_reference = token_log_probabilities_of(
            policy.reference.params, samples, policy.config, policy.pad, options.temperature,
            options.threads,
        )  # fmt: skip
        # 4. The reward of each token: the leash everywhere, the score at the end.
        # 5. Advantages, backwards; returns before the advantages are whitened.
        estimated = [
            advantages_of(token_rewards(s, p, q, beta), v, options.discount, options.smoothing)
            for s, p, q, v in zip(scores, log_old, log_reference, values, strict=True)
        ]
        lengths = [len(p) for p in log_old]
        advantages = split(whiten(np.concatenate([a for a, _ in estimated])), lengths)
        returns = [r for _, r in estimated]
        # 6. Some clipped steps on minibatches.
        columns = log_old, values, advantages, returns
        updates = [
            _update(policy, batch, samples, columns, options)
            for _ in range(options.epochs)
            for batch in shuffled(rng, len(samples), options.minibatch)
        ]
        # 7. Report, and adapt the leash.
        kl = float(np.mean([k1(p, q).sum() for p, q in zip(log_old, log_reference, strict=True)]))
        yield _report(step, start, samples, scores, kl, beta, columns, updates)
        beta = adapted(beta, kl, options)


def _expectations(policy, samples, options):
    """Log-probability and value of every token, a list of (T,) each; no gradient."""

    def read(batch):
        tokens, mask = pack(batch, policy.pad)
        both = policy_and_values(policy.params, tokens, mask, policy.config, options.temperature)
        return zip(*(split(column, mask.sum(1)) for column in both), strict=True)

    read_all = in_batches(read, samples, lambda s: len(s.ids), options.threads)
    return [p for p, _ in read_all], [v for _, v in read_all]


def _update(policy, batch, samples, columns, options):
    """One step on a minibatch: policy loss, value loss, gradient norm, ratio, clip fraction."""
    parts = [batch[i :: options.threads] for i in range(min(options.threads, len(batch)))]
    shards = []
    for part in parts:
        rows = [np.concatenate([column[i] for i in part]).astype(np.float32) for column in columns]
        tokens = pack([samples[i] for i in part], policy.pad)
        shards.append((*tokens, *rows, np.empty((3, len(rows[0])))))
    weight = 1 / sum(shard[-1].shape[1] for shard in shards)
    loss = shard_loss(policy.config, options, weight)
    rates = {HEAD: options.value_rate}
    _, norm = policy.improve(loss, shards, options.rate, options.clip, options.threads, rates)
    seen = [shard[-1] for shard in shards]
    ratio = np.exp(np.concatenate([s[0] for s in seen]))
    losses = [sum(float(s[i, 0]) for s in seen) for i in (1, 2)]
    return *losses, norm, float(ratio.mean()), clip_fraction(ratio, options.limit)


def _report(step, start, samples, scores, kl, beta, columns, updates) -> PPOStep:
    log_old, values, _, returns = columns
    policy_losses, value_losses, norms, ratios, clipped = zip(*updates, strict=True)
    flat = np.concatenate(returns)
    unexplained = np.var(flat - np.concatenate(values)) / max(np.var(flat), 1e-12)
    return PPOStep(
        step, float(scores.mean()), kl, beta, float(np.mean([v[0] for v in values])),
        float(1 - unexplained), float(np.mean(policy_losses)), float(np.mean(value_losses)),
        float(-np.concatenate(log_old).mean()), ratios, clipped, float(np.mean(norms)),
        float(np.mean([len(s.completion) for s in samples])), time.perf_counter() - start,
        tuple(samples), tuple(scores.tolist()),
    )  # fmt: skip
