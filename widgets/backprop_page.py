"""What the prose of chapter 7 says about its own runs: computed, and kept for all readers."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.autograd.optim import SGD, AdamW
from microgpt.autograd.scalar import Value
from microgpt.basics import expressions
from widgets import backprop_matrix, backprop_training


@dataclass(frozen=True)
class Tour:
    """The numbers of the runs that the prose talks about."""

    used_thrice: float
    first_loss: float
    last_loss: float
    steps: int
    right: int
    dx: np.ndarray
    dw: np.ndarray


@st.cache_resource(max_entries=1, show_spinner=False)
def tour() -> Tour:
    """Run what the prose talks about, once per server."""
    _, slopes = expressions.slope(expressions.parse("x*x + x"), x=3.0)
    found, _ = backprop_training.compute(0.1, backprop_training.SEED)
    answers = found[-1].outputs[:, -1] > 0.5
    walk = backprop_matrix.compute(backprop_matrix.SEED)
    return Tour(
        used_thrice=slopes["x"],
        first_loss=found[0].loss,
        last_loss=found[-1].loss,
        steps=len(found),
        right=int((answers == backprop_training.POINTS.label).sum()),
        dx=walk.dx,
        dw=walk.dw,
    )


def chain_answer() -> float:
    """4 arrives at x · y; the engine walks back to x."""
    x, y = Value(3.0), Value(-2.0)
    (x * y * 4.0).backward()
    return x.grad


def weight_answer() -> float:
    """One step of the engine's own gradient descent."""
    params = {"w": np.array([0.5])}
    SGD().update(params, {"w": np.array([2.0])}, 0.1)
    return float(params["w"][0])


def moment_answer() -> float:
    """Adam's first moment after one gradient of 2, from the engine."""
    optimizer, params = AdamW(decay=0.0), {"w": np.array([0.5])}
    optimizer.update(params, {"w": np.array([2.0])}, 0.1)
    return float(optimizer.state["w"][0][0])
