"""Learning without answers: k-means, step by step, on points that nobody has labeled."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.basics import clusters, datasets
from widgets import chapter, components
from widgets.components import component, packed

COUNT, MOST = 90, 6  # points; groups that can be asked for
SEED = 10  # of the first start
EDGE = 1.3
THREE = [(-0.6, -0.4), (0.55, -0.5), (0.05, 0.6)]
FIVE = [(-0.75, 0.6), (0.7, 0.65), (0.0, 0.0), (-0.7, -0.65), (0.75, -0.6)]
SETS = {"Three clouds": "three", "Five clouds": "five", "Two moons": "moons"}

_mount = component("learning_clusters", states={"starts": None})


@dataclass(frozen=True)
class Run:
    points: np.ndarray  # (N, 2)
    starts: np.ndarray  # (K, 2)
    steps: tuple[clusters.Step, ...]
    seconds: float


def points_of(name: str) -> np.ndarray:
    rng = np.random.default_rng(7)
    if name == "moons":
        return datasets.moons(COUNT, 0.06, rng).x
    if name == "none":
        return rng.uniform(-1.1, 1.1, (COUNT, 2))
    return datasets.blobs(COUNT, THREE if name == "three" else FIVE, 0.17, rng)


@st.cache_resource(max_entries=64, show_spinner=False)
def compute(name: str, groups: int, seed: int, starts: tuple | None) -> Run:
    """Run k-means to its end, from centers that were dragged there or drawn with a seed."""
    points = points_of(name)
    first = (
        clusters.random_start(points, groups, np.random.default_rng(seed))
        if starts is None
        else np.array(starts)
    )
    began = time.perf_counter()
    steps = tuple(clusters.kmeans(points, first))
    return Run(points, first, steps, time.perf_counter() - began)


def clean(state, run: str, groups: int) -> tuple | None:
    """Dragged centers as the browser sent them, if they belong to what is asked for now."""
    if not isinstance(state, dict) or state.get("run") != run:
        return None
    try:
        centers = np.array(state.get("centers"), dtype=float)
    except (TypeError, ValueError):
        return None
    if centers.shape != (groups, 2) or not np.isfinite(centers).all():
        return None
    return tuple(map(tuple, np.clip(centers, -EDGE, EDGE).tolist()))


def view_of(run: Run) -> dict:
    return {
        "points": packed(run.points.astype(np.float32)),
        "starts": run.starts.round(4),
        "steps": [
            {
                "kind": step.kind,
                "centers": step.centers.round(4),
                "nearest": step.nearest,
                "changed": step.changed,
                "cost": round(step.cost, 4),
            }
            for step in run.steps
        ],
        "edge": EDGE,
    }


def in_words(run: Run) -> str:
    costs = [step.cost for step in run.steps]
    sizes = np.bincount(run.steps[-1].nearest, minlength=len(run.starts))
    rounds = sum(step.kind == "choose" for step in run.steps)
    return (
        f"{len(run.points)} points, {len(run.starts)} centers, {len(run.steps)} steps in {rounds} "
        f"rounds. The cost falls from {costs[0]:.2f} to {costs[-1]:.2f} and never rises. "
        f"In the end the groups have {', '.join(map(str, sizes))} points."
    )


@st.fragment
def kmeans(key: str, sets: dict[str, str], groups: int) -> None:
    """Draw the widget for some sets of points; `groups` is how many centers it starts with."""
    left, middle, right = st.columns([3, 2, 1.2], vertical_alignment="bottom")
    with left:
        name = st.segmented_control(
            "Points",
            list(sets),
            default=next(iter(sets)),
            required=True,
            key=f"{key}_set",
            persist_state="session",
        )
    with middle:
        groups = st.slider("Groups", 1, MOST, groups, key=f"{key}_groups", persist_state="session")
    with right:
        st.button("New start", key=f"{key}_again", on_click=_again, args=(key,), width="stretch")
    seed = st.session_state.get(f"{key}:seed", SEED)
    asked = f"{name} {groups} {seed}"
    starts = clean(components.state_of(key, "starts", None), asked, groups)
    run = compute(sets[name], groups, seed, starts)
    _mount(view_of(run) | {"asked": asked, "run": f"{asked} {starts}"}, key=key)
    chapter.mark(
        "computed",
        by="microgpt.basics.clusters",
        seconds=run.seconds,
        where=f"seed {seed}, {len(run.steps)} steps",
    )
    chapter.text_twin(in_words(run))


def _again(key: str) -> None:
    st.session_state[f"{key}:seed"] = st.session_state.get(f"{key}:seed", SEED) + 1
