"""A formula of one's own: a few to choose from, a line to type into, a sentence when it fails."""

from collections.abc import Mapping

import streamlit as st

from microgpt.basics import expressions
from microgpt.basics.expressions import Expression
from widgets import prose

CURVES = {
    "A line": "0.5*x + 1",
    "x²": "x**2",
    "sin": "sin(x)",
    "ReLU": "relu(x)",
    "sigmoid": "sigmoid(x)",
    "2 sin x + 0.3 x": "2*sin(x) + 0.3*x",
}


def formula_box(
    key: str, presets: Mapping[str, str], variables: tuple[str, ...], start: str
) -> Expression:
    """Presets and a text box; returns the formula to draw.

    What can't be read is answered by a sentence, and the last formula that could stays on the
    page. The formula is in the address of the page, under `key`.
    """
    shown = "f(x)" if variables == ("x",) else "f(x, y)"
    st.text_input(
        f"{shown} = … choose one, or type your own", value=start, key=key,
        bind="query-params", max_chars=expressions.LONGEST, autocomplete="off",
    )  # fmt: skip
    with st.container(horizontal=True, gap="small", key=f"{key}_presets"):
        for label, formula in presets.items():
            st.button(label, key=f"{key}_{label}", on_click=_take, args=(key, formula))
    # A place of its own for complaints: what stands below keeps its own, and is not built anew.
    complaints = st.container(gap="small")
    kept = f"{key}:last"
    try:
        expression = expressions.parse(st.session_state[key] or "", variables)
        st.session_state[kept] = expression.text
    except ValueError as error:
        last = st.session_state.get(kept, start)
        complaints.markdown(f":material/error: {prose.literal(str(error))}")
        complaints.markdown(f":small[:gray[Still drawn: {prose.literal(last)}]]")
        expression = expressions.parse(last, variables)
    return expression


def _take(key: str, formula: str) -> None:
    st.session_state[key] = formula
