"""The same network twice, with and without a bend between its sums, trained side by side."""

import time
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from widgets import chapter
from widgets import network_link as links
from widgets.components import component, packed
from widgets.network_experiment import CELLS, Experiment

KEY = "activation_bend"
STEPS, EVERY = 300, 12
SETS = {"A disc in a ring": "circles", "Four squares": "xor", "Spiral": "spiral"}

_mount = component(KEY)


@dataclass(frozen=True)
class Run:
    """One network: its picture, loss and accuracy at some steps."""

    steps: tuple[int, ...]
    surfaces: np.ndarray  # (F, CELLS, CELLS) uint8, 255 is certainly label 1
    scores: np.ndarray  # (F, 4)
    points: np.ndarray  # (N, 3)
    parameters: int
    seconds: float


@st.cache_resource(max_entries=32, show_spinner=False)
def compute(data: str, activation: str) -> Run:
    """Train one network with two hidden layers of eight, the playground's own settings."""
    setup = replace(links.Setup(), data=data, activation=activation)
    experiment = Experiment(setup, *links.points_of(setup, None))
    began = time.perf_counter()
    surfaces, scores, steps = [], [], range(0, STEPS + 1, EVERY)
    for step in steps:
        training = experiment.stand_at(step, ())
        surfaces.append(np.round(255 * experiment.surface(training)).astype(np.uint8))
        scores.append(experiment.scores(training))
    held = experiment.test
    return Run(
        tuple(steps),
        np.array(surfaces),
        np.array(scores),
        np.column_stack([held.x, held.label]),
        sum(p.size for p in training.params.values()),
        time.perf_counter() - began,
    )


def in_words(runs: dict[str, Run]) -> str:
    parts = [
        f"with {name} {run.scores[-1][3]:.1%} of the held-back points are right after "
        f"{run.steps[-1]} steps (loss {run.scores[-1][2]:.3f})"
        for name, run in runs.items()
    ]
    return f"The same {next(iter(runs.values())).parameters} parameters: {'; '.join(parts)}."


@st.fragment
def side_by_side() -> None:
    """Draw the widget."""
    with st.container(horizontal=True, gap="large", vertical_alignment="bottom"):
        data = st.segmented_control(
            "Points",
            list(SETS),
            default="A disc in a ring",
            required=True,
            key=f"{KEY}_set",
            persist_state="session",
        )
        bends = [name for name in links.ACTIVATIONS if name != "linear"]
        bend = st.selectbox(
            "Activation on the right",
            bends,
            format_func=links.ACTIVATIONS.get,
            key=f"{KEY}_bend",
            persist_state="session",
            width=180,
        )
    runs = {
        "no activation": compute(SETS[data], "linear"),
        links.ACTIVATIONS[bend]: compute(SETS[data], bend),
    }
    _mount(
        {
            "names": list(runs),
            "cells": CELLS,
            "edge": links.EDGE,
            "steps": next(iter(runs.values())).steps,
            "surfaces": [packed(run.surfaces) for run in runs.values()],
            "scores": [run.scores for run in runs.values()],
            "points": packed(next(iter(runs.values())).points.astype(np.float32)),
            "run": f"{data} {bend}",
        },
        key=KEY,
    )
    seconds = sum(run.seconds for run in runs.values())
    parameters = runs["no activation"].parameters
    chapter.mark(
        "measured",
        by="microgpt.basics.network",
        seconds=seconds,
        where=f"twice {STEPS} steps, {parameters} parameters, seed 1",
    )
    chapter.text_twin(in_words(runs))
