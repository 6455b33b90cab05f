"""Chapter 1, drawn: a curve, a nudge, a surface, a machine from text to text."""

import time

import numpy as np
import streamlit as st

from microgpt.basics import expressions
from microgpt.basics.expressions import Expression
from widgets import (
    chapter,
    engine,
    functions_curve,
    functions_neuron,
    functions_surface,
    next_token,
)
from widgets.functions_figures import coordinate, decimals, figure
from widgets.functions_formula import CURVES, formula_box

neuron = functions_neuron.draw
SURFACES = {
    "Bowl": "x**2 + y**2",
    "Saddle": "x*y",
    "Waves": "sin(2*x) + cos(2*y)",
    "Hill": "exp(-x**2 - y**2)",
}
FIRST_TEXT = "One day Anna went to the"


def formula() -> Expression:
    """The reader's function of x."""
    return formula_box("functions_formula", CURVES, ("x",), CURVES["2 sin x + 0.3 x"])


@st.fragment
def curve(expression: Expression) -> None:
    """A dot that follows the pointer along the curve."""
    key, start = "functions_curve", {"x": 2.0}
    x = functions_curve.places(key, start, {})["x"]
    began = time.perf_counter()
    value = float(expressions.evaluate(expression, x=x))
    seconds = time.perf_counter() - began
    functions_curve.draw(
        key, "read", expression, start, point=functions_curve.point_view(x, value, np.nan)
    )
    where = f"f({coordinate(x)}) = {figure(value)}"
    chapter.mark("computed", by="microgpt.basics.expressions", where=where, seconds=seconds)
    chapter.text_twin(functions_curve.in_words(expression))


@st.fragment
def nudge(expression: Expression) -> None:
    """The same nudge of the input in two places, on x² or on the reader's own curve."""
    mine = f"yours: {expressions.written(expression)}"
    curves = {"x²": expressions.parse("x**2", ("x",)), mine: expression}
    chosen = st.pills("Curve", list(curves), default="x²", required=True, key="functions_nudged",
                      persist_state="session")  # fmt: skip
    expression = curves.get(chosen, curves["x²"])
    key, start = "functions_nudge", {"a": 0.5, "b": 2.0, "d": 0.5}
    at = functions_curve.places(key, start, {"d": (0.05, 1.5)})
    functions_curve.draw(key, "nudge", expression, start)
    changes = [
        float(expressions.evaluate(expression, x=at[name] + at["d"]))
        - float(expressions.evaluate(expression, x=at[name]))
        for name in ("a", "b")
    ]
    chapter.mark("computed", by="microgpt.basics.expressions")
    steeper = "A" if abs(changes[0]) > abs(changes[1]) else "B"
    if not np.isfinite(changes).all():
        steeper = "neither, for the function has no value there"
    elif np.isclose(*np.abs(changes)):
        steeper = "neither: both changes are the same"
    chapter.text_twin(
        f"The input is raised by {decimals(at['d'])} at A, x = {coordinate(at['a'])}, and at B, "
        f"x = {coordinate(at['b'])}. The output changes by {figure(changes[0])} at A and by "
        f"{figure(changes[1])} at B. Steeper: {steeper}."
    )


def surface() -> None:
    """A machine with two inputs, seen from above or in 3-D."""
    expression = formula_box("functions_surface_formula", SURFACES, ("x", "y"), SURFACES["Waves"])
    _surface(expression)


@st.fragment
def _surface(expression: Expression) -> None:
    name = "functions_surface"
    view = functions_surface.formula_view(name, expression.text, slopes=False)
    left, right = st.columns([5, 4], gap="medium")
    with left:
        functions_surface.draw(
            name, view, {"x": 1.0, "y": 0.5},
            f"Surface of f(x, y) = {expressions.written(expression)}", cuts=True,
        )  # fmt: skip
    with right:
        functions_surface.draw_profiles("functions_profiles", name)
    chapter.mark("computed", by="microgpt.basics.expressions", where="at 14,641 points")
    chapter.text_twin(functions_surface.in_words(expression))


def text_machine() -> None:
    """Text in, probabilities out: the tiny GPT as a function, and the number of its knobs."""
    if "tiny-base" not in engine.models():
        st.warning("The model tiny-base is not in assets/models. Train it with "
                   "`python -m microgpt train tiny-base`, then reload this page.")  # fmt: skip
        return
    next_token.next_token("tiny-base", FIRST_TEXT)
    model = engine.model("tiny-base")
    knobs = sum(array.size for array in model.params.values())
    chapter.explain(
        f"The same text always gives the same bars: this is a function too. It goes from text to "
        f"**{model.config.vocab_size:,}** :probability[probabilities] that add to 1, one for every "
        f"[[token]] it knows. The neuron above has 4 knobs; this machine has **{knobs:,}** "
        f"[[parameter|parameters]]. Nobody turned them by hand."
    )
    chapter.text_twin(
        "A line of text goes in; out come bars, one for each of the eight likeliest next tokens, "
        "the likeliest first, with its probability in percent."
    )
