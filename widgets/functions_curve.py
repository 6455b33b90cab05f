"""A curve to touch: everything its component needs, computed once per formula."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from microgpt.basics import expressions, landscapes
from microgpt.basics.expressions import Expression
from widgets.components import component, state_of
from widgets.functions_figures import doubles, figure, finite_or_none, in_range

LOW, HIGH, AHEAD = -6, 6, 2  # the curve is drawn from LOW to HIGH, and known a bit further

_mount = component("functions_curve", states={"at": None})


@st.cache_resource(max_entries=64, show_spinner=False)
def curve_view(text: str) -> dict:
    """f and its exact slope at every hundredth, the window, and the places without slope."""
    expression = expressions.parse(text, ("x",))
    x = np.arange(LOW * 100, (HIGH + AHEAD) * 100 + 1) / 100
    values, slopes = expressions.slopes(expression, x=x)
    values = np.where(np.isfinite(values), values, np.nan)
    bottom, top = window(values[x <= HIGH])
    return {
        "low": LOW, "high": HIGH, "bottom": bottom, "top": top,
        "f": doubles(values), "slopes": doubles(slopes["x"]),
        "substituted": {
            "positive": expressions.written(expression, x="▮"),
            "negative": expressions.written(expression, x="−▮"),
        },
    }  # fmt: skip


def window(values: np.ndarray) -> tuple[float, float]:
    """From where to where the vertical axis goes: the bulk of the values, with some air.

    What shoots far off (a pole, an exponential) is cut, so that the rest can be seen.
    """
    values = values[np.isfinite(values) & (np.abs(values) < 1e12)]
    if not len(values):
        return -1.0, 1.0
    low, high = float(values.min()), float(values.max())
    a, b = np.percentile(values, [4, 96])
    if high - low > 6 * (b - a) > 0:
        low, high = max(low, a - 1.5 * (b - a)), min(high, b + 1.5 * (b - a))
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - max(1.0, abs(low)), high + max(1.0, abs(high))
    low, high = min(low, 0.0) if low < 0.5 * high else low, max(high, 0.0)
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


@st.cache_resource(max_entries=64, show_spinner=False)
def flat_points(text: str) -> list[landscapes.FlatPoint]:
    """Minima, maxima and flat places of the curve, as far as it is drawn."""
    return landscapes.flat_points(expressions.parse(text, ("x",)), LOW, HIGH)


def places(key: str, start: Mapping[str, float], limits: Mapping[str, tuple]) -> dict[str, float]:
    """Where the points of a curve are: as the browser says, within their limits."""
    said = state_of(key, "at", None)
    said = said if isinstance(said, Mapping) else {}
    return {n: in_range(said.get(n), v, *limits.get(n, (LOW, HIGH))) for n, v in start.items()}


def draw(key: str, mode: str, expression: Expression, start: Mapping[str, float], **more) -> None:
    """Mount the curve in one of its modes; see functions_curve.js."""
    view = curve_view(expression.text)
    label = f"Curve of f(x) = {expressions.written(expression)}, x from {LOW} to {HIGH}"
    _mount({**view, "mode": mode, "start": start, "label": label, **more}, key=key)


def point_view(x: float, value: float, slope: float) -> dict:
    """One point for the component: what Python says exactly there."""
    return {"x": x, "y": finite_or_none(value), "slope": finite_or_none(slope)}


def in_words(expression: Expression) -> str:
    """What the curve shows: its least, its most, where it rises and falls."""
    view_x = np.arange(LOW * 100, HIGH * 100 + 1) / 100
    values, slopes = expressions.slopes(expression, x=view_x)
    known = np.isfinite(values)
    name = expressions.written(expression)
    if not known.any():
        return f"f(x) = {name} has no value anywhere between x = {LOW} and {HIGH}."
    least, most = np.nanargmin(np.where(known, values, np.nan)), np.nanargmax(
        np.where(known, values, np.nan)
    )
    rising = float((slopes["x"][known] > 0).mean())
    falling = float((slopes["x"][known] < 0).mean())
    gap = "" if known.all() else f" In {1 - known.mean():.0%} of the range it has no value."
    return (
        f"f(x) = {name} for x from {LOW} to {HIGH}. The least value is {figure(values[least])} at "
        f"x = {view_x[least]:.2f}, the most {figure(values[most])} at x = {view_x[most]:.2f}. The "
        f"curve rises in {rising:.0%} of the range and falls in {falling:.0%}.{gap}"
    )
