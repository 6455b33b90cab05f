"""A task that needs the order of words, for models so small that they train in a second.

"A bites B. Who was bitten?" The three words before the question are the same bag for both
readings, so a model that cannot tell the order is right half of the time at best.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from microgpt.model.config import GPTConfig
from microgpt.model.gpt import gpt, init_params
from microgpt.training.data import Batch
from microgpt.training.train import Options, fresh_state, train_steps

NAMES = ("dog", "man", "cat", "boy", "fox", "hen", "pig", "owl", "cow", "ant", "bee", "rat")
VOCABULARY = (*NAMES, "bites", "?")
BITES, QUESTION = len(NAMES), len(NAMES) + 1
WIDTH, BATCH = 32, 48
SCHEMES = ("learned", "sinusoidal", "rope", "alibi", "none")


def task_config(positions: str, layers: int) -> GPTConfig:
    """A model of `layers` layers for the task, about 12,000 weights a layer."""
    return GPTConfig(vocab_size=len(VOCABULARY), context=4, layers=layers, width=WIDTH, heads=2,
                     hidden=64, positions=positions)  # fmt: skip


def sentences(first, second):  # (B,), (B,) -> (B, 4)
    """`first` bites `second` ?"""
    column = np.ones_like(first)
    return np.stack([first, BITES * column, second, QUESTION * column], axis=1)


def batches(rng: np.random.Generator) -> Iterator[Batch]:
    """Random sentences without end; only the answer after the question is learned."""
    while True:
        first = rng.integers(len(NAMES), size=BATCH)
        second = (first + rng.integers(1, len(NAMES), size=BATCH)) % len(NAMES)
        tokens = sentences(first, second)
        targets = np.concatenate([tokens[:, 1:], second[:, None]], axis=1)
        weights = np.zeros(tokens.shape, np.float32)
        weights[:, -1] = 1 / BATCH
        yield Batch(tokens, targets, weights)


def accuracy(params, config) -> float:
    """Share of all sentences for which the best answer is the one who was bitten."""
    first, second = (a.ravel() for a in np.indices((len(NAMES), len(NAMES))))
    keep = first != second
    logits = gpt(params, sentences(first[keep], second[keep]), config)[:, -1]
    return float((logits.argmax(-1) == second[keep]).mean())


@dataclass(frozen=True)
class Point:
    """One look at a model in training."""

    step: int
    loss: float  # of the step before, in nats
    accuracy: float


@dataclass(frozen=True)
class Trained:
    """A finished run: its curve, and its weights."""

    config: GPTConfig
    points: tuple[Point, ...]
    params: dict


def learn(positions: str, layers: int, steps: int, seed: int, every: int = 20) -> Trained:
    """Train one model for the task; always the same for the same seed."""
    config = task_config(positions, layers)
    rng = np.random.default_rng(seed)
    options = Options(steps, BATCH, 0.01, warmup=10, decay=0.0, micro=BATCH, threads=1)
    state = fresh_state(init_params(config, rng), options)
    points = []
    for report in train_steps(state, config, batches(rng), options):
        if report.step == 1 or report.step % every == 0:
            points.append(Point(report.step, report.loss, accuracy(state.params, config)))
    return Trained(config, tuple(points), state.params)
