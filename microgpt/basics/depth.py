"""What happens inside deep networks: layers that collapse, gradients that fade, dead units."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from microgpt.autograd import tensor
from microgpt.autograd.tensor import Tensor
from microgpt.basics import network
from microgpt.basics.datasets import Points

ASLEEP = 0.01  # a unit whose slope is smaller than this at every point learns nothing


def turning_layers(count: int, size: int, rng: np.random.Generator, gain=1.0) -> list[tuple]:
    """`count` layers (weight, bias) that turn and stretch space, by `gain` on the whole."""
    layers = []
    for _ in range(count):
        turn = np.linalg.qr(rng.normal(0, 1, (size, size)))[0]
        turn[0] *= np.sign(np.linalg.det(turn))  # no mirror images
        weight = gain * turn @ (np.eye(size) + 0.1 * rng.normal(0, 1, (size, size)))
        layers.append((weight, 0.1 * rng.normal(0, 1, size)))
    return layers


@dataclass(frozen=True)
class Product:
    """The first `count` layers as one: x -> weight x + bias."""

    count: int
    weight: np.ndarray
    bias: np.ndarray


def collapse(layers) -> Iterator[Product]:
    """Multiply linear layers together, one at a time.

    W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2): two linear layers are one linear layer.
    """
    size = layers[0][0].shape[1]
    product, shift = np.eye(size), np.zeros(size)
    for count, (weight, bias) in enumerate(layers, 1):
        product = weight @ product
        shift = weight @ shift + bias
        yield Product(count, product, shift)


def through(layers, x, activation: str = "linear"):  # (N, I) -> list of (N, O)
    """What each layer in turn makes of the points, with an activation after every layer."""
    bend = network.find(network.ACTIVATIONS, activation, "activation")
    seen = []
    for weight, bias in layers:
        x = bend(x @ weight.T + bias)
        seen.append(x)
    return seen


def best_single_layer(x, y):  # (N, I), (N, O) -> (O, I), (O,)
    """The one linear layer that comes closest to turning x into y (least squares)."""
    with_one = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    solution = np.linalg.lstsq(with_one, y, rcond=None)[0]
    return solution[:-1].T, solution[-1]


def slope(activation: str, z):  # (...) -> (...)
    """The derivative of an activation at every z, by the tape."""
    bend = network.find(network.ACTIVATIONS, activation, "activation")
    leaf = Tensor(np.asarray(z, dtype=float))
    tensor.total(bend(leaf)).backward()
    return leaf.grad


@dataclass(frozen=True)
class Layer:
    """One layer, measured on all points at once.

    `signal` is the root mean square of what the layer passes on, `gradient` that of the
    derivative of the loss by its weights, `dead` the share of units whose slope is below
    `ASLEEP` at every point (0 for an output, which has no activation).
    """

    signal: float
    gradient: float
    dead: float


def measure(params, points: Points, activation: str) -> list[Layer]:
    """One forward and one backward pass, layer by layer."""
    with np.errstate(all="ignore"):
        _, grads, seen = network.gradients(params, points, activation)
        layers = []
        for layer in range(len(params) // 2):
            sums, out = seen[f"layers.{layer}.sums"].data, seen[f"layers.{layer}.out"].data
            asleep = np.abs(slope(activation, sums)) < ASLEEP
            dead = 0.0 if layer == len(params) // 2 - 1 else float(asleep.all(axis=0).mean())
            gradient = root_mean_square(grads[f"layers.{layer}.weight"])
            layers.append(Layer(root_mean_square(out), gradient, dead))
    return layers


def root_mean_square(x) -> float:
    return math.sqrt(float(np.mean(np.square(x))))
