"""Five small models learn who was bitten: with one kind of position each, and with none."""

import time

import streamlit as st

from microgpt.insight import order_task
from microgpt.insight.order_task import SCHEMES
from widgets import chapter, engine, look

SEED, STEPS = 0, 200
NAMES = {"learned": "learned", "sinusoidal": "sinusoidal", "rope": "RoPE", "alibi": "ALiBi",
         "none": "no positions"}  # fmt: skip
COLORS = ("query", "key", "value", "loss", "residual")
DASHES = ([1, 0], [8, 4], [2, 3], [8, 3, 2, 3], [4, 2])
ASKED = "tokens:order_trained"


@st.cache_resource(max_entries=40, show_spinner=False)
def trained(positions: str, layers: int, seed: int) -> order_task.Trained:
    """A finished run, shared by all readers: the same seed gives the same model."""
    return order_task.learn(positions, layers, STEPS, seed)


@st.cache_resource(max_entries=16, show_spinner=False)
def runs(layers: int, seed: int) -> tuple[dict[str, order_task.Trained], float]:
    """All five, and the seconds they took."""
    began = time.perf_counter()
    found = {scheme: trained(scheme, layers, seed) for scheme in SCHEMES}
    return found, time.perf_counter() - began


def rows_of(found: dict[str, order_task.Trained]) -> list[dict]:
    return [
        {"step": point.step, "right": point.accuracy, "positions": NAMES[scheme]}
        for scheme, run in found.items()
        for point in run.points
    ]


def in_words(found: dict[str, order_task.Trained], layers: int) -> str:
    last = {NAMES[scheme]: run.points[-1].accuracy for scheme, run in found.items()}
    ends = ", ".join(f"{name} {100 * share:.0f} %" for name, share in last.items())
    best = max(point.accuracy for point in found["none"].points)
    return (
        f"Share of sentences answered right after {STEPS} steps, {layers} "
        f"{'layer' if layers == 1 else 'layers'}: {ends}. Without positions it was never above "
        f"{100 * best:.0f} %. A guess between the two who are named is right in 50 %."
    )


def who_was_bitten() -> None:
    """Draw the controls, and after the button the five curves."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        layers = st.segmented_control(
            "Layers", [1, 2], default=1, required=True, key="tokens_order_layers",
            persist_state="session",
        )  # fmt: skip
        seed = st.number_input("Seed", 0, 9999, SEED, key="tokens_order_seed", width=140,
                               persist_state="session")  # fmt: skip
        st.button("Train five models", type="primary", key="tokens_order_train", on_click=_ask)
    if not st.session_state.get(ASKED):
        return
    engine.wait()
    with st.spinner("Training ..."):
        found, seconds = runs(int(layers), int(seed))
    summary = in_words(found, int(layers))
    _chart(rows_of(found), summary)
    chapter.mark("measured", by="microgpt.training", where=f"5 models, {STEPS} steps each",
                 seconds=seconds)  # fmt: skip
    chapter.explain(summary)


def _ask() -> None:
    st.session_state[ASKED] = True


def _chart(rows: list[dict], summary: str) -> None:
    alt = engine.altair()

    names = list(NAMES.values())
    line = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=2.5).encode(
        alt.X("step:Q", title="step of training"),
        alt.Y("right:Q", title="answered right",
              axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
        alt.Color("positions:N", title=None,
                  legend=alt.Legend(orient="top", symbolSize=400, columns=3),
                  scale=alt.Scale(domain=names, range=[look.color(c) for c in COLORS])),
        alt.StrokeDash("positions:N", title=None,
                       scale=alt.Scale(domain=names, range=list(DASHES))),
        tooltip=["positions:N", "step:Q", alt.Tooltip("right:Q", format=".1%")],
    )  # fmt: skip
    half = alt.Chart(alt.Data(values=[{"right": 0.5}])).mark_rule(strokeDash=[4, 4]).encode(
        y="right:Q", color=alt.value(look.color("quiet"))
    )
    st.altair_chart((half + line).properties(height=280), alt=summary)
