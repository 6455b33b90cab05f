"""Six bends and their slopes: the same number into all of them."""

import time

import numpy as np
import streamlit as st

from microgpt.basics import depth
from microgpt.basics.network import ACTIVATIONS
from widgets import chapter, components
from widgets.components import component, packed

KEY = "activation_curves"
EDGE, STEP = 5.0, 0.01
NAMES = {  # name: how it is called, its formula
    "relu": ("ReLU", "max(0, z)"),
    "leaky_relu": ("Leaky ReLU", "max(0.01 z, z)"),
    "sigmoid": ("sigmoid", "1 / (1 + e⁻ᶻ)"),
    "tanh": ("tanh", "(eᶻ − e⁻ᶻ) / (eᶻ + e⁻ᶻ)"),
    "gelu": ("GELU", "z · the share of a bell curve below z"),
    "silu": ("SiLU", "z · sigmoid(z)"),
}
START = {"z": -1.0, "name": "relu"}

_mount = component(KEY, states={"at": START})


@st.cache_resource(max_entries=1, show_spinner=False)
def curves() -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """All z, and for each activation its values and its slopes: (Z,), (6, Z), (6, Z)."""
    began = time.perf_counter()
    z = np.round(np.arange(-EDGE, EDGE + STEP / 2, STEP), 2)
    values = np.stack([ACTIVATIONS[name](z) for name in NAMES])
    slopes = np.stack([depth.slope(name, z) for name in NAMES])
    return z, values, slopes, time.perf_counter() - began


def clean(at) -> tuple[float, str]:
    """Where the reader is, as the browser said it, forced onto the curve."""
    try:
        z, name = float(at["z"]), at["name"]
    except (TypeError, ValueError, KeyError):
        return START["z"], START["name"]
    z = min(EDGE, max(-EDGE, z)) if z == z else START["z"]
    return round(z, 2), name if name in NAMES else START["name"]


def in_words(z: float) -> str:
    found = [
        f"{shown} gives {float(ACTIVATIONS[name](np.float64(z))):.3f} with slope "
        f"{float(depth.slope(name, np.array([z]))[0]):.3f}"
        for name, (shown, _) in NAMES.items()
    ]
    return f"At z = {z:.2f}: {'; '.join(found)}.".replace("-", "−")


@st.fragment
def six_curves() -> None:
    """Draw the widget."""
    z, values, slopes, seconds = curves()
    here, _ = clean(components.state_of(KEY, "at", START))
    _mount(
        {
            "z": packed(z.astype(np.float32)),
            "values": packed(values.astype(np.float32)),
            "slopes": packed(slopes.astype(np.float32)),
            "edge": EDGE,
            "step": STEP,
            "names": [[name, shown, formula] for name, (shown, formula) in NAMES.items()],
        },
        key=KEY,
    )
    chapter.mark(
        "computed",
        by="microgpt.autograd.tensor",
        seconds=seconds,
        where=f"{len(NAMES)} curves and their derivatives at {len(z):,} points",
    )
    chapter.text_twin(in_words(here))
