"""The training loop: read a batch, go forward and backward, take a step, report."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save as write_tensors

from microgpt.autograd.optim import AdamW, clip_gradients, warmup_cosine, warmup_linear
from microgpt.autograd.tensor import array, cross_entropy
from microgpt.model.gpt import gpt
from microgpt.tokens.files import write_atomically
from microgpt.training.parallel import gradients, keep_freed_memory, single_threaded_blas


@dataclass(frozen=True)
class Options:
    """How to train. `rate` is the peak learning rate; `hold` the share of the run spent on it
    before it falls to `floor * rate`, along the line or the cosine that `schedule` names ("linear"
    or "cosine", which holds nothing); `micro` the sequences a thread takes at a time.
    `balance` and `router_z` weigh the losses of a mixture of experts, the mean over its layers.
    """

    steps: int
    batch: int
    rate: float
    warmup: int = 100
    hold: float = 0.3
    floor: float = 0.03
    decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    micro: int = 4
    threads: int = 2
    balance: float = 0.01
    router_z: float = 0.001
    schedule: str = "linear"

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if self.schedule == "cosine":
            return warmup_cosine(step, self.rate, self.steps, self.warmup, self.floor)
        return warmup_linear(step, self.rate, self.steps, self.warmup, self.floor, self.hold)


@dataclass
class State:
    """All that training changes; stored, it resumes bit for bit."""

    params: dict[str, np.ndarray]
    optimizer: AdamW
    step: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class StepReport:
    """What one step did. `loss` is in nats per learned token, before the step; `added` is what
    the layers' own losses put on top of it (a mixture of experts has some).
    """

    step: int
    loss: float
    rate: float
    gradient_norm: float
    tokens: int
    seconds: float
    added: float = 0.0


def fresh_state(params, options: Options) -> State:
    """Training state from copies of some weights."""
    optimizer = AdamW(options.beta1, options.beta2, decay=options.decay)
    return State({name: np.array(p, np.float32) for name, p in params.items()}, optimizer)


def loss_function(config, options: Options | None = None, note=None):
    """The model's mean surprise over a shard, as `gradients` wants it.

    With options, the layers' own losses are added, each the mean over the layers that have it, in
    proportion to the shard's part of the batch; `note(number)` is told how much that was.
    """
    factors = {"balance": options.balance, "z": options.router_z} if options else {}

    def loss(params, tokens, targets, weights):
        own = []

        def collect(name, value):
            own.append(value * (factors[name] / config.layers))

        logits = gpt(params, tokens, config, losses=collect if options else None)
        surprise = cross_entropy(logits, targets, weights)
        if not own:
            return surprise
        added = sum(own) * weights.sum()
        if note:
            note(float(array(added)))
        return surprise + added

    return loss


def shards(batch, size):
    """A batch cut into micro-batches of `size` rows."""
    return [tuple(a[i : i + size] for a in batch) for i in range(0, len(batch.tokens), size)]


def train_steps(state: State, config, batches, options: Options, loss=None) -> Iterator[StepReport]:
    """Train until `options.steps`, changing `state`; yields after every step.

    `batches` must start with batch number `state.step`; none is taken when the run is over.
    `loss(params, *shard)` is the model's own unless another is given.
    """
    keep_freed_memory()
    batches = iter(batches)
    while state.step < options.steps and (batch := next(batches, None)) is not None:
        start, added = time.perf_counter(), []
        of = loss or loss_function(config, options, added.append)
        with single_threaded_blas():
            micro = shards(batch, options.micro)
            value, grads = gradients(of, state.params, micro, options.threads)
            norm = clip_gradients(grads, options.clip)
            if not np.isfinite(value) or not np.isfinite(norm):
                raise FloatingPointError(
                    f"The loss became {value} at step {state.step}; lower the learning rate."
                )
            rate = options.rate_at(state.step)
            state.optimizer.update(state.params, grads, rate)
        seconds = time.perf_counter() - start
        state.step += 1
        state.seconds += seconds
        more = math.fsum(added)  # exact, so in whatever order the threads came
        yield StepReport(state.step, value - more, rate, norm, batch.tokens.size, seconds, more)


def evaluate_loss(params, config, batches) -> float:
    """Mean loss over some batches, in nats per learned token."""
    with single_threaded_blas():
        losses = [cross_entropy(gpt(params, b.tokens, config), b.targets, b.weights)
                  for b in batches]  # fmt: skip
    return float(np.mean(losses))


def save_state(path: Path, state: State, about: dict) -> None:
    """Write everything a resumed run needs, in one move; `about` says which run it is."""
    tensors = {f"params/{n}": p for n, p in state.params.items()}
    for name, (first, second) in state.optimizer.state.items():
        tensors[f"first/{name}"], tensors[f"second/{name}"] = first, second
    numbers = {"step": state.step, "seconds": state.seconds, "updates": state.optimizer.steps}
    metadata = {"state": json.dumps(numbers), "about": json.dumps(about, sort_keys=True)}
    write_atomically(path, write_tensors(tensors, metadata))


def load_state(path: Path, options: Options, about: dict) -> State:
    """Read a stored state; ValueError where it belongs to another run or is damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if json.loads(metadata.get("about", "null")) != json.loads(json.dumps(about)):
                raise ValueError(
                    f"{path} belongs to a run with other settings; delete it to start anew."
                )
            numbers = json.loads(metadata["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            f"{path} can't be resumed from: {error}. Delete it to start anew."
        ) from None
    part = {
        kind: {n.split("/", 1)[1]: t for n, t in tensors.items() if n.startswith(kind)}
        for kind in ("params", "first", "second")
    }
    state = fresh_state(part["params"], options)
    state.optimizer.state = {n: (part["first"][n], part["second"][n]) for n in part["first"]}
    state.optimizer.steps, state.step = numbers["updates"], numbers["step"]
    state.seconds = numbers["seconds"]
    return state


def describe(options: Options) -> dict:
    return asdict(options)
