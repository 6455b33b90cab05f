"""The scalar engine against the tensor engine: the same gradients, timed here and now."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.autograd import tensor
from microgpt.autograd.scalar import Value
from microgpt.autograd.tensor import Tensor
from widgets import chapter, marks

KEY = "backprop_timing"
SIZES, FEW = (2, 4, 8, 16, 24), 3  # sides of the matrices; how many are timed as the page opens
REPEATS = 15  # of the tensor engine, which is too quick to time once


@dataclass(frozen=True)
class Timing:
    """Both engines on the product of two n by n matrices, summed up, forward and backward."""

    size: int
    scalar: float  # seconds
    tensor: float
    nodes: int  # Values that the scalar engine made
    apart: float  # largest difference between their gradients


def compute(size: int, rng: np.random.Generator) -> Timing:
    """Time both; the tensor engine several times, of which the median counts."""
    x, w = rng.normal(0, 1, (2, size, size))
    began = time.perf_counter()
    left = [[Value(v) for v in row] for row in x]
    right = [[Value(v) for v in row] for row in w]
    loss = Value(0)
    for row in left:
        for j in range(size):
            cell = row[0] * right[0][j]
            for k in range(1, size):
                cell = cell + row[k] * right[k][j]
            loss = loss + cell * cell
    loss.backward()
    scalar = time.perf_counter() - began
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        leaf, other = Tensor(x), Tensor(w)
        y = tensor.matmul(leaf, other)
        tensor.total(y * y).backward()
        times.append(time.perf_counter() - began)
    by_numbers = np.array([[v.grad for v in row] for row in left])
    nodes = 2 * size * size + size * size * (2 * size + 1) + 1
    return Timing(
        size, scalar, float(np.median(times)), nodes, float(np.abs(by_numbers - leaf.grad).max())
    )


def in_words(timings: list[Timing]) -> str:
    last = timings[-1]
    return (
        f"For {last.size} by {last.size} matrices the scalar engine makes {last.nodes:,} values "
        "and "
        f"takes {marks.duration(last.scalar)}, the tensor engine takes "
        f"{marks.duration(last.tensor)}: {last.scalar / last.tensor:,.0f} times less. Their "
        f"gradients differ by at most {last.apart:.0e}."
    )


@st.fragment
def race() -> None:
    """Draw the table and the chart."""
    pressed = st.button("Time both, now", key=f"{KEY}_go")
    if pressed or f"{KEY}:found" not in st.session_state:
        sizes = SIZES if pressed else SIZES[:FEW]
        rng = np.random.default_rng(0)
        st.session_state[f"{KEY}:found"] = [compute(size, rng) for size in sizes]
    found = st.session_state[f"{KEY}:found"]
    rows = [
        "| matrices | values made | scalar engine | tensor engine | times faster |",
        "|---|---:|---:|---:|---:|",
    ]
    rows += [
        f"| {t.size} × {t.size} | {t.nodes:,} | {marks.duration(t.scalar)} | "
        f"{marks.duration(t.tensor)} | **{t.scalar / t.tensor:,.0f}** |"
        for t in found
    ]
    chapter.explain("\n".join(rows))
    _chart(found)
    chapter.mark(
        "measured",
        by="microgpt.autograd",
        seconds=sum(t.scalar for t in found),
        where=f"single numbers once, tensors the median of {REPEATS}",
    )
    chapter.text_twin(in_words(found))


def _chart(found: list[Timing]) -> None:
    import pandas  # noqa: F401  (Altair must not meet it half loaded by the warm-up)
    import altair as alt  # isort: skip

    rows = [
        {"size": t.size, "milliseconds": 1e3 * seconds, "engine": name}
        for t in found
        for name, seconds in (("single numbers", t.scalar), ("tensors", t.tensor))
    ]
    x = alt.X(
        "size:Q",
        title="side of the matrices",
        scale=alt.Scale(type="log", base=2),
        axis=alt.Axis(values=list(SIZES), grid=False),
    )
    y = alt.Y(
        "milliseconds:Q",
        scale=alt.Scale(type="log"),
        title="milliseconds",
        axis=alt.Axis(values=[0.01, 0.1, 1, 10, 100, 1000]),
    )
    names = ["single numbers", "tensors"]
    legend = alt.Legend(orient="top", symbolType="stroke", symbolSize=900)
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True, strokeWidth=2.5)
        .encode(
            x,
            y,
            color=alt.Color(
                "engine:N",
                title=None,
                legend=legend,
                scale=alt.Scale(domain=names),
            ),
            strokeDash=alt.StrokeDash(
                "engine:N",
                title=None,
                legend=legend,
                scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]]),
            ),
            tooltip=["engine:N", "size:Q", alt.Tooltip("milliseconds:Q", format=".3g")],
        )
    )
    st.altair_chart(chart.properties(height=290), alt=in_words(found))
