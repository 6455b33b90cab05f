"""The switchboard: take parts away and train a small model without them, beside an intact one."""

import math
from collections.abc import Iterator

import streamlit as st

from microgpt.insight import switchboard as board
from microgpt.insight.switchboard import OPTIONS, PARTS, Moment
from microgpt.model.gpt import count_parameters
from widgets import chapter, engine, jobs, prose
from widgets.plot import plot

KEY = "transformer_switchboard"
NAMES = {
    "residuals": "residuals", "norms": "norms", "attention": "attention", "mlp": "MLP",
    "positions": "positions", "mask": "causal mask", "scale": "1/√D",
}  # fmt: skip
KEPT = 12  # finished runs that stay in the table
TOP = 14.0  # nats: a loss above it is drawn at the edge


def named(parts) -> str:
    """The variant in words: "without norms and MLP"."""
    words = [NAMES[part] for part in PARTS if part in parts]
    if not words:
        return "intact"
    return "without " + " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def work(tokenizer, parts: tuple[str, ...], seed: int) -> Iterator:
    """What the job does: what is taken away and the seed, then the moments of both models."""
    yield parts, seed
    yield from board.race(tokenizer, ((), parts) if parts else ((),), seed)


def begin(name: str) -> None:
    """Start what the switches say; a callback."""
    chosen = st.session_state.get(f"{KEY}_parts") or ()
    parts = tuple(part for part in PARTS if part in chosen)
    seed = int(st.session_state.get(f"{KEY}_seed") or 0)
    tokenizer = engine.load(name).tokenizer
    try:
        jobs.start("switchboard", lambda: work(tokenizer, parts, seed))
        st.session_state.pop(f"{KEY}:refused", None)
    except ValueError as error:
        st.session_state[f"{KEY}:refused"] = str(error)


def moments_of(job) -> tuple[tuple[str, ...], int, list[tuple[Moment, ...]]]:
    """What a job has told so far: the parts that it goes without, its seed, the moments."""
    events = list(job.events)
    if not events:
        return (), 0, []
    parts, seed = events[0]
    return parts, seed, events[1:]


def latest(moments: list[tuple[Moment, ...]], run: int) -> Moment | None:
    """The last moment of a run at which it was tried on unread text."""
    looked = [both[run] for both in moments if both[run].held_out is not None]
    return looked[-1] if looked else None


def view_of(parts, moments: list[tuple[Moment, ...]]) -> dict:
    """The chart: two lines for each model, what it learns from and what it never read."""
    labels = ("intact", named(parts)) if parts else ("intact",)
    series = []
    for run, label in enumerate(labels):
        told = [both[run] for both in moments]
        learned = [[m.step, round(m.loss, 4)] for m in told if math.isfinite(m.loss)]
        unread = [[m.step, round(m.held_out, 4)] for m in told if m.held_out is not None]
        color, shape = (("query", "circle"), ("loss", "diamond"))[run]
        series += [
            {"name": f"{label}: learned from", "color": color, "points": learned},
            {"name": f"{label}: never read", "color": color, "points": unread, "dash": "5 4",
             "shape": shape},
        ]  # fmt: skip
    most = max((loss for one in series for _, loss in one["points"]), default=0.0)
    return {
        "series": series, "label": in_words(parts, moments), "height": 300,
        "x": {"title": "step", "domain": [0, OPTIONS.steps]},
        "y": {"title": "loss, nats a token", "unit": "loss",
              "domain": [0, min(max(8.0, most), TOP)]},
    }  # fmt: skip


def chart_of(job) -> dict:
    parts, _, moments = moments_of(job)
    return view_of(parts, moments)


def in_words(parts, moments) -> str:
    """What the chart shows, and what it means where the training loss misleads."""
    if not moments:
        return "Nothing has been learned yet."
    last, said = moments[-1], []
    for run, label in enumerate(("the intact model", f"the one {named(parts)}")[: len(last)]):
        tried = latest(moments, run)
        if last[run].broken:
            said.append(f"{label} broke: {last[run].broken}")
        elif tried is None:
            said.append(f"{label} has a loss of {last[run].loss:.2f} on what it reads")
        else:
            said.append(f"{label} has a loss of {last[run].loss:.2f} on what it reads and "
                        f"{tried.held_out:.2f} on text it never read")  # fmt: skip
    return f"After {last[0].step} steps {'; '.join(said)}."


def verdict(parts, moments) -> str:
    """One sentence on the damage, from the numbers measured."""
    if not parts or len(moments[-1]) < 2:
        return ""
    whole, without = latest(moments, 0), latest(moments, 1)
    if moments[-1][1].broken or without is None or whole is None:
        return ""
    worse = without.held_out - whole.held_out
    if "mask" in parts and without.loss < without.held_out - 1:
        return (
            f"Its training loss is **{without.loss:.2f}**, lower than honest work can be: it sees "
            f"the next token and copies it. Where the future is not there yet its loss is "
            f":loss[**{without.held_out:.2f}**], and it has learned nothing that writes."
        )
    if abs(worse) < 0.05:
        return (
            f"A difference of **{worse:+.2f}** nats: in a model this small and this young, that "
            "part is hardly missed."
        )
    return (
        f"The damage: :loss[**{worse:+.2f}**] nats a token on unread text. The right token gets "
        f"{math.exp(-worse):.2f} times the chance that the intact model gives it."
    )


def draw(job) -> None:
    """The job as it stands: lines, numbers, texts."""
    st.markdown(f":small[{jobs.in_words(job)}]")
    if job.error:
        st.error(job.error)
    parts, seed, moments = moments_of(job)
    job.feed.draw(plot, f"{KEY}_chart")
    if not moments:
        return
    st.markdown(table([("intact", latest(moments, 0), moments[-1][0]),
                       (named(parts), latest(moments, 1) if parts else None,
                        moments[-1][1] if parts else None)]))  # fmt: skip
    if not job.going:
        said = verdict(parts, moments)
        if said:
            chapter.explain(said)
        chapter.mark("measured", by="microgpt.insight.switchboard", seconds=job.seconds,
                     where=f"{moments[-1][0].step} steps of both, seed {seed}")  # fmt: skip
        chapter.text_twin(in_words(parts, moments))
        remember(parts, seed, moments)


def table(rows) -> str:
    """What each model came to, as Markdown."""
    lines = ["| Model | Learned from | Never read | It writes |", "|---|---|---|---|"]
    for label, tried, last in rows:
        if last is None:
            continue
        held = f"**{tried.held_out:.2f}**" if tried else "…"
        text = f"*{prose.literal(tried.text)}*" if tried else "…"
        if last.broken:
            text = prose.literal(last.broken)
        loss = f"{last.loss:.2f}" if last.loss == last.loss else "–"
        lines.append(f"| {label} | {loss} | {held} | {text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def remember(parts, seed: int, moments) -> None:
    """Keep what a finished run came to, for the table of all runs."""
    if moments[-1][0].step < OPTIONS.steps:
        return
    kept = st.session_state.setdefault(f"{KEY}:runs", {})
    for run, taken in enumerate(((), parts)[: len(moments[-1])]):
        kept[taken, seed] = (latest(moments, run), moments[-1][run])
    while len(kept) > KEPT:
        kept.pop(next(iter(kept)))


@st.fragment
def switchboard(model) -> None:
    """Draw the widget."""
    st.pills(
        "Take away", list(PARTS), selection_mode="multi", default=["residuals"],
        format_func=NAMES.get, key=f"{KEY}_parts", persist_state="session",
    )  # fmt: skip
    chosen = st.session_state.get(f"{KEY}_parts") or []
    said = [f"**{NAMES[part]}**: {PARTS[part]}" for part in PARTS if part in chosen]
    chapter.explain("; ".join(said) + "." if said else "Nothing is taken away: one model learns.")
    job = jobs.mine("switchboard")
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        st.button("Train both" if chosen else "Train it", key=f"{KEY}_go", type="primary",
                  icon=":material/play_arrow:", on_click=begin, args=(model.name,))  # fmt: skip
        st.number_input("Seed", 0, 999, 0, key=f"{KEY}_seed", width=110, persist_state="session")
    jobs.buttons(job, KEY)
    refused = st.session_state.get(f"{KEY}:refused")
    if refused:
        st.warning(refused)
    if job:
        jobs.follow(job, draw, chart_of)
    else:
        small = board.small_model(model.tokenizer.vocab_size)
        chapter.explain(
            f"A new model of {small.layers} layers and {count_parameters(small):,} weights learns "
            f"from stories for {OPTIONS.steps} steps, twice, from the same start: once with every "
            "part, once without those that you take away."
        )
    runs = st.session_state.get(f"{KEY}:runs", {})
    if len(runs) > 2:
        st.markdown(":small[All your finished runs, the least damage first]")
        ordered = sorted(runs.items(), key=lambda item: item[1][0].held_out if item[1][0] else 99)
        st.markdown(table([(f"{named(taken)}, seed {seed}", *found)
                           for (taken, seed), found in ordered]))  # fmt: skip
