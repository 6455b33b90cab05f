"""What the prose of chapter 5 says about its own runs: computed, and kept for all readers."""

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from microgpt.basics import network
from widgets import network_link as links
from widgets import network_map
from widgets.network_experiment import Experiment

STEPS = 500


@dataclass(frozen=True)
class Tour:
    """The numbers of the runs that the prose talks about."""

    parameters: int
    album: int
    map_steps: int
    before: float
    after: float
    album_right: float
    x: np.ndarray
    sums: np.ndarray
    flat: float
    one_layer: float
    two_layers: float


@st.cache_resource(max_entries=1, show_spinner=False)
def tour() -> Tour:
    """Train what the prose talks about, once per server."""
    run = network_map.compute((), None)
    found = network_map.answer(network_map.first_cat(), run.frames[-1])
    return Tour(
        parameters=run.frames.shape[1],
        album=network_map.ALBUM,
        map_steps=network_map.STEPS,
        before=run.scores[0][3],
        after=run.scores[-1][3],
        album_right=run.scores[-1][1],
        x=found["x"][None],
        sums=found["sums"][None],
        flat=test_accuracy("circles", ()),
        one_layer=test_accuracy("circles", (4,)),
        two_layers=test_accuracy("circles", (8, 8)),
    )


def test_accuracy(data: str, hidden: tuple[int, ...], steps: int = STEPS) -> float:
    """The share of held-back points right after training with the playground's own settings."""
    setup = replace(links.Setup(), data=data, hidden=hidden)
    burst = Experiment(setup, *links.points_of(setup, None)).burst(0, steps, steps)
    return float(burst.scores[-1][3])


def parameters_answer() -> float:
    """The answer to the question about the number of parameters, counted."""
    params = network.initialize((2, 8, 1), np.random.default_rng(0))
    return float(sum(p.size for p in params.values()))


def relu_answer() -> float:
    """The answer to the question about one neuron, from the engine."""
    return network.neuron([0.5, 1.0], [2.0, -3.0], 1.0, "relu")[2].data
