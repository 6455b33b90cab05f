"""Two small mixtures of experts learn in front of the reader, with and without the balance loss."""

from collections.abc import Iterator

import streamlit as st

from microgpt.training.balance import EXPERTS, OPTIONS, Moment, race
from widgets import chapter, engine, jobs, look

KEY = "architectures_balance"
WEIGHTS = (0.0, 0.1)
NAMES = ("without the balance loss", "with the balance loss")
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
    lines = base.mark_line(strokeWidth=2, color=look.color("probability")).encode(
        alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, OPTIONS.steps])),
        alt.Y("share:Q", title="share of the choices", axis=alt.Axis(format="%"),
              scale=alt.Scale(domain=[0, 0.6], clamp=True)),
        detail="expert:N",
        tooltip=["expert:N", "step:Q", alt.Tooltip("share:Q", format=".1%")],
    )  # fmt: skip
    even = (
        alt.Chart(alt.Data(values=[{"share": 1 / EXPERTS}]))
        .mark_rule(strokeDash=[4, 4], color=look.color("cache"))
        .encode(alt.Y("share:Q"))
    )
    name = NAMES[run][0].upper() + NAMES[run][1:]
    return alt.layer(lines, even).properties(
        height=240, title=alt.TitleParams(name, anchor="start", fontWeight="normal", fontSize=14)
    )


def work(tokenizer, seed: int) -> Iterator:
    """What the job does: the seed, then the moments of both mixtures."""
    yield seed
    yield from race(tokenizer, WEIGHTS, seed)


def begin(tokenizer, seed: int) -> None:
    """Start both; a callback."""
    try:
        jobs.start(KEY, lambda: work(tokenizer, seed))
        st.session_state.pop(f"{KEY}:refused", None)
    except ValueError as error:
        st.session_state[f"{KEY}:refused"] = str(error)


def moments_of(job) -> tuple[int, list[tuple[Moment, ...]]]:
    """What a job has told so far: its seed, and the moments of both mixtures."""
    events = list(job.events)
    return (events[0], events[1:]) if events else (0, [])


def draw(job) -> None:
    """The job as it stands: a chart for each mixture, and in the end what happened."""
    st.markdown(f":small[{jobs.in_words(job)}]")
    if job.error:
        st.error(job.error)
    seed, moments = moments_of(job)
    if not moments:
        return
    for run in range(len(NAMES)):
        st.altair_chart(chart_of(moments, run), alt=in_words(moments))
    if not job.going:
        chapter.mark("measured", by="microgpt.training.balance", seconds=job.seconds,
                     where=f"two runs of {moments[-1][0].step} steps, seed {seed}")  # fmt: skip
        chapter.explain(in_words(moments))


@st.fragment
def balance(model) -> None:
    """Draw the widget."""
    job = jobs.mine(KEY)
    seed = moments_of(job)[0] + 1 if job else 0
    st.button(
        "Train them again, from other weights" if job else "Train two small mixtures",
        key=f"{KEY}_go", type="primary", on_click=begin, args=(model.tokenizer, seed),
    )  # fmt: skip
    if refused := st.session_state.get(f"{KEY}:refused"):
        st.warning(refused)
    if job:
        jobs.buttons(job, KEY)
        jobs.follow(job, draw, 0.5)
    else:
        chapter.explain(
            "Both start from the same weights and read the same text. Watch the eight lines, one "
            "for each expert."
        )
