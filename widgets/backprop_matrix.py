"""From single numbers to tensors: the walk through one matrix product, cell by cell."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.autograd import tensor
from microgpt.autograd.scalar import Value
from microgpt.autograd.tensor import Tensor
from widgets import chapter
from widgets.components import component

KEY = "backprop_matrix"
ROWS, INNER, COLUMNS, SEED = 2, 3, 2, 1

_mount = component(KEY)


@dataclass(frozen=True)
class Walk:
    """Y = X W, loss = half the squares of Y − T, and everything that flows back.

    `apart` is the largest difference to the same gradients from single numbers.
    """

    x: np.ndarray  # (2, 3)
    w: np.ndarray  # (3, 2)
    target: np.ndarray  # (2, 2)
    y: np.ndarray
    loss: float
    dy: np.ndarray
    dx: np.ndarray
    dw: np.ndarray
    apart: float
    seconds: float


def loss_of(x: Tensor, w: Tensor, target) -> tuple[Tensor, Tensor]:
    """The product and half its squared distance to the target, on the tape."""
    y = tensor.matmul(x, w)
    difference = y - target
    return y, tensor.total(difference * difference) * 0.5


@st.cache_resource(max_entries=64, show_spinner=False)
def compute(seed: int) -> Walk:
    """Forward and backward on tensors, and once more on single numbers to compare."""
    rng = np.random.default_rng(seed)
    x, w, target = (
        rng.integers(-4, 5, size) / 2 for size in ((ROWS, INNER), (INNER, COLUMNS), (ROWS, COLUMNS))
    )
    began = time.perf_counter()
    leaf_x, leaf_w = Tensor(x), Tensor(w)
    y, loss = loss_of(leaf_x, leaf_w, target)
    loss.backward(keep=True)
    seconds = time.perf_counter() - began
    by_numbers = scalar_gradients(x, w, target)
    apart = max(
        float(np.abs(ours - theirs).max())
        for ours, theirs in zip((leaf_x.grad, leaf_w.grad), by_numbers, strict=True)
    )
    return Walk(
        x, w, target, y.data, float(loss.data), y.grad, leaf_x.grad, leaf_w.grad, apart, seconds
    )


def scalar_gradients(x, w, target) -> tuple[np.ndarray, np.ndarray]:
    """The same gradients with one Value for every cell: no matrix anywhere."""
    left = [[Value(v) for v in row] for row in x]
    right = [[Value(v) for v in row] for row in w]
    loss = Value(0)
    for i, row in enumerate(left):
        for j in range(len(right[0])):
            cell = sum((row[k] * right[k][j] for k in range(len(right))), Value(0))
            difference = cell - float(target[i, j])
            loss = loss + difference * difference * 0.5
    loss.backward()
    return tuple(np.array([[v.grad for v in row] for row in side]) for side in (left, right))


def in_words(walk: Walk) -> str:
    return (
        f"X is {ROWS} by {INNER}, W is {INNER} by {COLUMNS}, so Y is {ROWS} by {COLUMNS}; the "
        f"loss is {walk.loss:.3f}. The gradient of W is X turned over its diagonal, times the "
        "gradient of Y; that of X is the gradient of Y times W turned over its diagonal. "
        f"Single numbers give the same gradients: the largest difference is {walk.apart:.1g}."
    )


@st.fragment
def matrix_walk() -> Walk:
    """Draw the widget."""
    st.button("Other numbers", key=f"{KEY}_again", on_click=_again)
    seed = st.session_state.get(f"{KEY}:seed", SEED)
    walk = compute(seed)
    _mount(
        {
            "x": walk.x,
            "w": walk.w,
            "t": walk.target,
            "y": walk.y,
            "dy": walk.dy,
            "dx": walk.dx,
            "dw": walk.dw,
            "loss": walk.loss,
            "apart": f"{walk.apart:.1g}",
            "run": str(seed),
        },
        key=KEY,
    )
    chapter.mark(
        "computed", by="microgpt.autograd.tensor", seconds=walk.seconds, where=f"seed {seed}"
    )
    chapter.text_twin(in_words(walk))
    return walk


def _again() -> None:
    st.session_state[f"{KEY}:seed"] = st.session_state.get(f"{KEY}:seed", SEED) + 1
