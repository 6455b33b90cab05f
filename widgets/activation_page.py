"""What the prose of chapter 6 says about its own runs: computed, and kept for all readers."""

import math
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.basics import depth, network
from widgets import activation_bend, activation_collapse, activation_curves, activation_depth

HIDDEN, RATE = activation_depth.HIDDEN, 0.003  # of the deep network, as it opens


@dataclass(frozen=True)
class Tour:
    """The numbers of the runs that the prose talks about."""

    relu: float
    relu_slope: float
    sigmoid_slope: float
    gelu_low: str
    silu_low: str
    gap: str
    product: np.ndarray
    parameters: int
    without: float
    with_relu: float
    sigmoid_fade: str
    sigmoid_loss: float
    tanh_fade: str
    tanh_right: float
    dead: float
    sums: np.ndarray


@st.cache_resource(max_entries=1, show_spinner=False)
def tour() -> Tour:
    """Run what the prose talks about, once per server."""
    names = list(activation_curves.NAMES)
    _, values, slopes, _ = activation_curves.curves()
    at = np.array([-2.0])
    many = activation_collapse.compute(100, "linear", activation_collapse.SEED)
    flat = activation_bend.compute("circles", "linear")
    bent = activation_bend.compute("circles", "relu")
    deep = {
        (name, start): activation_depth.compute(HIDDEN, name, start, RATE, activation_depth.SEED)
        for name, start in (("sigmoid", "xavier"), ("tanh", "xavier"), ("relu", "he"))
    }
    fresh = activation_depth.fresh(HIDDEN, "relu", "he", RATE, activation_depth.SEED)
    _, _, seen = network.gradients(fresh.params, activation_depth.points(), "relu")
    return Tour(
        relu=float(network.ACTIVATIONS["relu"](at)[0]),
        relu_slope=float(depth.slope("relu", at)[0]),
        sigmoid_slope=float(slopes[names.index("sigmoid")].max()),
        gelu_low=_signed(values[names.index("gelu")].min()),
        silu_low=_signed(values[names.index("silu")].min()),
        gap=scientific(many.gaps[-1]),
        product=many.products[-1].weight,
        parameters=flat.parameters,
        without=float(flat.scores[-1][3]),
        with_relu=float(bent.scores[-1][3]),
        sigmoid_fade=scientific(deep["sigmoid", "xavier"].fade),
        sigmoid_loss=float(deep["sigmoid", "xavier"].scores[-1][0]),
        tanh_fade=scientific(deep["tanh", "xavier"].fade),
        tanh_right=float(deep["tanh", "xavier"].scores[-1][1]),
        dead=float(deep["relu", "he"].layers[-1, :-1, 2].mean()),
        sums=seen["layers.0.sums"].data,
    )


def scientific(number: float) -> str:
    """0.00000012 -> "1.2 · 10⁻⁷"; numbers near 1 as they are."""
    if number == 0 or 0.01 <= abs(number) < 1000:
        return f"{number:.2g}"
    power = math.floor(math.log10(abs(number)))
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{number / 10**power:.1f} · 10{raised}"


def _signed(number: float) -> str:
    return f"{number:.2f}".replace("-", "−")


def shrink_answer() -> float:
    """The answer to the question about five layers of sigmoid, from the engine."""
    return float(depth.slope("sigmoid", np.array([0.0]))[0] ** 5)


def product_answer() -> float:
    """The answer to the question about two layers, multiplied by the engine."""
    layers = [
        (np.array([[2.0]]), np.array([1.0])),
        (np.array([[3.0]]), np.array([-2.0])),
    ]
    return float(list(depth.collapse(layers))[-1].weight[0, 0])


def silu_answer() -> float:
    return float(network.silu(np.array([0.0]))[0])
