"""Four ways to tell a model where a token stands, each as a picture of its numbers."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.model.positions import alibi_slopes, rope_table, sinusoidal_table
from widgets import chapter, engine, look
from widgets.positions_learning import SEED, trained

ROWS, WIDTH = 48, 32  # positions and numbers of the sinusoidal table that is drawn
SCHEMES = {"Learned": "learned", "Sinusoidal": "sinusoidal", "RoPE": "rope", "ALiBi": "alibi"}
SAYS = {
    "learned": "Every position has a row of its own that is learned like a word's and **added** to "
    "it. Past the last row there is nothing: such a model cannot read a longer text.",
    "sinusoidal": "The row that is **added** is a formula: sines and cosines, fast on the left, "
    "slow on the right. Nothing is learned, and every position has another row.",
    "rope": "Nothing is added. Each pair of numbers in the :query[query] and the :key[key] is "
    "**turned** by an angle that grows with the position, fast pairs and slow ones.",
    "alibi": "Nothing is added and nothing turned. A score is **lowered** by the distance to the "
    "token looked at, in every head at another rate.",
}


@dataclass(frozen=True)
class Picture:
    """A table of numbers, or ALiBi's lines; `by` says whose they are."""

    scheme: str
    values: np.ndarray  # (positions, numbers), or (heads, distances)
    by: str
    where: str


def compute(model, scheme: str) -> Picture:
    """The numbers of one scheme: of the model where it has them, else of the engine."""
    config = model.config
    if scheme == "learned":
        params = trained("learned", 1, SEED).params
        return Picture(scheme, params["model.embed_positions.weight"], "microgpt",
                       "a model of 4 positions, trained for this page")  # fmt: skip
    if scheme == "sinusoidal":
        values = sinusoidal_table(0, ROWS, _Sizes(ROWS, WIDTH))
        return Picture(scheme, values, "microgpt.model.positions", f"for a width of {WIDTH}")
    if scheme == "rope":
        rows = min(ROWS, config.context)
        values = rope_table(0, rows, config)[0]
        return Picture(scheme, values, "microgpt.model.positions",
                       f"the cosines, for the heads of {model.name}")  # fmt: skip
    if scheme == "alibi":
        values = -alibi_slopes(config.heads)[:, None] * np.arange(ROWS)
        return Picture(scheme, values, "microgpt.model.positions", f"for {config.heads} heads")
    raise ValueError(f"{scheme!r} is not one of {', '.join(SCHEMES.values())}.")


@dataclass(frozen=True)
class _Sizes:
    """The two numbers that the sinusoidal table asks a configuration for."""

    context: int
    width: int


def in_words(picture: Picture) -> str:
    rows, columns = picture.values.shape
    low, high = float(picture.values.min()), float(picture.values.max())
    if picture.scheme == "alibi":
        return (
            f"{rows} straight lines that fall from 0, one a head. At a distance of {columns - 1} "
            f"the steepest has lowered the score by {-picture.values[0, -1]:.2f} and the flattest "
            f"by {-picture.values[-1, -1]:.2f}."
        )
    waves = " The left columns change fastest from row to row."
    waves = "" if picture.scheme == "learned" else waves
    return (
        f"A table of {rows} positions and {columns} numbers each, from {low:.2f} to {high:.2f}."
        f"{waves}"
    ).replace(" -", " −")


def four_ways(model) -> None:
    """Draw the choice and the picture."""
    chosen = st.segmented_control(
        "How positions are told", list(SCHEMES), default="Sinusoidal", required=True,
        key="tokens_scheme", persist_state="session", bind="query-params",
    )  # fmt: skip
    picture = compute(model, SCHEMES[chosen])
    chapter.explain(SAYS[picture.scheme])
    summary = in_words(picture)
    (_lines if picture.scheme == "alibi" else _heat)(picture, summary)
    chapter.mark("computed", by=picture.by, where=picture.where)
    chapter.text_twin(summary)


def _heat(picture: Picture, summary: str) -> None:
    alt = engine.altair()

    rows = [
        {"position": i, "number": j + 1, "value": round(float(value), 4)}
        for i, row in enumerate(picture.values)
        for j, value in enumerate(row)
    ]
    most = float(np.abs(picture.values).max())
    chart = alt.Chart(alt.Data(values=rows)).mark_rect().encode(
        alt.X("number:O", title="number in the row" if picture.scheme != "rope" else "pair",
              axis=alt.Axis(labelAngle=0, values=_every(picture.values.shape[1], 4, 1))),
        alt.Y("position:O", title="position",
              axis=alt.Axis(values=_every(len(picture.values), 8 if len(rows) > 200 else 1, 0))),
        alt.Color("value:Q", title="value",
                  scale=alt.Scale(domain=[-most, most], range=list(look.DIVERGING),
                                  interpolate="rgb")),
        tooltip=["position:O", "number:O", alt.Tooltip("value:Q", format=".3f")],
    )  # fmt: skip
    height = 320 if len(picture.values) > 8 else 140
    st.altair_chart(chart.properties(height=height), alt=summary)


def _every(count: int, step: int, first: int) -> list[int]:
    return list(range(first, count + first, step))


def _lines(picture: Picture, summary: str) -> None:
    alt = engine.altair()

    rows = [
        {"distance": j, "lowered": float(value), "head": f"head {i + 1}"}
        for i, row in enumerate(picture.values)
        for j, value in enumerate(row)
    ]
    line = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=2).encode(
        alt.X("distance:Q", title="distance to the token looked at"),
        alt.Y("lowered:Q", title="added to the score"),
        detail="head:N", color=alt.value(look.color("key")),
        tooltip=["head:N", "distance:Q", alt.Tooltip("lowered:Q", format=".3f")],
    )  # fmt: skip
    ends = [row for row in rows if row["distance"] == picture.values.shape[1] - 1]
    names = alt.Chart(alt.Data(values=ends)).mark_text(align="left", dx=5, fontSize=12).encode(
        x="distance:Q", y="lowered:Q", text="head:N", color=alt.value(look.color("key"))
    )
    st.altair_chart((line + names).properties(height=300), alt=summary)
