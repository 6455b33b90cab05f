"""Two small mixtures of experts learn in front of the reader, with and without the balance loss."""

import time

import streamlit as st

from microgpt.autograd.tensor import backend
from microgpt.training.balance import EXPERTS, OPTIONS, Moment, race
from microgpt.training.parallel import single_threaded_blas
from widgets import chapter, engine

KEY = "architectures_balance"
WEIGHTS = (0.0, 0.1)
NAMES = ("without the balance loss", "with the balance loss")
CAP = 12.0  # seconds; a slow machine stops earlier in the run, and says so
IDLE = 0.03  # an expert with less than this share of the choices, a quarter of its part, is idle


def idle(moment: Moment) -> int:
    return sum(share < IDLE for share in moment.load)


def two_busiest(moment: Moment) -> float:
    return sum(sorted(moment.load)[-2:])


def in_words(moments: list[tuple[Moment, ...]]) -> str:
    """What happened, from the last moment of both runs."""
    last = moments[-1]
    said = [
        f"{name}, the two busiest of {EXPERTS} experts get {two_busiest(moment):.0%} of the "
        f"choices and {idle(moment)} get less than {IDLE:.0%}; the loss is {moment.loss:.2f}"
        for name, moment in zip(NAMES, last, strict=True)
    ]
    return f"After {last[0].step} steps: {said[0]}. {said[1][0].upper()}{said[1][1:]}."


def rows_of(moments: list[tuple[Moment, ...]], run: int) -> list[dict]:
    return [
        {"step": both[run].step, "share": share, "expert": expert + 1}
        for both in moments
        for expert, share in enumerate(both[run].load)
    ]


def chart_of(moments: list[tuple[Moment, ...]], run: int):
    alt = engine.altair()
    base = alt.Chart(alt.Data(values=rows_of(moments, run)))
    lines = base.mark_line(strokeWidth=2, color="#0072b2").encode(
        alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, OPTIONS.steps])),
        alt.Y("share:Q", title="share of the choices", axis=alt.Axis(format="%"),
              scale=alt.Scale(domain=[0, 0.6], clamp=True)),
        detail="expert:N",
        tooltip=["expert:N", "step:Q", alt.Tooltip("share:Q", format=".1%")],
    )  # fmt: skip
    even = base.mark_rule(strokeDash=[4, 4], color="#8a7a00").encode(y=alt.datum(1 / EXPERTS))
    name = NAMES[run][0].upper() + NAMES[run][1:]
    return alt.layer(lines, even).properties(
        height=150, title=alt.TitleParams(name, anchor="start", fontWeight="normal", fontSize=14)
    )


def learn(tokenizer, seed: int, show) -> tuple[list[tuple[Moment, ...]], float]:
    """Run both, calling `show(moments)` as they go; stops at the cap."""
    moments, began = [], time.perf_counter()
    shown = 0.0
    with backend("fast"), single_threaded_blas():
        for both in race(tokenizer, WEIGHTS, seed):
            moments.append(both)
            seconds = time.perf_counter() - began
            if seconds - shown > 0.4 and len(moments) > 1:
                shown = seconds
                show(moments)
            if seconds > CAP:
                break
    return moments, time.perf_counter() - began


@st.fragment
def balance(model) -> None:
    """Draw the widget."""
    kept = st.session_state.setdefault(f"{KEY}:run", {"seed": 0})
    again = "moments" in kept
    pressed = st.button(
        "Train them again, from other weights" if again else "Train two small mixtures",
        key=f"{KEY}_go", type="primary",
    )  # fmt: skip
    place = st.empty()

    def show(moments):
        with place.container():
            for run in range(len(NAMES)):
                st.altair_chart(chart_of(moments, run), alt=in_words(moments))

    if pressed:
        engine.wait()
        seed = kept["seed"] + again
        moments, seconds = learn(model.tokenizer, seed, show)
        kept = {"seed": seed, "moments": moments, "seconds": seconds}
        st.session_state[f"{KEY}:run"] = kept
    if "moments" not in kept:
        chapter.explain(
            "Both start from the same weights and read the same text. Watch the eight lines, one "
            "for each expert."
        )
        return
    moments = kept["moments"]
    show(moments)
    last = moments[-1][0].step
    cut = "" if last == OPTIONS.steps else f", stopped after {CAP:.0f} s"
    chapter.mark(
        "measured", by="microgpt.training.balance", seconds=kept["seconds"],
        where=f"two runs of {last} steps, seed {kept['seed']}{cut}",
    )  # fmt: skip
    chapter.explain(in_words(moments))
