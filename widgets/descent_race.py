"""The race: five optimizers from one start, each at the learning rate that suits it."""

import time

import numpy as np
import streamlit as st

from microgpt.basics import descent
from microgpt.basics.landscapes import LANDSCAPES, Landscape
from widgets import chapter, descent_model
from widgets.components import component
from widgets.descent import choose, draw_map, landscape, near
from widgets.functions_figures import decimals, doubles, figure

STEPS = 300
MAP, FIRST = "descent_race_map", "Rosenbrock"
NOISES = {"none": 0.0, "a little": 0.1, "some": 0.3, "much": 1.0}

_mount = component("descent_race")


@st.cache_resource(max_entries=64, show_spinner=False)
def _rates(name: str, sha256: str, schedule: str, noise: float) -> dict[str, float]:
    place = landscape(name)
    plan = descent.SCHEDULES[schedule]
    return {
        optimizer: descent.best_rate(place, optimizer, STEPS, near(place), plan, noise)
        for optimizer in descent.OPTIMIZERS
    }


def rates(place, schedule: str, noise: float) -> dict[str, float]:
    """The learning rate that suits each optimizer on a landscape, tried out once a server."""
    sha256 = "" if isinstance(place, Landscape) else str(hash(place.heights.tobytes()))
    return _rates(place.name, sha256, schedule, noise)


@st.cache_resource(max_entries=1, show_spinner=False)
def first_race() -> list[descent.Racer]:
    """The race of the prediction: Rosenbrock's valley, no noise, a constant rate."""
    place = LANDSCAPES[FIRST]
    found = rates(place, "Constant", 0.0)
    return descent.race(place, place.start, found, STEPS, near(place))


def winner(racers: list[descent.Racer]) -> int:
    """Which racer arrives first; where none does, which ends lowest."""

    def rank(i: int):
        racer = racers[i]
        last = racer.run.heights[-1]
        never = racer.arrived is None
        return never, STEPS if never else racer.arrived, last if np.isfinite(last) else np.inf

    return min(range(len(racers)), key=rank)


@st.fragment
def race() -> None:
    """The map and the race on it, with a choice of landscape, schedule and noise."""
    place = landscape(choose("descent_race_landscape", FIRST))
    with st.container(horizontal=True, gap="medium"):
        schedule = st.pills(
            "Learning rate",
            list(descent.SCHEDULES),
            default="Constant",
            required=True,
            key="descent_schedule",
            persist_state="session",
        )
        noise = st.pills("Noise of small batches", list(NOISES), default="none", required=True,
                         key="descent_noise", persist_state="session")  # fmt: skip
    schedule, noise = schedule or "Constant", NOISES[noise or "none"]
    began = time.perf_counter()
    with st.spinner("Trying 21 learning rates for each optimizer ..."):
        found = rates(place, schedule, noise)
    left, right = st.columns([6, 5], gap="medium")
    with left:
        at = draw_map(MAP, place)
    plan = descent.SCHEDULES[schedule]
    racers = descent.race(place, at, found, STEPS, near(place), plan, noise)
    seconds = time.perf_counter() - began
    summary = in_words(place, at, racers)
    with right:
        _mount(_view(place, at, racers, summary), key="descent_race")
    chapter.mark("computed", by="microgpt.autograd.optim", seconds=seconds,
                 where=f"{len(racers)} optimizers, {STEPS} steps")  # fmt: skip
    chapter.text_twin(summary)
    if schedule != "Constant":
        _schedule_in_words(found)
    _fairness(place)


def _view(place, at, racers, summary: str) -> dict:
    lowest = min(float(place.measure(np.array(m))[0]) for m in place.minima)
    arrivals = [r.arrived for r in racers if r.arrived is not None]
    return {
        "name": MAP, "at": {"x": at[0], "y": at[1]}, "steps": STEPS, "label": summary,
        "first": min(arrivals, default=None),
        "racers": [
            {
                "name": r.name, "rate": f"{r.rate:g}", "arrived": r.arrived,
                "path": doubles(r.run.points), "heights": doubles(r.run.heights),
                "above": doubles(np.maximum(r.run.heights - lowest, 0)),
            }
            for r in racers
        ],
    }  # fmt: skip


def in_words(place, at, racers) -> str:
    """Who arrives, in how many steps, at which rate."""
    words = [
        f"{r.name} at rate {r.rate:g} "
        + (f"arrives after {r.arrived} steps" if r.arrived is not None
           else f"does not arrive in {STEPS} steps, and ends at height {figure(r.run.heights[-1])}")
        for r in racers
    ]  # fmt: skip
    return (
        f"On {place.name}, from x = {decimals(at[0])}, y = {decimals(at[1])}: {'; '.join(words)}. "
        f"Arrived means: within {figure(near(place), 3)} of a minimum, and staying there."
    )


def _schedule_in_words(found: dict[str, float]) -> None:
    plan = descent.SCHEDULES["Warm-up and cosine"](found["SGD"], STEPS)
    shown = (0, STEPS // 10 - 1, STEPS // 2, STEPS - 1)
    told = ", ".join(f"{figure(plan(n))} at step {n + 1}" for n in shown)
    chapter.explain(f"The rates above are the peaks. SGD's, for one, is {told}.")


def _fairness(place) -> None:
    text = (
        f"Fair means: every optimizer has tried the same {len(descent.RATES)} learning rates, each "
        f"from 12 other starts all around the map, and races at the one with which most balls "
        f"arrived, in the fewest steps."
    )
    if any(np.hypot(*m) < 1e-9 for m in place.minima):
        text += (
            " AdamW has help here: its weight decay pulls every ball toward (0, 0), which happens "
            "to be the lowest place."
        )
    if place.name == descent_model.NAME:
        text += " (0, 0) is where training left the model."
    chapter.explain(text)
