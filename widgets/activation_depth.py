"""Vanishing gradients and dead units, measured layer by layer in a live deep network."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.basics import datasets, depth, network
from microgpt.basics.network import Settings, Training
from widgets import chapter
from widgets import network_link as links
from widgets.components import component, packed
from widgets.functions_figures import figure

KEY = "activation_depth"
WIDTH, COUNT = 16, 200  # neurons a layer, points
STEPS, EVERY = 120, 4
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)
SEED, HIDDEN = 3, 12  # of the network as the page opens
BENDS = {name: shown for name, shown in links.ACTIVATIONS.items() if name != "linear"}
STARTS = {
    "small": "small",
    "xavier": "Xavier",
    "he": "He",
    "large": "large",
}
# Powers of ten as people write them, for the axis.
POWERS = "'10' + (%s)[round(log(datum.value) / LN10)]" % {
    str(p): str(p).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")) for p in range(-40, 41)
}
DASHES = ([1, 0], [10, 4], [6, 3, 2, 3], [2, 4], [14, 4, 3, 4], [4, 4])

_mount = component(KEY)


@dataclass(frozen=True)
class Run:
    """A training, measured: `layers` (F, L, 3) signal, gradient, dead share; `scores` (F, 2) loss
    and accuracy on all points."""

    steps: tuple[int, ...]
    layers: np.ndarray
    scores: np.ndarray
    seconds: float

    @property
    def fade(self) -> float:
        """At the start: the gradient of the first layer, as a share of that of the last."""
        first, last = self.layers[0, 0, 1], self.layers[0, -1, 1]
        return float(first / last) if last > 0 else 0.0


@st.cache_resource(max_entries=1, show_spinner=False)
def points() -> datasets.Points:
    return datasets.make("moons", COUNT, 0.05, np.random.default_rng(SEED))


def fresh(hidden: int, activation: str, start: str, rate: float, seed: int) -> Training:
    settings = Settings(
        hidden=(WIDTH,) * hidden,
        activation=activation,
        initialization=start,
        rate=rate,
        batch=COUNT,
    )
    return Training(settings, points(), np.random.default_rng(seed))


@st.cache_resource(max_entries=64, show_spinner=False)
def compute(hidden: int, activation: str, start: str, rate: float, seed: int) -> Run:
    """Train a deep network and measure all its layers every few steps."""
    began = time.perf_counter()
    training = fresh(hidden, activation, start, rate, seed)
    steps, layers, scores = [], [], []
    for number in range(0, STEPS + 1, EVERY):
        if number:
            list(training.steps(EVERY))
        if not training.finite():
            break
        found = depth.measure(training.params, points(), activation)
        steps.append(number)
        layers.append([(layer.signal, layer.gradient, layer.dead) for layer in found])
        scores.append(network.evaluate(training.params, points(), activation))
    return Run(tuple(steps), _bounded(layers), _bounded(scores), time.perf_counter() - began)


@st.cache_resource(max_entries=64, show_spinner=False)
def at_start(hidden: int, start: str, seed: int) -> dict[str, list[depth.Layer]]:
    """Every activation in an untrained network of this depth, measured."""
    return {
        name: depth.measure(fresh(hidden, name, start, 0.003, seed).params, points(), name)
        for name in BENDS
    }


def _bounded(rows) -> np.ndarray:
    return np.nan_to_num(np.array(rows, dtype=float), nan=1e30, posinf=1e30).clip(-1e30, 1e30)


def in_words(run: Run, name: str, start: str) -> str:
    first, last = run.layers[0], run.layers[-1]
    dead = last[:-1, 2].mean()
    return (
        f"{len(first) - 1} hidden layers of {WIDTH}, {BENDS[name]}, {STARTS[start]} start. At step "
        f"0 the gradient of the first layer is {figure(first[0, 1])}, of the last "
        f"{figure(first[-1, 1])}: {figure(run.fade)} of it arrives. After {run.steps[-1]} steps "
        f"the loss is {run.scores[-1, 0]:.3f}, {run.scores[-1, 1]:.0%} of the points are right, "
        f"and {dead:.0%} of the hidden units are dead."
    )


@st.fragment
def deep_network() -> None:
    """Draw the widget."""
    keep = {"persist_state": "session"}
    row = {"horizontal": True, "gap": "small", "vertical_alignment": "bottom"}
    with st.container(**row):
        name = st.selectbox(
            "Activation",
            list(BENDS),
            index=list(BENDS).index("sigmoid"),
            format_func=BENDS.get,
            key=f"{KEY}_bend",
            width=140,
            **keep,
        )
        start = st.segmented_control(
            "Weights at the start",
            list(STARTS),
            default="xavier",
            format_func=STARTS.get,
            required=True,
            key=f"{KEY}_start",
            **keep,
        )
        hidden = st.slider("Hidden layers", 1, 20, HIDDEN, key=f"{KEY}_hidden", width=160, **keep)
        rate = st.select_slider("Learning rate", RATES, 0.003, key=f"{KEY}_rate", width=160, **keep)
    run = compute(hidden, name, start, rate, SEED)
    _mount(
        {
            "steps": run.steps,
            "layers": packed(run.layers.astype(np.float32)),
            "scores": packed(run.scores.astype(np.float32)),
            "count": hidden + 1,
            "bend": BENDS[name],
            "last": STEPS,
            "run": f"{hidden} {name} {start} {rate}",
        },
        key=KEY,
    )
    parameters = hidden and sum(
        p.size for p in fresh(hidden, name, start, rate, SEED).params.values()
    )
    chapter.mark(
        "measured",
        by="microgpt.basics.depth",
        seconds=run.seconds,
        where=f"{run.steps[-1]} steps, {parameters:,} parameters, seed {SEED}",
    )
    chapter.text_twin(in_words(run, name, start))
    all_bends(hidden, start)


def all_bends(hidden: int, start: str) -> None:
    """Gradient by layer for every activation, before any training."""
    import pandas  # noqa: F401  (Altair must not meet it half loaded by the warm-up)
    import altair as alt  # isort: skip

    began = time.perf_counter()
    found = at_start(hidden, start, SEED)
    seconds = time.perf_counter() - began
    rows = [
        {"layer": i + 1, "gradient": max(layer.gradient, 1e-30), "activation": BENDS[name]}
        for name, layers in found.items()
        for i, layer in enumerate(layers)
    ]
    order = list(BENDS.values())
    legend = alt.Legend(orient="top", columns=3, symbolType="stroke", symbolSize=900)
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True, strokeWidth=2)
        .encode(
            alt.X("layer:Q", title="layer (the last is the output)", axis=alt.Axis(tickMinStep=1)),
            alt.Y(
                "gradient:Q",
                title="gradient",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(labelExpr=POWERS, tickCount=6),
            ),
            color=alt.Color("activation:N", sort=order, title=None, legend=legend),
            strokeDash=alt.StrokeDash(
                "activation:N",
                sort=order,
                title=None,
                legend=legend,
                scale=alt.Scale(domain=order, range=list(DASHES)),
            ),
            tooltip=["activation:N", "layer:Q", alt.Tooltip("gradient:Q", format=".2e")],
        )
    )
    shares = {
        BENDS[name]: layers[0].gradient / layers[-1].gradient if layers[-1].gradient else 0.0
        for name, layers in found.items()
    }
    summary = "The first layer's gradient, as a share of the last layer's, before training: " + (
        "; ".join(f"{name} {figure(share)}" for name, share in shares.items())
    )
    chapter.explain(
        f"All six at once, {hidden} hidden layers, {STARTS[start]} start, before the first step:"
    )
    st.altair_chart(chart.properties(height=340), alt=summary)
    chapter.mark("measured", by="microgpt.basics.depth", seconds=seconds, where="one pass each")
    chapter.text_twin(f"{summary}.")
