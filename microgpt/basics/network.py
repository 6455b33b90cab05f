"""A small fully connected network, and its training, one step at a time.

It stands on the same tape (microgpt.autograd.tensor) and the same optimizers as the GPT.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from microgpt.autograd import optim, tensor
from microgpt.autograd.ops import GELU_SCALE
from microgpt.autograd.scalar import Value, as_value
from microgpt.autograd.tensor import Tensor, array
from microgpt.basics.datasets import Points


def leaky_relu(x):
    """x where it is positive, a hundredth of it elsewhere."""
    return tensor.maximum(x, x * 0.01)


def silu(x):
    """x * sigmoid(x), also called swish (Elfwing et al. 2017; Ramachandran et al. 2017)."""
    return x * tensor.sigmoid(x)


ACTIVATIONS: dict[str, Callable] = {
    "relu": tensor.relu,
    "leaky_relu": leaky_relu,
    "sigmoid": tensor.sigmoid,
    "tanh": tensor.tanh,
    "gelu": tensor.gelu,
    "silu": silu,
    "linear": lambda x: x,
}
OPTIMIZERS: dict[str, Callable] = {
    "sgd": optim.SGD,
    "momentum": optim.Momentum,
    "rmsprop": optim.RMSProp,
    "adam": lambda: optim.AdamW(decay=0.0),
}
INITIALIZATIONS = ("small", "xavier", "he", "large")


def neuron(inputs, weights, bias, activation: str):  # numbers or Values
    """One neuron by itself: activation(w1 x1 + w2 x2 + ... + b), on the scalar engine.

    Returns the products, their sum with the bias, and the output, as Values.
    """
    products = [as_value(w) * x for w, x in zip(weights, inputs, strict=True)]
    total = sum(products, as_value(bias))
    return products, total, find(SCALAR_ACTIVATIONS, activation, "activation")(total)


SCALAR_ACTIVATIONS: dict[str, Callable] = {
    "relu": Value.relu,
    "leaky_relu": lambda z: z.maximum(z * 0.01),
    "sigmoid": Value.sigmoid,
    "tanh": Value.tanh,
    "gelu": lambda z: z * 0.5 * (((z + z**3 * 0.044715) * GELU_SCALE).tanh() + 1),
    "silu": lambda z: z * z.sigmoid(),
    "linear": lambda z: z,
}


def find(table: Mapping, name: str, kind: str):
    """The entry of a table. ValueError names those there are."""
    if name not in table:
        raise ValueError(f"There is no {kind} {name!r}; choose one of {', '.join(table)}.")
    return table[name]


def initialize(sizes, rng: np.random.Generator, scheme: str = "xavier") -> dict[str, np.ndarray]:
    """Random weights for layers of these sizes, inputs first; biases 0.

    The spread of a weight of a layer with I inputs and O outputs: "xavier" sqrt(2 / (I + O))
    (Glorot & Bengio 2010), "he" sqrt(2 / I) (He et al. 2015), "small" 0.1 and "large" 3 of "he".
    """
    params = {}
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        he = math.sqrt(2 / inputs)
        spreads = {
            "small": 0.1 * he,
            "xavier": math.sqrt(2 / (inputs + outputs)),
            "he": he,
            "large": 3 * he,
        }
        spread = find(spreads, scheme, "initialization")
        params[f"layers.{layer}.weight"] = spread * rng.normal(0, 1, (outputs, inputs))
        params[f"layers.{layer}.bias"] = np.zeros(outputs)
    return params


def forward(params, x, activation: str, record=None):  # (N, I) -> (N, O)
    """Scores of the outputs. Called with Tensors it goes on the tape.

    `record(name, value)` is called with "layers.0.sums" and "layers.0.out", and so on.
    """
    bend = find(ACTIVATIONS, activation, "activation")
    last = len(params) // 2 - 1
    for layer in range(last + 1):
        weight, bias = params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"]
        sums = tensor.linear(x, weight, bias)
        x = sums if layer == last else bend(sums)
        if record:
            record(f"layers.{layer}.sums", sums)
            record(f"layers.{layer}.out", x)
    return x


def cross_entropy(scores, label):  # (N, O), (N,) -> ()
    """Mean cross-entropy: of a sigmoid when there is one output, else of a softmax over all."""
    if scores.shape[1] > 1:
        return tensor.cross_entropy(scores, label)
    sign = np.where(label == 1, 1.0, -1.0)[:, None]
    return -tensor.mean(tensor.log_sigmoid(scores * sign))


def probabilities(scores):  # (N, O) -> (N,)
    """The probability of label 1, from one output or from two."""
    margin = scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]
    return tensor.sigmoid(margin)


@dataclass(frozen=True)
class Settings:
    """What is chosen before training. `penalty` is the L2 regularization of the weights."""

    hidden: tuple[int, ...] = (8, 8)
    activation: str = "tanh"
    optimizer: str = "adam"
    rate: float = 0.03
    batch: int = 32
    penalty: float = 0.0
    initialization: str = "xavier"


@dataclass(frozen=True)
class Step:
    """One step: the loss of its batch and the gradients, both taken before the update."""

    number: int
    loss: float
    grads: dict[str, np.ndarray]


class Training:
    """A network being trained: its parameters, the optimizer, and the order of the points.

    A copy (`training.copy()`) goes on exactly as the original would.
    """

    def __init__(self, settings: Settings, points: Points, rng: np.random.Generator, outputs=1):
        self.settings, self.points, self.rng = settings, points, rng
        self.sizes = (points.x.shape[1], *settings.hidden, outputs)
        self.params = initialize(self.sizes, rng, settings.initialization)
        self.optimizer = find(OPTIMIZERS, settings.optimizer, "optimizer")()
        self.number = 0
        self.waiting = np.zeros(0, dtype=int)  # points that this epoch has not seen

    def step(self) -> Step:
        """Predict a batch, measure the error, walk back, nudge every parameter."""
        batch = self.next_batch()
        params = {name: Tensor(p) for name, p in self.params.items()}
        scores = forward(params, self.points.x[batch], self.settings.activation)
        loss = cross_entropy(scores, self.points.label[batch])
        loss.backward()
        grads = {name: p.grad for name, p in params.items()}
        if self.settings.penalty:
            for name in grads:
                if name.endswith("weight"):
                    grads[name] = grads[name] + self.settings.penalty * self.params[name]
        self.optimizer.update(self.params, grads, self.settings.rate)
        self.number += 1
        return Step(self.number, float(loss.data), grads)

    def steps(self, count: int) -> Iterator[Step]:
        """Up to `count` steps; fewer when the loss is no longer a number."""
        with np.errstate(all="ignore"):
            for _ in range(count):
                step = self.step()
                yield step
                if not math.isfinite(step.loss):
                    return

    def next_batch(self) -> np.ndarray:
        """Indices of the next points; every epoch goes through all of them in a new order."""
        size = min(self.settings.batch, len(self.points))
        if len(self.waiting) < size:
            self.waiting = np.concatenate([self.waiting, self.rng.permutation(len(self.points))])
        batch, self.waiting = self.waiting[:size], self.waiting[size:]
        return batch

    def finite(self) -> bool:
        """False once training has diverged: a parameter is infinite, not a number, or huge."""
        return all(np.abs(p).max() < 1e9 for p in self.params.values())

    def copy(self) -> "Training":
        return copy.deepcopy(self)


def evaluate(params, points: Points, activation: str) -> tuple[float, float]:
    """Loss, and the share of points on the right side."""
    with np.errstate(all="ignore"):
        scores = forward(params, points.x, activation)
        loss = float(cross_entropy(scores, points.label))
        right = float(((probabilities(scores) > 0.5) == points.label).mean())
    return loss, right


def gradients(params, points: Points, activation: str):
    """Loss on all points, its gradients, and what was recorded on the way, with `grad` kept."""
    tensors = {name: Tensor(p) for name, p in params.items()}
    seen: dict[str, Tensor] = {}
    scores = forward(tensors, points.x, activation, record=seen.__setitem__)
    loss = cross_entropy(scores, points.label)
    loss.backward(keep=True)
    return float(array(loss)), {name: t.grad for name, t in tensors.items()}, seen
