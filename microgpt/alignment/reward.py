"""A reward model: the GPT's own trunk with one number as its head, trained on preferences.

Bradley and Terry (1952): the better answer wins with probability sigmoid(r+ - r-). The loss is
-log of that (Christiano et al. 2017, eq. 1; Ouyang et al. 2022, eq. 1). Only differences are
ever seen, so the scale's zero means nothing: it is set to the mean of the answers it saw.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.alignment.preferences import Pair
from microgpt.alignment.rollout import Sample, in_batches, pack, pad_token, shuffled
from microgpt.autograd.optim import AdamW, clip_gradients, warmup_linear
from microgpt.autograd.tensor import (
    array,
    embedding,
    linear,
    log_sigmoid,
    multiply,
    reshape,
    subtract,
    total,
)
from microgpt.model.checkpoint import Model
from microgpt.model.gpt import gpt
from microgpt.training.parallel import gradients, keep_freed_memory, single_threaded_blas

HEAD = "reward_head.weight"


@dataclass(frozen=True)
class RewardOptions:
    """How to train: `steps` of `batch` pairs; `frozen` leaves the trunk as it is."""

    steps: int = 30
    batch: int = 16
    rate: float = 2e-4
    head_rate: float = 1e-2
    clip: float = 1.0
    frozen: bool = False
    threads: int = 2


@dataclass(frozen=True)
class RewardStep:
    """One step: the loss (ln 2 where both answers get the same), the share of the batch's pairs
    that are ordered rightly, and the mean margin r+ - r-, all before the step."""

    step: int
    loss: float
    accuracy: float
    margin: float
    gradient_norm: float
    seconds: float


@dataclass
class RewardModel:
    """A trunk with a reward head (1, C) that begins at 0; `center` and `scale` bring the rewards
    of the answers it was trained on to mean 0 and deviation 1."""

    model: Model
    params: dict[str, np.ndarray]
    center: float = 0.0
    scale: float = 1.0

    @classmethod
    def fresh(cls, model: Model) -> "RewardModel":
        params = {name: np.array(p, np.float32) for name, p in model.params.items()}
        params[HEAD] = np.zeros((1, model.config.width), np.float32)
        return cls(model, params)

    def raw(self, samples: Sequence[Sample]):  # -> (N,)
        pad, config = pad_token(self.model.tokenizer), self.model.config

        def score(batch):
            return rewards(self.params, *read_at_the_end(batch, pad), config)

        return np.array(in_batches(score, samples, lambda s: len(s.ids)))

    def score(self, samples: Sequence[Sample]):  # -> (N,)
        """The reward of each sample, centered and scaled."""
        return (self.raw(samples) - self.center) / self.scale

    def accuracy(self, pairs: Sequence[Pair]) -> float:
        """The share of pairs in which the better answer gets the higher reward; ties count half."""
        better, worse = self.raw([p.better for p in pairs]), self.raw([p.worse for p in pairs])
        return float(np.mean(np.where(better == worse, 0.5, better > worse)))


def read_at_the_end(samples: Sequence[Sample], pad: int):  # -> tokens (B, T), last (B,)
    """Padded rows, and where each row's last real token stands in the flattened batch."""
    tokens, _ = pack(samples, pad)
    lengths = np.array([len(s.ids) for s in samples])
    return tokens, np.arange(len(samples)) * tokens.shape[1] + lengths - 1


def rewards(params, tokens, last, config):  # (B, T), (B,) -> (B,)
    """One number an answer, read at its last real token: only there all of it has been seen."""
    stream = reshape(gpt(params, tokens, config, head=False), (-1, config.width))
    return reshape(linear(embedding(stream, last), params[HEAD]), (len(last),))


def bradley_terry(better, worse, weight=None):  # (B,), (B,) -> ()
    """The mean of -log sigmoid(r+ - r-), computed so that no margin overflows."""
    weight = 1 / better.shape[0] if weight is None else weight
    return multiply(total(log_sigmoid(subtract(better, worse))), np.float32(-weight))


def reward_loss(config, weight):
    """The loss of a shard whose first half are the better answers, as `gradients` wants it.

    `margins` (B / 2,) is filled with r+ - r- for whoever watches.
    """

    def loss(params, tokens, last, margins):
        scores = rewards(params, tokens, last, config)
        half = len(last) // 2
        margins[:] = array(scores)[:half] - array(scores)[half:]
        return bradley_terry(scores[:half], scores[half:], weight)

    return loss


def train_reward(
    reward: RewardModel, pairs: Sequence[Pair], options: RewardOptions, rng: np.random.Generator
) -> Iterator[RewardStep]:
    """Fit a reward model to preferences, changing it; yields after every step."""
    if not pairs:
        raise ValueError("There are no pairs yet: a reward model needs at least one preference.")
    keep_freed_memory()
    config, pad = reward.model.config, pad_token(reward.model.tokenizer)
    trunk, head = AdamW(decay=0.0), AdamW(decay=0.0)
    queue: list[int] = []
    for step in range(1, options.steps + 1):
        start = time.perf_counter()
        # 1. Take pairs that were not seen for longest; when all were seen, shuffle again.
        while len(queue) < min(options.batch, len(pairs)):
            queue += shuffled(rng, len(pairs), len(pairs))[0].tolist()
        batch = [pairs[queue.pop(0)] for _ in range(min(options.batch, len(pairs)))]
        # 2. Read both answers of each, and go back through -log sigmoid(r+ - r-).
        parts = [batch[i :: options.threads] for i in range(min(options.threads, len(batch)))]
        margins = [np.empty(len(part)) for part in parts]
        shards = [
            (*read_at_the_end([p.better for p in part] + [p.worse for p in part], pad), out)
            for part, out in zip(parts, margins, strict=True)
        ]
        with single_threaded_blas():
            loss = reward_loss(config, 1 / len(batch))
            value, grads = gradients(loss, reward.params, shards, options.threads)
            norm = clip_gradients(grads, options.clip)
            # 3. Step: the new head fast, the trunk, which knows the language, slowly or not.
            rate = warmup_linear(step - 1, options.rate, options.steps, 3)
            head.update(reward.params, {HEAD: grads.pop(HEAD)},
                        rate * options.head_rate / options.rate)  # fmt: skip
            if not options.frozen:
                trunk.update(reward.params, grads, rate)
        margin = np.concatenate(margins)
        yield RewardStep(
            step, value, float((margin > 0).mean()), float(margin.mean()), norm,
            time.perf_counter() - start,
        )  # fmt: skip
    center(reward, [s for pair in pairs for s in pair.samples])


def center(reward: RewardModel, samples: Sequence[Sample]) -> None:
    """Move the zero of the scale to these samples' mean reward, and its unit to their deviation.

    A leash on the policy is measured in nats; only rewards of a known size can be weighed
    against it (Ziegler et al. 2019, section 2.1).
    """
    raw = reward.raw(samples)
    reward.center, reward.scale = float(raw.mean()), max(float(raw.std()), 1e-3)


@dataclass(frozen=True)
class LengthBaseline:
    """A judge who can only count tokens: `sign` +1 likes the longer answer, -1 the shorter."""

    sign: int

    @classmethod
    def fit(cls, pairs: Sequence[Pair]) -> "LengthBaseline":
        longer = sum(np.sign(len(p.better.completion) - len(p.worse.completion)) for p in pairs)
        return cls(1 if longer >= 0 else -1)

    def accuracy(self, pairs: Sequence[Pair]) -> float:
        """The share of pairs that length alone orders rightly; equal lengths count half."""
        gaps = np.array([len(p.better.completion) - len(p.worse.completion) for p in pairs])
        return float(np.mean(np.where(gaps == 0, 0.5, np.sign(gaps) == self.sign)))


LN2 = math.log(2)  # the loss of somebody who can't tell the answers apart
