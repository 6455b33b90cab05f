"""Chapter 2, drawn: a tangent, a secant that shrinks, flat places, the gradient of a surface."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.basics import expressions
from microgpt.basics.expressions import Expression
from widgets import chapter, functions_curve, functions_surface
from widgets.components import component
from widgets.functions_figures import coordinate, decimals, figure, finite_or_none, short
from widgets.functions_formula import CURVES, formula_box

PRESETS = {"x²": "x**2", "x³": "x**3", **{k: v for k, v in CURVES.items() if k != "x²"}}
SURFACES = {
    "Bowl": "x**2 + y**2",
    "Ravine": "0.1*x**2 + 2*y**2",
    "Saddle": "x*y",
    "Waves": "sin(2*x) + cos(2*y)",
}
SMALL_STEPS = (float(f"{digit}e-{power}") for power in range(2, 17) for digit in (5, 2, 1))
HS = (2.0, 1.0, 0.5, 0.2, 0.1, *SMALL_STEPS)
START = {"x": 3.0, "k": 1}
SURFACE_START = {"x": -2.0, "y": 1.0}
CURVE, SURFACE = "derivatives_curve", "derivatives_surface"

_errors = component("derivatives_error")


@dataclass(frozen=True)
class Quotients:
    """Slopes of secants through one point for every h in `HS`, and how far off they are."""

    forward: np.ndarray  # (f(x + h) - f(x)) / h
    central: np.ndarray  # (f(x + h) - f(x - h)) / 2h
    errors: np.ndarray  # (2, len(HS)) distance from the exact slope


def quotients(expression: Expression, x: float, slope: float) -> Quotients:
    """Difference quotients in float64, as a calculator would take them."""
    h = np.array(HS)
    here, ahead, behind = (
        np.broadcast_to(expressions.evaluate(expression, x=place), h.shape)
        for place in (np.float64(x), x + h, x - h)
    )
    with np.errstate(all="ignore"):
        forward, central = (ahead - here) / h, (ahead - behind) / (2 * h)
        return Quotients(forward, central, np.abs(np.stack([forward, central]) - slope))


def formula() -> Expression:
    """The reader's function of x."""
    return formula_box("derivatives_formula", PRESETS, ("x",), PRESETS["x²"])


def place() -> tuple[float, int]:
    """Where the dot is, and which h is chosen."""
    at = functions_curve.places(CURVE, START, {"k": (0, len(HS) - 1)})
    return at["x"], round(at["k"])


@st.fragment
def tangent(expression: Expression, revealed: bool) -> None:
    """The dot, its tangent, the secant; below, once it may be seen, the error for every h."""
    x, k = place()
    began = time.perf_counter()
    value, slopes = expressions.slope(expression, x=x)
    seconds = time.perf_counter() - began
    found = quotients(expression, x, slopes["x"])
    flat = functions_curve.flat_points(expression.text)
    functions_curve.draw(
        CURVE, "tangent", expression, START, hs=HS,
        point=functions_curve.point_view(x, value, slopes["x"]),
        secants=[finite_or_none(v) for v in found.forward],
        flat=[{"x": p.x, "until": p.until, "height": p.height, "kind": p.kind} for p in flat],
    )  # fmt: skip
    where = f"f′({coordinate(x)}) = {figure(slopes['x'])}"
    chapter.mark("computed", by="microgpt.autograd.scalar", where=where, seconds=seconds)
    chapter.text_twin(
        f"{functions_curve.in_words(expression)} At x = {coordinate(x)} the value is "
        f"{figure(value)} and the slope {figure(slopes['x'])}. {flat_in_words(flat)}"
    )
    chapter.explain(_in_this_place(expression, x, slopes["x"], found.forward[k], HS[k]))
    if revealed:
        _error_chart(x, k, found)
    else:
        chapter.explain(":quiet[Commit to your prediction at the top, and a picture of the "
                        "difference for every h appears here.]")  # fmt: skip


def _in_this_place(expression: Expression, x: float, slope: float, secant: float, h: float) -> str:
    name = expressions.written(expression)
    if not np.isfinite(slope):
        return f"At x = {coordinate(x)} the function {name} has no slope: move the dot."
    direction = "up" if slope > 0 else "down" if slope < 0 else "neither up nor down"
    return (
        f"At x = **{coordinate(x)}** the curve {name} has the slope "
        f":gradient[**{figure(slope)}**]: go one step to the right, and along the tangent you go "
        f"{direction}{f' by {figure(abs(slope))}' if slope else ''}. The dashed line through two "
        f"points of the curve, {short(h)} apart, says :key[**{figure(secant)}**]."
    )


def flat_in_words(flat: list) -> str:
    """The places without slope, in a sentence."""
    if not flat:
        return "Nowhere in the picture is the slope 0."
    words = [
        f"flat from x = {decimals(p.x)} to {decimals(p.until)}" if p.until > p.x
        else f"{'a flat place' if p.kind == 'flat' else f'a {p.kind}'} at x = {decimals(p.x)}, "
             f"height {figure(p.height)}"
        for p in flat[:12]
    ]  # fmt: skip
    more = f"; and {len(flat) - 12} more" if len(flat) > 12 else ""
    return f"The slope is 0 here: {'; '.join(words)}{more}."


def _error_chart(x: float, k: int, found: Quotients) -> None:
    summary = error_in_words(found)
    errors = [[finite_or_none(v) for v in line] for line in found.errors]
    _errors({"hs": HS, "errors": errors, "k": k, "x": x, "label": summary}, key="derivatives_error")
    chapter.mark(
        "measured",
        by="float64",
        where=f"against the slope of microgpt.autograd.scalar at x = {coordinate(x)}",
    )
    chapter.text_twin(summary)
    chapter.explain(
        "Read it from left to right: h shrinks, and the secant comes closer; the :query[dotted "
        "line], with one point on either side of x, comes closer faster. Then float64 runs out of "
        "digits: f(x + h) and f(x) agree in almost all of them, and their difference is noise."
    )


def error_in_words(found: Quotients) -> str:
    """What the chart of errors shows: where each kind of secant is best, and where it breaks."""
    words = []
    for name, errors in zip(("one-sided", "two-sided"), found.errors, strict=True):
        if not np.isfinite(errors).any():
            continue
        best = int(np.nanargmin(errors))
        words.append(
            f"the {name} secant is off by {figure(errors[0])} at h = 2, by {figure(errors[best])} "
            f"at best, with h = {short(HS[best])}, and by {figure(errors[-1])} at h = "
            f"{short(HS[-1])}"
        )
    if not words:
        return "The function has no slope here, so there is nothing to compare."
    text = "; ".join(words)
    return f"{text[0].upper()}{text[1:]}."


def flat_places(expression: Expression) -> None:
    """The places without slope, as a sentence with live numbers."""
    chapter.explain(flat_in_words(functions_curve.flat_points(expression.text)))


def surface() -> None:
    """The gradient on a surface of the reader's choice."""
    expression = formula_box(
        "derivatives_surface_formula", SURFACES, ("x", "y"), SURFACES["Ravine"]
    )
    _surface(expression)


@st.fragment
def _surface(expression: Expression) -> None:
    view = functions_surface.formula_view(SURFACE, expression.text, slopes=True)
    left, right = st.columns([5, 4], gap="medium")
    with left:
        functions_surface.draw(
            SURFACE, view, SURFACE_START,
            f"Surface of f(x, y) = {expressions.written(expression)}", cuts=True, arrows=True,
        )  # fmt: skip
    with right:
        functions_surface.draw_profiles("derivatives_profiles", SURFACE)
    x, y = functions_surface.place(SURFACE, "formula", SURFACE_START, functions_surface.HALF)
    began = time.perf_counter()
    height, by = expressions.slope(expression, x=x, y=y)
    seconds = time.perf_counter() - began
    chapter.mark("computed", by="microgpt.autograd.scalar", seconds=seconds,
                 where=f"gradient ({figure(by['x'])}, {figure(by['y'])})")  # fmt: skip
    chapter.text_twin(
        f"{functions_surface.in_words(expression)} At x = {decimals(x)}, y = {decimals(y)} the "
        f"height is {figure(height)}, ∂f/∂x is {figure(by['x'])} and ∂f/∂y is {figure(by['y'])}; "
        f"the gradient points uphill and is {figure(np.hypot(by['x'], by['y']))} long."
    )
