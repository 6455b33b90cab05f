"""Many linear layers are one linear layer: multiplied together before the reader's eyes."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.basics import depth
from widgets import chapter
from widgets.components import component, packed

KEY = "activation_collapse"
COUNTS = (1, 10, 100)
BENDS = {"none": "linear", "tanh": "tanh"}
GAINS = {"linear": 1.0, "tanh": 1.3}  # tanh squeezes; its layers stretch as much
SEED = 1

_mount = component(KEY)


@dataclass(frozen=True)
class Run:
    """A shape on its way through many layers, and the one layer that comes closest."""

    layers: list[tuple]
    places: np.ndarray  # (count + 1, N, 2): before, and after each layer
    single: np.ndarray  # (count + 1, N, 2): what one layer makes of the shape at best
    products: tuple[depth.Product, ...]
    gaps: np.ndarray  # (count + 1,) largest distance between the two
    seconds: float


def shape() -> np.ndarray:  # -> (N, 2)
    """The letter F, filled with points."""
    row, column = np.mgrid[0:15, 0:11]
    inside = (column < 3) | (row < 3) | ((row >= 6) & (row < 9) & (column < 9))
    x = np.stack([column[inside] - 4.0, 7.0 - row[inside]], axis=1)
    return x / 8


@st.cache_resource(max_entries=32, show_spinner=False)
def compute(count: int, bend: str, seed: int) -> Run:
    """Send the shape through all layers, and multiply the layers together."""
    began = time.perf_counter()
    layers = depth.turning_layers(count, 2, np.random.default_rng(seed), GAINS[bend])
    x = shape()
    places = [x, *depth.through(layers, x, bend)]
    products = tuple(depth.collapse(layers))
    single = [x]
    for product, y in zip(products, places[1:], strict=True):
        if bend == "linear":
            weight, bias = product.weight, product.bias
        else:
            weight, bias = depth.best_single_layer(x, y)
        single.append(x @ weight.T + bias)
    places, single = np.array(places), np.array(single)
    gaps = np.linalg.norm(places - single, axis=2).max(axis=1)
    return Run(layers, places, single, products, gaps, time.perf_counter() - began)


def view_of(run: Run, bend: str) -> dict:
    size = np.abs(run.places).max(axis=(1, 2))
    return {
        "places": packed(run.places.astype(np.float32)),
        "single": packed(run.single.astype(np.float32)),
        "sizes": np.maximum(size, 1e-12),
        "gaps": run.gaps,
        "weights": [weight for weight, _ in run.layers],
        "biases": [b for _, b in run.layers],
        "products": [p.weight for p in run.products],
        "shifts": [p.bias for p in run.products],
        "count": len(run.layers),
        "bend": bend,
    }


def in_words(run: Run, bend: str) -> str:
    count, gap = len(run.layers), run.gaps[-1]
    layers = "1 layer" if count == 1 else f"{count} layers"
    if bend == "linear":
        w, b = run.products[-1].weight, run.products[-1].bias
        return (
            f"{layers} without activation do exactly what one matrix does: "
            f"rows ({w[0, 0]:.3f}, {w[0, 1]:.3f}) and ({w[1, 0]:.3f}, {w[1, 1]:.3f}), shift "
            f"({b[0]:.3f}, {b[1]:.3f}). No point differs by more than {gap:.1e}."
        ).replace("-", "−")
    share = gap / np.abs(run.places[-1]).max()
    return (
        f"{layers} with an activation between them: the best single layer misses some point by "
        f"{gap:.3g}, which is {share:.0%} of the size of the picture."
    )


@st.fragment
def collapse() -> None:
    """Draw the widget."""
    keep = {"persist_state": "session", "required": True}
    with st.container(horizontal=True, gap="large", vertical_alignment="bottom"):
        count = st.segmented_control("Layers", COUNTS, default=10, key=f"{KEY}_count", **keep)
        name = st.segmented_control(
            "Activation after each layer", list(BENDS), default="none", key=f"{KEY}_bend", **keep
        )
        st.button("Other layers", key=f"{KEY}_again", on_click=_again)
    seed = st.session_state.get(f"{KEY}:seed", SEED)
    run = compute(count, BENDS[name], seed)
    _mount(view_of(run, BENDS[name]) | {"run": f"{count} {name} {seed}"}, key=KEY)
    chapter.mark(
        "computed",
        by="microgpt.basics.depth",
        seconds=run.seconds,
        where=f"{count} layers, {run.places.shape[1]} points, seed {seed}",
    )
    chapter.text_twin(in_words(run, BENDS[name]))


def _again() -> None:
    st.session_state[f"{KEY}:seed"] = st.session_state.get(f"{KEY}:seed", SEED) + 1
