"""The chapter on pre-training, its first part: a GPT trained in front of the reader."""

import math

import streamlit as st

from microgpt.model.checkpoint import Model
from microgpt.training import scaling
from microgpt.training import setup as setups
from microgpt.training.live import Training
from microgpt.training.setup import Setup
from widgets import chapter, jobs, marks, prose
from widgets import pre_training_files as files
from widgets import pre_training_text as texts
from widgets import pre_training_view as views
from widgets.components import component

JOB = KEY = "pre_training"
PROBLEM = "pre_training:start_problem"
FACTORS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of the learning rate, while it runs
SLOWEST = 600.0  # seconds that a run may take on a free core

_live = component("pre_training_live", triggers=("rested",))


@st.cache_resource(max_entries=1, show_spinner=False)
def _pace() -> dict[str, float]:
    """How many times as long a token takes here as in the recorded runs, once that is known."""
    return {}


def estimate(setup: Setup) -> tuple[float, bool]:
    """Seconds of a run, and whether that rests on a run on this server."""
    known = _pace().get("factor")
    tokens = setup.steps * setup.batch * setup.context
    return views.seconds_a_token(setup) * tokens * (known or 1.0), known is not None


def learn_pace(training: Training) -> None:
    """Note how fast this server trains."""
    pace = training.history.seconds_a_step()
    if pace and training.history.steps > 30 and training.base is None:
        tokens = training.tokens_a_step
        _pace()["factor"] = pace / tokens / views.seconds_a_token(training.setup)


def desk() -> texts.Source | None:
    """Everything of this part; returns what is read, for the parts below."""
    source = texts.choose()
    setup, problem = controls()
    base = files.bring_back()
    job = jobs.mine(JOB)
    ready = source is not None and not problem
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("Train it" if job is None else "Train another", type="primary",
                  key=f"{KEY}_start", disabled=not ready, icon=":material/play_arrow:",
                  on_click=_start, args=(setup, source, base))  # fmt: skip
        if job:
            st.button(
                "Sample now",
                key=f"{KEY}_sample",
                icon=":material/edit:",
                disabled=job.state != "running",
                on_click=job.steps.control.sample,
            )
            jobs.buttons(job, KEY)
    for sentence in filter(None, (problem, st.session_state.get(PROBLEM))):
        st.warning(prose.literal(sentence))
    if job:
        _rate(job)
        jobs.follow(job, _draw, _view)
        _after(job)
    return source


def controls() -> tuple[Setup | None, str]:
    """Draw the dial and what can wait; the setup, or why there is none."""
    start = Setup()
    st.session_state.setdefault(f"{KEY}_rate", start.rate)
    size = st.select_slider("Size", setups.SIZES, start.size, key=f"{KEY}_size",
                            on_change=_own_rate,
                            persist_state="session", width=420)  # fmt: skip
    box = st.container()
    more = _more(start)
    try:
        setup = Setup(size=size, **more)
    except ValueError as error:
        return None, str(error)
    with box:
        chapter.explain(size_in_words(setup))
    # Judged by the recorded runs: a server that was busy for a moment must not refuse for good.
    seconds = views.seconds_a_token(setup) * setup.steps * setup.batch * setup.context
    if seconds > SLOWEST:
        return None, (
            f"This run would take {marks.duration(seconds)} on a free core; a run here may take "
            f"{SLOWEST / 60:.0f} minutes. Take fewer steps, a smaller batch or a smaller size."
        )
    return setup, ""


def size_in_words(setup: Setup) -> str:
    parameters, weights, held = views.memory(setup)
    config, (seconds, own) = setup.config(), estimate(setup)
    tokens = setup.steps * setup.batch * setup.context
    pace = "this server's own speed" if own else "the speed of the recorded runs, on one core"
    return (
        f"**{parameters:,}** [[parameter|parameters]] in {config.layers} [[layer|layers]]: "
        f"{weights / 1e6:.2f} MB of weights in float32, {held / 1e6:.1f} MB while it learns (with "
        f":gradient[gradients] and AdamW's two moments). {tokens:,} tokens take about "
        f"**{marks.duration(seconds)}** at {pace}."
    )


def _more(start: Setup) -> dict:
    row = {"horizontal": True, "gap": "small", "vertical_alignment": "bottom"}
    with st.expander("Steps, learning rate, batch, tokenizer, precision", type="compact",
                     key=f"{KEY}_more"):  # fmt: skip
        with st.container(**row):
            numbers = {
                "steps": _number("Steps", "steps", start.steps, 20, setups.MOST_STEPS, 100),
                "warmup": _number("Warm-up steps", "warmup", start.warmup, 0, 1000, 10),
                "batch": _number("Batch, sequences", "batch", start.batch, 1, 64, 4),
            }
            rate = st.number_input(
                "Peak learning rate",
                1e-5,
                1.0,
                step=1e-3,
                format="%.1e",
                key=f"{KEY}_rate",
                width=150,
                persist_state="session",
            )
            decay = st.number_input("Weight decay", 0.0, 1.0, start.decay, 0.05, key=f"{KEY}_decay",
                                    width=130, persist_state="session")  # fmt: skip
        with st.container(**row):
            named = {
                "schedule": _choose("Then", "schedule", setups.SCHEDULES, start.schedule),
                "vocabulary": _choose("Vocabulary", "vocabulary", (320, 512, 1024, 2048),
                                      start.vocabulary),
                "context": _choose("Context", "context", (32, 64, 128, 256), start.context),
                "precision": _choose("Numbers", "precision", setups.PRECISIONS, start.precision),
                "seed": _number("Seed", "seed", start.seed, 0, 9999, 1),
            }  # fmt: skip
        chapter.explain(
            "The optimizer is AdamW. The rate rises in a line for the warm-up steps and then falls "
            "along half a cosine, or in a line, or stays. bfloat16 is emulated by rounding every "
            "weight and every gradient to 8 bits of fraction: it shows what that does to the "
            "learning, and costs time here instead of saving it."
        )
    cleaning = st.session_state.get("pre_training_cleaning", start.cleaning)
    return {**numbers, **named, "rate": rate, "decay": decay, "cleaning": cleaning}


def _number(label, name, value, low, high, step):
    return st.number_input(label, low, high, value, step, key=f"{KEY}_{name}", width=140,
                           persist_state="session")  # fmt: skip


def _choose(label, name, options, first):
    return st.selectbox(label, options, options.index(first), key=f"{KEY}_{name}", width=140,
                        persist_state="session")  # fmt: skip


def _own_rate() -> None:
    """A size brings the learning rate it was recorded with."""
    st.session_state[f"{KEY}_rate"] = scaling.SIZES[st.session_state[f"{KEY}_size"]][-1]


def _start(setup: Setup, source: texts.Source, base: Model | None) -> None:
    st.session_state[PROBLEM] = ""
    st.session_state.pop(f"{KEY}_done:text", None)
    st.session_state[f"{KEY}_factor"] = 1.0
    try:
        jobs.start(JOB, lambda: Training(setup, source.text, files.write, base, source.mix))
    except ValueError as error:
        st.session_state[PROBLEM] = str(error)


def _rate(job) -> None:
    """The learning rate of the steps that are still to come."""
    if job.state not in ("running", "paused", "waiting"):
        return
    st.session_state.setdefault(f"{KEY}_factor", 1.0)
    st.select_slider("Learning rate from now on, times what you chose", FACTORS,
                     key=f"{KEY}_factor", on_change=_set_rate, args=(job,), width=420,
                     format_func=lambda f: f"{f:g} ×")  # fmt: skip


def _set_rate(job) -> None:
    job.steps.control.set_rate(job.steps.setup.rate * st.session_state[f"{KEY}_factor"])


def _view(job) -> dict:
    return views.view_of(job.steps, job.state)


def _draw(job) -> None:
    training = job.steps
    learn_pace(training)
    st.markdown(f":small[{jobs.in_words(job)}]")
    job.feed.draw(_live, "pre_training_live")
    for note in [*training.notes, job.error]:
        if note:
            st.markdown(f":small[:material/info: {prose.literal(note)}]")
    where = f"{training.setup.size}, on {'your text' if training.own else 'the tiny world'}"
    chapter.mark("measured", by="microgpt.training", where=where, seconds=job.seconds)
    chapter.text_twin(views.in_words(training))


def _after(job) -> None:
    """What can be done with a model that rests."""
    training = job.steps
    if job.going or training.state is None or training.history.steps == 0:
        return
    if training.ended not in ("done", "stopped", ""):
        return
    model = training.model()
    files.talk(model, f"{KEY}_done")
    files.downloads(model)
    chapter.explain(_ended_in_words(training))


def _ended_in_words(training: Training) -> str:
    first, last = training.history.held_out[0][1], training.history.held_out[-1][1]
    return (
        f"On text that it never read, its :loss[[[loss]]] went from {first:.2f} to "
        f":loss[**{last:.2f}**] nats a token: it spreads its bets over about "
        f"{math.exp(last):.0f} tokens where at first there were "
        f"{math.exp(first):.0f}."
    )
