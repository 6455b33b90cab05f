"""Two small mixtures of experts learn in front of the reader, with and without the balance loss."""

from collections.abc import Iterator

import streamlit as st

from microgpt.training.balance import EXPERTS, OPTIONS, Moment, race
from widgets import chapter, jobs
from widgets.plot import plot

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
    if not moments:
        return "Nothing has been chosen yet."
    last = moments[-1]
    said = [
        f"{name}, the two busiest of {EXPERTS} experts get {two_busiest(moment):.0%} of the "
        f"choices and {idle(moment)} get less than {IDLE:.0%}; the loss is {moment.loss:.2f}"
        for name, moment in zip(NAMES, last, strict=True)
    ]
    return f"After {last[0].step} steps: {said[0]}. {said[1][0].upper()}{said[1][1:]}."


def view_of(moments: list[tuple[Moment, ...]], run: int) -> dict:
    """The chart of one mixture: a line for each expert."""
    series = [
        {"name": f"expert {expert + 1}", "color": "probability", "key": False,
         "points": [[both[run].step, round(both[run].load[expert], 4)] for both in moments]}
        for expert in range(EXPERTS)
    ]  # fmt: skip
    even = 1 / EXPERTS
    series.append({"name": f"an even share, {even:g}", "color": "cache", "dash": "4 4",
                   "points": [[0, even], [OPTIONS.steps, even]]})  # fmt: skip
    return {
        "series": series, "height": 260,
        "label": f"Choices of each expert {NAMES[run]}. {in_words(moments)}",
        "x": {"title": "step", "domain": [0, OPTIONS.steps]},
        "y": {"title": "an expert's share of the choices", "unit": "share", "domain": [0, 0.6]},
    }  # fmt: skip


def charts_of(job) -> dict:
    """Both charts by name."""
    moments = moments_of(job)[1]
    return {name: view_of(moments, run) for run, name in enumerate(NAMES)}


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
    for name, column in zip(NAMES, st.columns(2, gap="medium"), strict=True):
        with column:
            st.markdown(f"{name[0].upper()}{name[1:]}")
            job.feed.draw(plot, f"{KEY}_{name.replace(' ', '_')}", part=name)
    if moments and not job.going:
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
        jobs.follow(job, draw, charts_of)
    else:
        chapter.explain(
            "Both start from the same weights and read the same text. Watch the eight lines, one "
            "for each expert."
        )
