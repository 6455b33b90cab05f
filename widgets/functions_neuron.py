"""One neuron with all its knobs: the smallest machine that can learn."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from microgpt.autograd import arithmetic
from widgets import chapter
from widgets.components import component, state_of
from widgets.functions_figures import doubles, figure

LOW, HIGH, STEP = -10.0, 10.0, 0.05
ACTIVATIONS = {
    "sigmoid": arithmetic.sigmoid,
    "tanh": arithmetic.tanh,
    "relu": arithmetic.relu,
}
START = {"x": [1.0, 0.5, -1.0], "w": [1.2, -0.8, 0.6], "b": 0.3, "activation": "sigmoid"}
LIMITS = {"x": 2.0, "w": 3.0, "b": 3.0}
KEY = "functions_neuron"

_mount = component("functions_neuron", states={"at": None})


def neuron(inputs, weights, bias: float, activation: str):  # (N), (N) -> products (N), z, output
    """Multiply each input by its weight, add all up and the bias, bend the sum."""
    products = np.asarray(weights) * np.asarray(inputs)
    z = bias
    for product in products:
        z = z + product
    return products, float(z), float(ACTIVATIONS[activation](np.float64(z)))


def clamp(said) -> dict:
    """Knobs as the browser sent them, forced into their limits; nonsense becomes the start."""
    said = said if isinstance(said, Mapping) else {}

    def number(value, most, default):
        usable = isinstance(value, int | float) and np.isfinite(value)
        return min(most, max(-most, value)) if usable else default

    def numbers(part):
        given = said.get(part)
        given = given if isinstance(given, list) and len(given) == 3 else START[part]
        return [number(v, LIMITS[part], d) for v, d in zip(given, START[part], strict=True)]

    kind = said.get("activation")
    return {
        "x": numbers("x"), "w": numbers("w"), "b": number(said.get("b"), LIMITS["b"], START["b"]),
        "activation": kind if kind in ACTIVATIONS else START["activation"],
    }  # fmt: skip


@st.fragment
def draw() -> None:
    """The neuron, its knobs, and what its numbers say."""
    at = clamp(state_of(KEY, "at", None))
    products, z, out = neuron(at["x"], at["w"], at["b"], at["activation"])
    line = np.arange(round((HIGH - LOW) / STEP) + 1) * STEP + LOW
    curves = {name: doubles(function(line)) for name, function in ACTIVATIONS.items()}
    answer = {"at": at, "products": products, "z": z, "out": out}
    _mount({"start": START, "answer": answer, "curves": curves, "low": LOW, "high": HIGH,
            "step": STEP}, key=KEY)  # fmt: skip
    chapter.mark("computed", by="microgpt.autograd.arithmetic")
    strongest = int(np.argmax(np.abs(products)))
    chapter.text_twin(
        f"A neuron with three inputs. Its weighted inputs are {', '.join(map(figure, products))}; "
        f"with the bias {figure(at['b'], 1)} they add up to {figure(z, 2)}, and {at['activation']} "
        f"makes {figure(out)} of it. Input {strongest + 1} weighs most."
    )
