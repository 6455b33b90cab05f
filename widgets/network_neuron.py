"""One neuron: inputs times weights, plus a bias, through a bend. Everything can be dragged."""

import time

import streamlit as st

from microgpt.autograd.scalar import Value
from microgpt.basics.network import neuron
from widgets import chapter, components
from widgets.components import component

KEY = "network_neuron"
INPUTS = ("sun", "friends", "homework")
LIMITS = {"x": (0.0, 1.0), "w": (-3.0, 3.0), "b": (-5.0, 5.0)}
SHOWN = {  # name: how it is called
    "sigmoid": "sigmoid",
    "relu": "ReLU",
    "tanh": "tanh",
    "gelu": "GELU",
    "linear": "none",
}
START = {"x": [0.8, 1.0, 0.9], "w": [1.2, 0.8, -1.5], "b": -0.2, "activation": "sigmoid"}
PRESETS = {
    "Shall I go out?": START,
    "All three (and)": {
        "x": [1.0, 1.0, 1.0],
        "w": [2.0, 2.0, 2.0],
        "b": -5.0,
        "activation": "sigmoid",
    },
    "At least one (or)": {
        "x": [0.0, 1.0, 0.0],
        "w": [2.0, 2.0, 2.0],
        "b": -1.0,
        "activation": "sigmoid",
    },
    "Silent below a threshold": {
        "x": [0.5, 0.5, 0.5],
        "w": [1.0, 1.0, 1.0],
        "b": -2.0,
        "activation": "relu",
    },
}

_mount = component(KEY, states={"values": START})


def clean(values) -> dict:
    """What the browser sent, forced into its limits; nonsense becomes the start."""
    try:
        x, w = ([float(v) for v in values[name]] for name in "xw")
        b, activation = float(values["b"]), values["activation"]
    except (TypeError, ValueError, KeyError):
        return START
    if len(x) != len(INPUTS) or len(w) != len(INPUTS) or activation not in SHOWN:
        return START

    def clip(v: float, name: str) -> float:
        low, high = LIMITS[name]
        return min(high, max(low, v)) if v == v else 0.0

    return {
        "x": [clip(v, "x") for v in x],
        "w": [clip(v, "w") for v in w],
        "b": clip(b, "b"),
        "activation": activation,
    }


def answer(values: dict) -> dict:
    """The neuron on the scalar engine: products, sum, output."""
    products, total, output = neuron(
        [Value(x) for x in values["x"]], values["w"], values["b"], values["activation"]
    )
    return {
        "values": values,
        "products": [p.data for p in products],
        "sum": total.data,
        "output": output.data,
    }


def in_words(found: dict) -> str:
    values = found["values"]
    parts = [
        f"{name} {x:.2f} times {w:.2f} is {p:.3f}"
        for name, x, w, p in zip(INPUTS, values["x"], values["w"], found["products"], strict=True)
    ]
    return (
        f"{'; '.join(parts)}; the bias adds {values['b']:.2f}. The sum is {found['sum']:.3f}, and "
        f"{SHOWN[values['activation']]} of it is **{found['output']:.3f}**."
    ).replace("-", "−")


@st.fragment
def one_neuron() -> None:
    """Draw the widget."""
    values = clean(components.state_of(KEY, "values", START))
    began = time.perf_counter()
    found = answer(values)
    seconds = time.perf_counter() - began
    _mount(
        {
            "inputs": INPUTS,
            "limits": LIMITS,
            "activations": SHOWN,
            "answer": found,
            "presets": [{"name": name, "values": values} for name, values in PRESETS.items()],
        },
        key=KEY,
    )
    chapter.mark("computed", by="microgpt.autograd.scalar", seconds=seconds)
    chapter.text_twin(in_words(found))
