"""The chapter on alignment, drawn: the reader's clicks, and the reward model made of them."""

import threading

import streamlit as st

from microgpt.alignment.preferences import find_task
from microgpt.alignment.questions import Question
from widgets import chapter, components, engine, prose, teaching
from widgets import teaching_clicks as clicks
from widgets import teaching_runs as runs
from widgets import teaching_view as views
from widgets.components import component
from widgets.teaching_measure import held_out

PAIRS = "teaching_pairs"
_pairs = component(PAIRS, states={"clicks": None})
TASTE = "teaching_taste"
TASTES = {"polite": "kind words", "brief": "few words"}


def contests(rounds: int) -> list[clicks.Contest]:
    """All pairs of the rounds that were opened; the same for everybody, drawn once."""
    sha = engine.model("tiny-chat").card.get("sha256", "")
    return [contest for number in range(rounds) for contest in _round(sha, number)]


@st.cache_resource(max_entries=2 * clicks.MOST_ROUNDS, show_spinner=False)
def _round(sha256: str, number: int) -> tuple[clicks.Contest, ...]:
    return clicks.round_of(engine.load("tiny-chat"), number)


def made() -> tuple[clicks.Clicks, dict[str, int], bool]:
    """This reader's clicks, the picks they come from, and whether every pair was judged."""
    rounds, picks = clicks.clicks_of(components.state_of(PAIRS, "clicks", None))
    shown = contests(rounds)
    return clicks.clicks_made(shown, picks), picks, all(c.name in picks for c in shown)


def _learn() -> None:
    """Start to learn from the clicks there are, or say why nothing can be learned from them."""
    found, picks, _ = made()
    st.session_state["teaching:problem"] = found.problem
    if found.problem:
        return
    chat = engine.model("tiny-chat")
    about = {"by": "you", "picks": dict(picks), "taste": "polite"}
    st.session_state["teaching:asked"] = dict(picks)
    st.session_state["teaching:started"] = True
    teaching.begin(TASTE, lambda: runs.learn_taste(chat, found.train, found.held, about))


@st.cache_resource(max_entries=1, show_spinner=False)
def _rehearse(sha256: str, _pairs) -> None:
    """Take one step of learning in a thread, once per server: to load the kernels takes a third of
    a second, for which whoever clicks the last pair would have to wait."""
    compiled, chat = engine.warm_up()["learning"], engine.load("tiny-chat")

    def rehearse():
        compiled.wait()
        next(runs.learn_taste(chat, _pairs, (), {}))

    threading.Thread(target=rehearse, daemon=True, name="rehearsal").start()


@st.fragment
def judge() -> None:
    """The pairs. When the last one is judged, a reward model starts to learn."""
    rounds, _ = clicks.clicks_of(components.state_of(PAIRS, "clicks", None))
    sha = engine.model("tiny-chat").card.get("sha256", "")
    _pairs(clicks.as_data(contests(rounds), sha[:12]), key=PAIRS)
    found, picks, complete = made()
    if found.train:
        _rehearse(sha, found.train)
    known = teaching.run_of(TASTE)
    asked = st.session_state.get("teaching:asked", known.result and known.result.about.get("picks"))
    if complete and asked != picks and not known.going:
        _learn()
    elif not complete:
        st.button(f"Learn from these {found.count} clicks", key="teaching_learn", on_click=_learn)
    if found.problem and (complete or st.session_state.get("teaching:problem")):
        st.info(found.problem)
    if st.session_state.pop("teaching:started", False):
        st.rerun()  # the section below shows how it goes


def rater() -> None:
    """A program clicks the rest, for those who want to go on."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        taste = st.segmented_control(
            "The simulated rater likes right answers in", list(TASTES), default="polite",
            key="teaching_rater", format_func=TASTES.get, persist_state="session", required=True,
        )  # fmt: skip
        chat, task = engine.model("tiny-chat"), find_task(taste or "polite")
        st.button(
            f"Let a simulated rater click the rest ({teaching.about_seconds('teaching_help')})",
            key="teaching_help", disabled=teaching.run_of(TASTE).going, on_click=_help,
            args=(chat, task),
        )  # fmt: skip


def _help(chat, task) -> None:
    found, picks, _ = made()
    about = {"by": "simulated", "picks": dict(picks), "taste": task.name, "yours": len(found.train)}
    st.session_state["teaching:asked"] = dict(picks)
    teaching.begin(TASTE, lambda: runs.learn_with_help(chat, task, found.train, found.held, about))


def reward_model():
    """The reward model as it learns, and what it got right; its result, once there is one."""
    run = teaching.run_of(TASTE)
    if run.job is None and run.result is None:
        return None
    helped = (
        run.result.about["by"] == "simulated"
        if run.result
        else bool(
            run.job and any(e.note for e in list(run.job.events) if isinstance(e, runs.Moment))
        )
    )
    steps = runs.HELPED.steps if helped else runs.LIVE.steps
    # Drawn with the run itself: the page below takes a moment more to know that it is over.
    run = teaching.follow(TASTE, steps, views.reward_charts, "teaching_reward", more=_verdict)
    if run.job is None:
        _verdict()
    result = run.result
    if result is None:
        return None
    found, _, _ = made()
    if words := clicks.agreement_in_words(found):
        chapter.explain(words)
    by = "your clicks"
    if result.about["by"] == "simulated":
        mine = f"{result.about['yours']} of your clicks and a" if result.about["yours"] else "A"
        liked = TASTES[result.about["taste"]]
        by = f"{mine} simulated rater, a program that likes right answers in {liked}"
    chapter.mark("measured", by="microgpt.alignment.reward", where=f"on {by[0].lower()}{by[1:]}",
                 seconds=result.measured["seconds"])  # fmt: skip
    chapter.text_twin(views.charts_in_words(views.reward_charts(run.moments)))
    return result


def _verdict(moments=()) -> None:
    result = teaching.run_of(TASTE).result
    if result:
        chapter.explain(clicks.verdict_in_words(result.measured))


@st.fragment
def scores(result) -> None:
    """What it learned: the reader's own sentence, among answers in known styles."""
    asked = {q.text: q for q in held_out(40)}
    text = st.selectbox("To the question", list(asked), key="teaching_scored",
                        persist_state="session", width=420)  # fmt: skip
    question: Question = asked.get(text) or next(iter(asked.values()))
    own = st.text_input("What does it think of your answer?", max_chars=clicks.LONGEST,
                        key="teaching_own", persist_state="session", width=420,
                        placeholder="type an answer, then Enter")  # fmt: skip
    ways = clicks.probes(question)
    if own and own.strip():
        ways.append(("**yours**", own.strip()))
    found = clicks.score_texts(result.reward, question, [words for _, words in ways])
    ranked = sorted(zip(ways, found, strict=True), key=lambda pair: -pair[1])
    rows = ["| Reward | Answer | Its style |", "|---|---|---|"]
    rows += [f"| **{score:+.2f}** | {prose.literal(words).replace('|', '')} | {name} |"
             for (name, words), score in ranked]  # fmt: skip
    st.markdown("\n".join(rows))
    chapter.mark("computed", by="the reward model above", where="in deviations from the mean of "
                 "the answers it learned from")  # fmt: skip
