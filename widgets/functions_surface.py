"""A surface over x and y: everything its component needs, computed once per surface."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from microgpt.basics import expressions
from microgpt.basics.expressions import Expression
from widgets import look
from widgets.components import component, packed, state_of
from widgets.functions_figures import figure, in_range

COUNT, HALF = 121, 3.0  # nodes a side; formulas are drawn from -HALF to HALF

_mount = component("functions_surface", states={"at": None})
_profiles = component("functions_profiles")


def grid(half: float, count: int = COUNT):  # -> (count, count, 2)
    """The points of an even grid: rows are y from low to high, columns x."""
    line = np.linspace(-half, half, count)
    return np.stack(np.meshgrid(line, line), axis=-1)


def shading(heights, rings: bool):  # (N, N) -> (N, N) uint8, whether a logarithm was taken
    """Heights as colors: even steps for tame surfaces, steps of a logarithm where a few heights
    dwarf the rest. With `rings` a bowl gets rings of even width, so that its bottom is seen."""
    above = heights - heights.min()
    middle, most = np.median(above), above.max()
    squeezed = bool(most > 8 * middle)
    if squeezed:
        above = np.log1p(above / max(0.05 * middle, 1e-9 * max(most, 1.0)))
    elif rings:
        above = np.sqrt(above)
    return np.round(255 * above / max(above.max(), 1e-300)).astype(np.uint8), squeezed


def surface_view(
    name: str, surface: str, heights, half: float, gradients=None, rings=False
) -> dict:
    """What the component needs of a surface: heights, colors, slopes, the ends of the scale.

    `name` is the channel on which other components join in, `surface` says which surface this
    is: another one puts the point back to its start.
    """
    heights = np.asarray(heights)
    shade, squeezed = shading(heights, rings)
    view = {
        "name": name, "surface": surface, "half": half, "palette": list(look.SEQUENTIAL),
        "heights": packed(heights.astype(np.float32)), "shade": packed(shade),
        "squeezed": squeezed,
        "levels": [f"low {figure(heights.min(), 2)}", f"high {figure(heights.max(), 2)}"],
        "minima": [], "arrows": False, "cuts": False, "exact": True, "quiet": False,
        "letter": "f", "point": "The point", "size": 460,
    }  # fmt: skip
    if gradients is not None:
        view["slopes"] = [
            packed(np.ascontiguousarray(gradients[..., i], np.float32)) for i in (0, 1)
        ]
    return view


@st.cache_resource(max_entries=32, show_spinner=False)
def formula_view(name: str, text: str, slopes: bool) -> dict:
    """The view of a formula of x and y. What has no value is drawn as low as the rest."""
    expression = expressions.parse(text)
    points = grid(HALF)
    heights, by = expressions.slopes(expression, x=points[..., 0], y=points[..., 1])
    heights, by_x, by_y = (_bounded(a) for a in (heights, by["x"], by["y"]))
    gradients = np.stack([by_x, by_y], axis=-1) if slopes else None
    return surface_view(name, "formula", heights, HALF, gradients)


def _bounded(values):
    known = np.isfinite(values) & (np.abs(values) < 1e30)
    least = values[known].min() if known.any() else 0.0
    return np.where(known, values, least)


def draw(key: str, view: dict, start: dict, label: str, **more) -> object:
    """Mount the surface; returns what the browser says (`.at`)."""
    return _mount({**view, "start": start, "label": label, **more}, key=key)


def place(key: str, surface: str, start: dict, half: float) -> tuple[float, float]:
    """Where the point of a surface is: as the browser says, within the map."""
    said = state_of(key, "at", None)
    if not isinstance(said, Mapping) or said.get("surface") != surface:
        said = {}
    return tuple(in_range(said.get(n), start[n], -half, half) for n in ("x", "y"))


def draw_profiles(key: str, name: str) -> None:
    """The two cuts through the point of a surface."""
    _profiles({"name": name}, key=key)


def in_words(expression: Expression) -> str:
    """What the surface shows: where it is lowest and highest, and how it runs."""
    points = grid(HALF)
    heights = expressions.slopes(expression, x=points[..., 0], y=points[..., 1])[0]
    known = np.isfinite(heights)
    name = expressions.written(expression)
    if not known.any():
        return f"f(x, y) = {name} has no value anywhere on the map."
    low = np.unravel_index(np.nanargmin(np.where(known, heights, np.nan)), heights.shape)
    high = np.unravel_index(np.nanargmax(np.where(known, heights, np.nan)), heights.shape)

    def place(index):
        x, y = points[index]
        return f"{figure(heights[index])} at x = {x:.2f}, y = {y:.2f}"

    gap = "" if known.all() else f" {1 - known.mean():.0%} of the map has no value."
    return (
        f"f(x, y) = {name} on a map from {-HALF:g} to {HALF:g} both ways. Lowest: {place(low)}. "
        f"Highest: {place(high)}.{gap}"
    )
