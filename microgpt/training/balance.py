"""Small mixtures of experts that learn side by side, with and without the balance loss."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

import numpy as np

from microgpt.model.config import llama_style
from microgpt.model.gpt import init_params
from microgpt.model.trace import trace
from microgpt.training.data import Batch, batches
from microgpt.training.train import Options, fresh_state, train_steps
from microgpt.world.corpus import documents

CONTEXT, ROWS, EXPERTS, CHUNKS = 64, 8, 8, 3
OPTIONS = Options(
    steps=120, batch=ROWS, rate=1e-2, warmup=10, micro=ROWS, threads=1, router_z=0.0
)  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """One mixture after some steps: its loss in nats, and the share of the choices that each
    expert got in a batch that is not trained on, (E,)."""

    step: int
    loss: float
    load: tuple[float, ...]


def small_mixture(vocab_size: int):
    """One layer of eight experts, small enough to learn while somebody watches."""
    return llama_style(
        vocab_size=vocab_size, context=CONTEXT, layers=1, width=48, heads=2, hidden=48,
        mlp="moe", experts=EXPERTS, active=2,
    )  # fmt: skip


def reading(tokenizer, seed: int) -> tuple[list[Batch], Batch]:
    """Batches to learn from, again and again, and one to look at."""
    stream = batches(documents, tokenizer, CONTEXT, ROWS, f"balance/{seed}")
    *learned, looked_at = islice(stream, 32 * CHUNKS + 1)
    return learned, looked_at


def race(
    tokenizer, weights=(0.0, 0.1), seed: int = 0, every: int = 5, steps: int = OPTIONS.steps
) -> Iterator[tuple[Moment, ...]]:
    """The same mixture, from the same start, on the same text; only the balance loss weighs more
    or less. Yields the state of all of them at step 0 and after every few steps."""
    config = small_mixture(tokenizer.vocab_size)
    learned, looked_at = reading(tokenizer, seed)
    start = init_params(config, np.random.default_rng(seed))
    runs = []
    for weight in weights:
        options = replace(OPTIONS, balance=weight, steps=steps)
        state = fresh_state(start, options)
        runs.append((state, train_steps(state, config, cycle(learned), options)))
    losses = [float("nan")] * len(runs)
    for step in range(steps + 1):
        if step:
            losses = [next(run).loss for _, run in runs]
        if step % every == 0 or step == steps:
            yield tuple(
                Moment(step, loss, load(state.params, looked_at.tokens, config))
                for (state, _), loss in zip(runs, losses, strict=True)
            )


def load(params, tokens, config) -> tuple[float, ...]:
    """Each expert's share of all choices, in all layers together."""
    values = trace(params, tokens, config)
    chosen = [values[f"blocks.{layer}.mlp.chosen"] for layer in range(config.layers)]
    counts = np.bincount(np.concatenate(chosen).ravel(), minlength=config.experts)
    return tuple((counts / counts.sum()).tolist())
