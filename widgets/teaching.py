"""The chapter on alignment, drawn: its models, its runs as jobs, base and chat, fine-tuning."""

import dataclasses
from collections.abc import Callable, Sequence

import streamlit as st

from microgpt.alignment import sft
from microgpt.alignment.questions import Question
from microgpt.model.checkpoint import Model
from widgets import chapter, engine, jobs, prose
from widgets import teaching_measure as measures
from widgets import teaching_runs as runs
from widgets import teaching_view as views
from widgets.components import component
from widgets.teaching_runs import Moment, Result

NEEDED = ("tiny-base", "tiny-chat", "tiny-aligned")
RUN, ANSWERS = "teaching_run", "teaching_answers"
_run, _answers = component(RUN, triggers=("rested",)), component(ANSWERS)
LONGEST = 200  # characters of a question
PRESETS = (
    "What is the opposite of hot?",
    "What is the capital of France?",
    "How do I steal the cookies from the jar?",
    "Who are you?",
)
# Seconds of each run on two cores of an ordinary server, until this server has done one itself.
SECONDS = {
    "teaching_full": 15, "teaching_lora": 14, "teaching_taste": 2, "teaching_help": 12,
    "teaching_ppo": 14, "teaching_free": 18, "teaching_leashed": 18, "teaching_careful": 18,
    "teaching_compare": 20, "teaching_weights": 12,
}  # fmt: skip


# Models and runs -----------------------------------------------------------------------------


def missing() -> bool:
    """Whether a model of the chapter isn't here; then a sentence says so."""
    gone = [name for name in NEEDED if name not in engine.models()]
    if gone:
        st.warning(
            f"This chapter works with {', '.join(NEEDED)}, but there is no {' and no '.join(gone)} "
            "here. `python -m microgpt train` and `python -m microgpt align` make them."
        )
    return bool(gone)


@st.cache_resource(max_entries=1, show_spinner=False)
def _times() -> dict[str, float]:
    """How long each run took on this server, the last time."""
    return {}


def about_seconds(name: str) -> str:
    """The estimate that stands on a button."""
    return f"about {max(1, round(_times().get(name, SECONDS[name])))} s"


def begin(name: str, work: Callable) -> None:
    """Start a run in a callback; where the server has too much to do, the page says so."""
    try:
        jobs.start(name, work)
        st.session_state.pop(f"{name}:refused", None)
    except ValueError as error:
        st.session_state[f"{name}:refused"] = str(error)


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """What a reader has of a run: the job, as long as the server remembers it, its moments and,
    when it is over, its result."""

    job: jobs.Job | None
    moments: Sequence[Moment] = ()
    result: Result | None = None

    @property
    def going(self) -> bool:
        return bool(self.job and self.job.going)


def run_of(name: str) -> Run:
    """This reader's run of that name. A server keeps few jobs; what a page shows of an ended one
    stays with the session, the weights only as long as the job."""
    job, memory = jobs.mine(name), f"{name}:over"
    if job is None:
        return st.session_state.get(memory, Run(None))
    events = list(job.events)
    run = Run(job, runs.moments_of(events), runs.result_of(events))
    if run.result:
        helped = run.result.about.get("by") == "simulated" and name == "teaching_taste"
        _times()["teaching_help" if helped else name] = job.seconds
        small = dataclasses.replace(run.result, models={})
        st.session_state[memory] = Run(None, run.moments, small)
    return run


def button(name: str, label: str, work: Callable, key: str, disabled: bool = False,
           kind: str = "secondary") -> None:  # fmt: skip
    """A button that starts a run, and says before how long that takes."""
    st.button(f"{label} ({about_seconds(name)})", key=key, type=kind, on_click=begin,
              disabled=disabled or run_of(name).going, args=(name, work))  # fmt: skip


def progress_of(job: jobs.Job, of: int) -> dict | None:
    """How far a run of `of` steps is, in words; None when there is nothing left to say."""
    events = list(job.events)
    now = min(of, len([m for m in runs.moments_of(events) if m.step]))
    if job.state == "running" and events and isinstance(events[-1], Moment):
        if events[-1].note:
            words = events[-1].note
        elif now >= of:
            words = "Measuring on held-out questions what came of it ..."
        else:
            words = f"Step {now} of {of}, {job.seconds:.0f} s so far."
    elif job.state == "ended" and not job.notice:
        if runs.result_of(events) or job.error:
            return None
        words = f"Stopped after step {now} of {of}."
    else:
        words = jobs.in_words(job)
    return {"now": now, "of": of, "words": words}


def draw_run(charts: Sequence[dict], steps: int, key: str) -> None:
    """The charts of a run, afterwards."""
    _run({"charts": charts, "steps": steps, "progress": None}, key=key)


def follow(name: str, steps: int, charts: Callable[[Sequence[Moment]], list], key: str,
           more: Callable[[Sequence[Moment]], None] | None = None,
           of: int | None = None) -> Run:  # fmt: skip
    """Draw a reader's run as it is, again and again while it goes on, with its buttons above.
    Its charts have `steps` steps; where it takes them more than once, `of` are all of them."""
    run = run_of(name)
    if refused := st.session_state.get(f"{name}:refused"):
        st.warning(refused)
    if run.job is None:
        if run.moments:
            draw_run(charts(run.moments), steps, key)
        return run
    if run.job.going or run.job.state == "paused":
        jobs.buttons(run.job, key)

    def view(job):
        found = charts(runs.moments_of(job.events))
        return {"charts": found, "steps": steps, "progress": progress_of(job, of or steps)}

    def draw(job):
        job.feed.draw(_run, key)
        if more:
            more(runs.moments_of(job.events))

    jobs.follow(run.job, draw, view)
    if run.job.error:
        st.error(run.job.error)
    return run_of(name)


def show_answers(label: str, columns: Sequence[str], rows, key: str) -> None:
    _answers(views.answers(label, columns, rows), key=key)


# Base and chat -------------------------------------------------------------------------------


def ask(model: Model, text: str) -> dict:
    """The greedy answer to a question in the chat template, and how it ends."""
    said, ended = sft.answer(model, Question("", text, ()))
    return {"text": said, "note": "" if ended else "… and does not stop by itself"}


def go_on(model: Model, text: str) -> dict:
    """How the model continues the bare text."""
    said, ended = measures.bare(model, text)
    return {"text": said, "note": "" if ended else "… and goes on"}


@st.fragment
def base_and_chat() -> None:
    """One question, three ways to get something out of it."""
    base, chat = engine.model("tiny-base"), engine.model("tiny-chat")
    engine.wait("answering")
    asked = st.selectbox("A question", PRESETS, key="teaching_question", accept_new_options=True,
                         persist_state="session", width=420,
                         help="Choose one or type your own.")  # fmt: skip
    asked = " ".join(str(asked or PRESETS[0]).split())[:LONGEST] or PRESETS[0]
    columns = ("tiny-base, given the bare text", "tiny-base, asked as an assistant",
               "tiny-chat, asked as an assistant")  # fmt: skip
    answers = [go_on(base, asked), ask(base, asked), ask(chat, asked)]
    show_answers("One question, three answers", columns, [("", answers)], "teaching_first")
    chapter.mark("computed", by="tiny-base and tiny-chat", where="the likeliest token each time")
    chapter.text_twin(
        f"To “{prose.literal(asked)}”: "
        + "; ".join(f"{name} says “{prose.literal(a['text'])}”"
                    for name, a in zip(columns, answers, strict=True))
        + "."
    )  # fmt: skip


# Fine-tuning ---------------------------------------------------------------------------------

TUNINGS = ("full", "lora")


def fine_tuning() -> list[Result]:
    """Fine-tune in front of the reader, all weights or LoRA; the results there are."""
    base = engine.model("tiny-base")
    with st.container(horizontal=True, gap="small"):
        for kind, label in zip(TUNINGS, ("Fine-tune all weights", "Fine-tune with LoRA"),
                               strict=True):  # fmt: skip
            button(
                f"teaching_{kind}", label,
                lambda kind=kind: runs.fine_tune(base, kind, asked=measures.ASKED),
                f"teaching_{kind}_go", kind="primary" if kind == "full" else "secondary",
            )  # fmt: skip
    both = {kind: run_of(f"teaching_{kind}") for kind in TUNINGS}
    newest = next((k for k in TUNINGS if both[k].going), None)
    newest = newest or next((k for k in TUNINGS if both[k].job or both[k].moments), None)
    if newest is None:
        return []
    other = {k: both[k].moments for k in TUNINGS if k != newest and both[k].moments}

    def charts(moments):
        return views.tuning_charts({newest: moments, **other})

    def more(moments):
        seen = {newest: moments, **other}
        names = {"full": "all weights", "lora": "LoRA"}
        steps = [m.step for m in moments if m.says]
        rows = [(f"after {step} steps",
                 [next((m.says for m in seen[k] if m.step == step), "") for k in seen])
                for step in steps[:1] + steps[-3:] if steps]  # fmt: skip
        show_answers("What it says as it learns", [names[k] for k in seen],
                     list(dict(rows).items()), "teaching_says")  # fmt: skip

    watched = prose.literal(measures.first_wrong(base, measures.ASKED).text)
    chapter.explain(f"All the while it is asked what tiny-base gets wrong: “{watched}”")
    run = follow(f"teaching_{newest}", runs.TUNING.steps, charts, "teaching_tuning", more)
    if run.job is None and run.moments:
        more(run.moments)
    chapter.text_twin(views.charts_in_words(charts(run.moments)))
    return [r.result for r in (run_of(f"teaching_{k}") for k in TUNINGS) if r.result]


def tuning_results(found: Sequence[Result]) -> None:
    """What fine-tuning came to, beside the model it began as."""
    if not found:
        return
    said = found[0].measured["before"]["says"]
    st.markdown(views.tuning_table(found))
    chapter.mark("measured", by="microgpt.alignment.sft", seconds=found[-1].measured["seconds"],
                 where=f"{measures.ASKED} questions in words that were kept out")  # fmt: skip
    asked = measures.held_out(measures.ASKED)[: measures.SHOWN]
    names = {"full": "all weights", "lora": "LoRA"}
    columns = ["tiny-base", *(names[r.about["kind"]] for r in found)]
    rows = [
        (q.text, [said[i], *(r.measured["says"][i] for r in found)]) for i, q in enumerate(asked)
    ]
    with st.expander("Five of those questions, before and after"):
        show_answers("Before and after fine-tuning", columns, rows, "teaching_tuned")
