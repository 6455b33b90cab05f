"""Learning from answers: a line that finds its place between two kinds of points."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.basics import datasets, linear
from microgpt.basics.datasets import Points
from widgets import chapter, components
from widgets.components import component, packed

SETS = {"Two clouds": "clouds", "Overlapping clouds": "overlap", "A disc in a ring": "circles"}
COUNT, STEPS, OWN = 60, 120, 40  # points, steps of the run, points a reader may add
EDGE = 1.3  # the picture runs from -EDGE to EDGE
RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
KEY = "learning_boundary"

_mount = component("learning_boundary", states={"own": []})


@dataclass(frozen=True)
class Run:
    """The points and every step of the line."""

    points: Points
    steps: tuple[linear.Step, ...]
    seconds: float


def points_of(name: str, own) -> Points:
    """The points of a set, and those a reader has added as (x, y, label)."""
    rng = np.random.default_rng(4)
    if name == "circles":
        points = datasets.circles(COUNT, 0.03, rng)
    else:
        points = datasets.clouds(COUNT, 0.3 if name == "overlap" else 0.05, rng)
    x = np.array([point[:2] for point in own], dtype=float).reshape(-1, 2)
    label = np.array([point[2] for point in own], dtype=int)
    return Points(np.concatenate([points.x, x]), np.concatenate([points.label, label]))


@st.cache_resource(max_entries=64, show_spinner=False)
def compute(name: str, own: tuple, rate: float) -> Run:
    """Learn the line, from nothing, on these points."""
    points = points_of(name, own)
    began = time.perf_counter()
    steps = tuple(linear.logistic_regression(points.x, points.label, rate, STEPS))
    return Run(points, steps, time.perf_counter() - began)


def clean(own) -> tuple[tuple[float, float, int], ...]:
    """Added points as the browser sent them; what is not a point in the picture is dropped."""
    kept = []
    for point in own if isinstance(own, list) else ():
        try:
            x, y, label = (float(v) for v in point)
        except (TypeError, ValueError):
            continue
        if abs(x) <= EDGE and abs(y) <= EDGE and label in (0, 1):
            kept.append((x, y, int(label)))
    return tuple(kept[:OWN])


def view_of(run: Run, own: int) -> dict:
    rows = [[*s.weight, s.bias, s.loss, s.accuracy] for s in run.steps]
    points = np.column_stack([run.points.x, run.points.label])
    return {
        "points": packed(points.astype(np.float32)),
        "frames": packed(np.array(rows, dtype=np.float32)),
        "own": own,
        "edge": EDGE,
        "most": OWN,
    }


def in_words(run: Run) -> str:
    first, last = run.steps[0], run.steps[-1]
    w, b = last.weight, last.bias
    return (
        f"{len(run.points)} points. In {last.number} steps the loss goes from "
        f"{first.loss:.3f} to {last.loss:.3f}, and the share of points on the right side "
        f"from {first.accuracy:.0%} to {last.accuracy:.0%}. "
        f"The line it ends at is {w[0]:.2f}·x {w[1]:+.2f}·y {b:+.2f} = 0."
    ).replace("-", "−")


@st.fragment
def boundary() -> None:
    """Draw the widget."""
    left, right = st.columns([3, 2])
    with left:
        name = st.segmented_control(
            "Points",
            list(SETS),
            default="Two clouds",
            required=True,
            key=f"{KEY}_set",
            persist_state="session",
        )
    with right:
        rate = st.select_slider(
            "Learning rate", RATES, value=1.0, key=f"{KEY}_rate", persist_state="session"
        )
    own = clean(components.state_of(KEY, "own", []))
    run = compute(SETS[name], own, rate)
    _mount(view_of(run, len(own)) | {"run": f"{name} {rate} {own}"}, key=KEY)
    chapter.mark(
        "computed",
        by="microgpt.basics.linear",
        seconds=run.seconds,
        where=f"{STEPS} steps over {len(run.points)} points",
    )
    chapter.text_twin(in_words(run))
