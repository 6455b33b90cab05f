"""Chapter 3, drawn: one ball on a landscape, its learning rate, and where it goes."""

import time
from collections.abc import Mapping

import numpy as np
import streamlit as st

from microgpt.autograd.optim import Momentum
from microgpt.basics import descent, expressions, landscapes
from microgpt.basics.landscapes import LANDSCAPES, Landscape
from widgets import chapter, descent_model, engine, functions_surface
from widgets.components import component, state_of
from widgets.functions_figures import decimals, doubles, figure, finite_or_none, in_range

STEPS = 400  # of one walk
COUNT = 81  # nodes of a map a side
START = {"rate": 0.1, "momentum": 0.0}
MAP, PLAYER = "descent_map", "descent_player"

_mount = component("descent_player", states={"run": None})


def names() -> list[str]:
    """The landscapes at hand; the loss of the model among them when the model is here."""
    known = [descent_model.NAME] if descent_model.MODEL in engine.models() else []
    return [*LANDSCAPES, *known]


def choose(key: str, default: str) -> str:
    """Which landscape to walk on; the address of the page holds it."""
    return st.pills(
        "Landscape", names(), default=default, required=True, key=key, bind="query-params"
    ) or default  # fmt: skip


def landscape(name: str):
    """A landscape by name. The loss of the model is measured when it is first asked for."""
    if name in LANDSCAPES:
        return LANDSCAPES[name]
    return descent_model.measured()[0]


def near(place) -> float:
    """How close to a minimum counts as arrived, in units of the map."""
    return place.half / 30


@st.cache_resource(max_entries=16, show_spinner=False)
def _formula_map(channel: str, name: str) -> dict:
    return _map(channel, LANDSCAPES[name])


def _map(channel: str, place) -> dict:
    heights, _ = place.measure(functions_surface.grid(place.half, COUNT))
    view = functions_surface.surface_view(channel, place.name, heights, place.half, rings=True)
    return {**view, "minima": place.minima, "exact": False, "letter": "height", "point": "The ball"}


def map_view(channel: str, place) -> dict:
    """The landscape as its component needs it."""
    return (
        _formula_map(channel, place.name) if isinstance(place, Landscape) else _map(channel, place)
    )


def draw_map(channel: str, place) -> tuple[float, float]:
    """Mount the map; returns where the ball has been put."""
    start = dict(zip("xy", place.start, strict=True))
    label = f"Map of {place.name}, from {-place.half:g} to {place.half:g} both ways"
    functions_surface.draw(channel, map_view(channel, place), start, label, quiet=True)
    return functions_surface.place(channel, place.name, start, place.half)


def settings(said) -> dict[str, float]:
    """Rate and momentum as the browser sent them, forced into their limits."""
    said = said if isinstance(said, Mapping) else {}
    limits = {"rate": (0.001, 10.0), "momentum": (0.0, 0.99)}
    return {n: in_range(said.get(n), START[n], *limits[n]) for n in START}


def nearest_minimum(place, point) -> tuple[float, float]:
    """The minimum that lies next to a point."""
    return min(place.minima, key=lambda m: np.hypot(m[0] - point[0], m[1] - point[1]))


@st.fragment
def player() -> None:
    """The map, the ball, and the knobs of gradient descent."""
    place = landscape(choose("descent_landscape", "Ravine"))
    left, right = st.columns([6, 5], gap="medium")
    with left:
        at = draw_map(MAP, place)
    chosen = settings(state_of(PLAYER, "run", None))
    began = time.perf_counter()
    rate = descent.constant(chosen["rate"], STEPS)
    walk = descent.run(place, at, Momentum(chosen["momentum"]), rate, STEPS)
    seconds = time.perf_counter() - began
    arrived = int(descent.arrivals(walk.points, place.minima, near(place)))
    least, greatest = landscapes.curvatures(place, nearest_minimum(place, at))
    with right:
        _mount({
            "name": MAP, "surface": place.name, "half": place.half, "start": START,
            "at": {"x": at[0], "y": at[1]}, "path": doubles(walk.points),
            "heights": doubles(walk.heights), "gradients": doubles(walk.gradients),
            "measured": not isinstance(place, Landscape),
            "arrived": arrived if arrived >= 0 else None,
            "limit": finite_or_none(landscapes.largest_rate(greatest)),
        }, key=PLAYER)  # fmt: skip
    _mark(place, len(walk.heights) - 1, seconds)
    chapter.text_twin(in_words(place, at, chosen, walk, arrived))
    chapter.explain(limit_in_words(place, chosen, least, greatest))
    if not isinstance(place, Landscape):
        _beside_the_model(walk)


def _mark(place, steps: int, seconds: float) -> None:
    if isinstance(place, Landscape):
        chapter.mark(
            "computed", by="microgpt.autograd.optim", where=f"{steps} steps", seconds=seconds
        )
        return
    _, _, took = descent_model.measured()
    chapter.mark("measured", by=descent_model.MODEL, seconds=took,
                 where=f"at {descent_model.COUNT**2} places, smooth in between")  # fmt: skip


def limit_in_words(place, chosen: dict, least: float, greatest: float) -> str:
    """At which learning rate the walk stops settling, from the curvature of the ground."""
    limit = landscapes.largest_rate(greatest, chosen["momentum"])
    with_momentum = f" · (1 + {chosen['momentum']:g})" if chosen["momentum"] else ""
    where = "everywhere on it" if place.quadratic else "at the minimum nearest to the start"
    over = "over" if chosen["rate"] > limit else "under"
    text = (
        f"**{place.name}** curves by {figure(least, 2)} in its gentlest direction and by "
        f"{figure(greatest, 2)} in its steepest, {where}. The largest learning rate that can "
        "settle "
        f"there is 2 ÷ {figure(greatest, 2)}{with_momentum} = :gradient[**{figure(limit)}**], the "
        f"dotted line on the slider; yours, {chosen['rate']:g}, is **{over}** it. "
    )
    if place.quadratic:
        return text + "Above it every swing is wider than the one before: the walk diverges."
    most = _greatest_curvature(place, place.name)
    if most > 1.001 * greatest:
        farther = (
            f"Farther out the ground curves by up to {figure(most, 2)}: below "
            f"2 ÷ {figure(most, 2)} = **{figure(landscapes.largest_rate(most))}**"
        )
    else:
        farther = "Nowhere on this map does the ground curve more: below it"
    return text + (
        f"Above it the ball is thrown out of the dip, however close it comes. {farther}, without "
        f"momentum, every step on the map goes down, from wherever it starts."
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _greatest_curvature(_place, name: str = "") -> float:
    return landscapes.greatest_curvature(_place)


def in_words(place, at, chosen: dict, walk, arrived: int) -> str:
    """The walk in words: where from, how far, how low, and whether it arrived."""
    if isinstance(place, Landscape):
        name = f"{place.name}, height {expressions.written(place.expression)}"
    else:
        name = place.name
    steps = len(walk.heights) - 1
    last = walk.heights[-1]
    if walk.gone or not abs(last) < 1e6 * (1 + abs(walk.heights[0])):
        end = f"It diverges: after {steps} steps the height is {figure(last)}."
    elif arrived >= 0:
        end = f"From step {arrived} on it stays at a minimum, height {figure(last)}."
    else:
        end = f"After {steps} steps it is at height {figure(last)} and has not arrived."
    rises = int((np.diff(walk.heights[np.isfinite(walk.heights)]) > 0).sum())
    return (
        f"{name}. The ball starts at x = {decimals(at[0])}, y = {decimals(at[1])}, height "
        f"{figure(walk.heights[0])}, with learning rate {chosen['rate']:g} and momentum "
        f"{chosen['momentum']:g}. {end} {rises} of its {steps} steps went up."
    )


def _beside_the_model(walk) -> None:
    """The model itself, run where the ball starts, beside the surface through what was measured."""
    a, b = walk.points[0]
    _, through, _ = descent_model.measured()
    began = time.perf_counter()
    loss, slope = through.slope(a, b)
    seconds = time.perf_counter() - began
    height, gradient = walk.heights[0], walk.gradients[0]
    chapter.explain(
        f"The surface is laid through {descent_model.COUNT**2} measured losses; one unit of the "
        f"map changes every row of weights by {descent_model.UNIT:.0%} of its length. Where the "
        f"ball starts, at {_pair((a, b))}, it says :loss[**{decimals(height)}**] and the slope "
        f":gradient[{_pair(gradient)}]. The model itself, run at this very place, has the loss "
        f":loss[**{decimals(loss)}**] nats a token, and [[backpropagation]] through all its "
        f"weights gives :gradient[{_pair(slope)}]."
    )
    chapter.mark("computed", by=descent_model.MODEL, where="forward and backward", seconds=seconds)


def _pair(numbers) -> str:
    return f"({decimals(numbers[0])}, {decimals(numbers[1])})"
