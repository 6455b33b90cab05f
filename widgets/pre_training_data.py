"""Work on data: copies found, rules applied, sources mixed, some kept out; and what copies cost."""

import time
from collections import Counter
from dataclasses import dataclass

import streamlit as st

from microgpt.training import copies, data_tools, live, own_text
from microgpt.training import setup as setups
from microgpt.training.copies import Experiment
from microgpt.training.data_tools import MinHash
from widgets import chapter, jobs, prose
from widgets import pre_training_text as texts
from widgets.plot import plot

JOB = "pre_training_copies"
LOOKED_AT = 600  # pieces that MinHash compares; exact copies are found among all
PAIRS, LOST = 4, 4  # that are shown
LONGEST = 110  # characters of a piece that is shown
COLORS = {"all different": ("value", "none"), "with copies": ("gradient", "8 4"),
          "copies thrown out": ("query", "2 4")}  # fmt: skip


@dataclass(frozen=True)
class Survey:
    """What was found in a text. `near` are pairs of different pieces; `lost` counts the pieces that
    each rule throws out, `examples` shows some."""

    pieces: int
    characters: int
    groups: int
    copies: int
    compared: int
    near: tuple[tuple[str, str, float, float], ...]
    lost: dict[str, int]
    examples: tuple[tuple[str, str], ...]
    train: int
    held_out: int
    seconds: float


@st.cache_resource(max_entries=12, show_spinner="Looking for copies ...")
def survey(text: str | None, threshold: float) -> Survey:
    """Look through the reader's text, or for None through documents of the tiny world."""
    began = time.perf_counter()
    found = list(texts.world_sample()) if text is None else own_text.pieces(text)
    groups = data_tools.exact_duplicates(found)
    doubled = {i for group in groups for i in group[1:]}
    single = [piece for i, piece in enumerate(found) if i not in doubled]
    some = single[:: max(1, -(-len(single) // LOOKED_AT))]
    near = data_tools.near_duplicates(some, threshold)
    examples, lost = [], Counter()
    for piece in found:
        objection = next((f.name for f in data_tools.FILTERS if not f.keeps(piece)), None)
        if objection:
            lost[objection] += 1
            if len(examples) < LOST:
                examples.append((objection, piece))
    train, held = data_tools.split(found, live.HELD_OUT)
    return Survey(
        len(found), sum(map(len, found)), len(groups), len(doubled), len(some),
        tuple((some[p.first], some[p.second], p.overlap, p.estimate) for p in near),
        dict(lost), tuple(examples), len(train), len(held), time.perf_counter() - began,
    )  # fmt: skip


def shown(piece: str) -> str:
    """The beginning of a piece, safe inside a table."""
    cut = piece if len(piece) <= LONGEST else piece[: LONGEST - 1] + "…"
    return prose.literal(cut)


def panel(source: texts.Source | None) -> Survey:
    """Draw what was found in the text that is chosen above."""
    source = source or texts.Source(texts.STORIES, None)
    text = source.text
    threshold = st.select_slider("Near-copies overlap by at least", (0.5, 0.6, 0.7, 0.8, 0.9), 0.7,
                                 key="pre_training_overlap", persist_state="session",
                                 format_func=lambda o: f"{o:.0%}", width=420)  # fmt: skip
    found = survey(text, threshold)
    chapter.explain(in_words(found, source))
    if found.near:
        st.markdown(pairs_table(found))
    chapter.explain(meeting_in_words(found, threshold))
    st.markdown(filters_table(found))
    chapter.mark("computed", by="microgpt.training.data_tools",
                 where=f"{found.compared:,} pieces compared", seconds=found.seconds)  # fmt: skip
    if text is not None:
        st.selectbox("Train on your text", setups.CLEANING, key="pre_training_cleaning", width=320,
                     persist_state="session")  # fmt: skip
    mixture(source)
    return found


def in_words(found: Survey, source: texts.Source) -> str:
    name = "A sample of all kinds in the tiny world" if source.text is None else "Your text"
    return (
        f"{name} has **{found.pieces:,}** pieces of {found.characters / found.pieces:,.0f} "
        f"characters on average. **{found.copies:,}** are copies of an earlier one, word for word "
        f"({found.groups:,} texts that stand more than once). Among {found.compared:,} that "
        f"differ, MinHash finds **{len(found.near):,}** pairs that are nearly the same. "
        f"{found.held_out:,} pieces are kept out to measure with, {found.train:,} are learned "
        "from; a piece and its exact copies are always on one side, or the test would be known."
    )


def pairs_table(found: Survey) -> str:
    lines = ["| overlap | by MinHash | one | the other |", "|--:|--:|:--|:--|"]
    lines += [
        f"| {overlap:.0%} | {estimate:.0%} | {shown(one)} | {shown(other)} |"
        for one, other, overlap, estimate in found.near[:PAIRS]
    ]
    return "\n".join(lines)


def meeting_in_words(found: Survey, threshold: float) -> str:
    hashing = MinHash()
    low = 0.3
    pairs = found.compared * (found.compared - 1) // 2
    return (
        f"Comparing all with all would be {pairs:,} comparisons. [[MinHash]] keeps "
        f"{hashing.bands * hashing.rows} numbers of each piece instead; two pieces are compared if "
        f"{hashing.rows} numbers side by side agree. A pair that overlaps by {threshold:.0%} meets "
        f"with probability {hashing.meet(threshold):.1%}, one that overlaps by {low:.0%} with "
        f"{hashing.meet(low):.0%}."
    )


def filters_table(found: Survey) -> str:
    lines = ["| Rule | keeps a piece with | throws out | for example |", "|:--|:--|--:|:--|"]
    for rule in data_tools.FILTERS:
        example = next((shown(p) for name, p in found.examples if name == rule.name), "")
        lines.append(f"| {rule.name} | {rule.summary} | {found.lost.get(rule.name, 0):,} | "
                     f"{example} |")  # fmt: skip
    return "\n".join(lines)


def mixture(source: texts.Source) -> None:
    """How often each source would be drawn, by its size and a temperature."""
    sizes = sizes_of(source)
    temperature = st.select_slider("Mix the sources at temperature", (1.0, 1.5, 2.0, 4.0, 10.0),
                                   key="pre_training_mix", persist_state="session",
                                   format_func=lambda t: f"{t:g}", width=420)  # fmt: skip
    shares = data_tools.mixture(sizes, temperature)
    total = sum(sizes.values())
    lines = ["| Source | its share of the text | drawn | times as often |", "|:--|--:|--:|--:|"]
    lines += [
        f"| {name} | {size / total:.1%} | {shares[name]:.1%} | {shares[name] * total / size:.2f} |"
        for name, size in sorted(sizes.items(), key=lambda item: -item[1])
    ]
    st.markdown("\n".join(lines))
    chapter.mark("computed", by="microgpt.training.data_tools")


def sizes_of(source: texts.Source) -> dict[str, int]:
    """Characters by source: the reader's text beside the tiny world, or the world by kind."""
    kinds = texts.world_kinds()
    if source.text is None:
        common = Counter(kinds).most_common(5)
        rest = sum(kinds.values()) - sum(size for _, size in common)
        return {name.replace("_", " "): size for name, size in common} | {"all others": rest}
    return {"your text": len(source.text), "the tiny world (sample)": sum(kinds.values())}


# What copies cost ----------------------------------------------------------------------------


def experiment() -> None:
    """Three models side by side, on three corpora; started by the reader."""
    job = jobs.mine(JOB)
    with st.container(horizontal=True, gap="small"):
        st.button("Train three models" if job is None else "Train three others", key=f"{JOB}_start",
                  icon=":material/play_arrow:", disabled=bool(job and job.going),
                  on_click=_start)  # fmt: skip
        if job:
            jobs.buttons(job, JOB)
    if problem := st.session_state.get(f"{JOB}:problem"):
        st.warning(problem)
    if job:
        jobs.follow(job, _draw, lambda job: experiment_view(job.steps))
        if job.state == "ended" and job.steps.step == copies.STEPS:
            chapter.explain(outcome(job.steps))


def _start() -> None:
    seed = st.session_state.get(f"{JOB}:seed", 0) + 1
    st.session_state[f"{JOB}:seed"] = seed
    try:
        jobs.start(JOB, lambda: Experiment(seed))
        st.session_state[f"{JOB}:problem"] = ""
    except ValueError as error:
        st.session_state[f"{JOB}:problem"] = str(error)


def _draw(job) -> None:
    running = job.steps
    st.markdown(f":small[{jobs.in_words(job)} Step {running.step:,} of {copies.STEPS:,}.]")
    if job.error:
        st.warning(prose.literal(job.error))
    job.feed.draw(plot, "pre_training_copies")
    chapter.mark("measured", by="microgpt.training", seconds=job.seconds,
                 where=f"three runs of {copies.SIZE}, seed {running.seed}")  # fmt: skip
    chapter.text_twin(experiment_in_words(running))


def experiment_view(running: Experiment) -> dict:
    series = []
    for runner in running.runners:
        color, dash = COLORS[runner.name]
        series.append(
            {
                "name": f"{runner.name}, held-out",
                "color": color,
                "dash": dash,
                "shape": "circle",
                "points": [[s, round(v, 4)] for s, v in runner.held_out],
            }
        )
        series.append({"name": f"{runner.name}, training", "color": color, "dash": dash,
                       "points": [[s, round(v, 4)] for s, v in runner.training]})  # fmt: skip
    return {"series": series, "label": "Loss of three models against steps.", "height": 300,
            "x": {"title": "step", "domain": [0, copies.STEPS]},
            "y": {"title": "loss, nats a token", "unit": "loss"} | (
                {} if any(s["points"] for s in series) else {"domain": [0, 6]})}  # fmt: skip


def experiment_in_words(running: Experiment) -> str:
    if not running.runners or not all(runner.training for runner in running.runners):
        return "Nothing has been measured yet."
    said = []
    for runner in running.runners:
        best = min(runner.held_out, key=lambda pair: pair[1])
        said.append(
            f"{runner.name} ({len(runner.texts):,} texts): held-out loss now "
            f"{runner.held_out[-1][1]:.2f}, least {best[1]:.2f} at step {best[0]}, training loss "
            f"{runner.training[-1][1]:.2f}"
        )
    return "; ".join(said) + "."


def outcome(running: Experiment) -> str:
    """What the copies did, in sentences; said as it came out."""
    _, ridden, mended = running.runners
    a, b, c = (runner.held_out[-1][1] for runner in running.runners)
    best = min(ridden.held_out, key=lambda pair: pair[1])
    rise = (
        f" After step {best[0]} it rose again: [[overfitting]]." if best[0] < copies.STEPS else ""
    )
    return (
        f"All three read the same number of tokens. With all texts different the held-out "
        f":loss[loss] ends at **{a:.2f}**. With copies, which fill "
        f"{1 - copies.DISTINCT / len(ridden.texts):.0%} of the corpus, it ends at **{b:.2f}**, "
        f"while the loss on what it reads goes to {ridden.training[-1][1]:.2f}.{rise} MinHash and "
        f"the fingerprints brought {len(ridden.texts):,} texts down to {len(mended.texts):,}, each "
        f"of them then read about {mended.readings:.0f} times: **{c:.2f}**, "
        f"{'better' if c < b else 'no better'} than with the copies. Cleaning doesn't replace the "
        f"text that is missing: what is different is worth {min(b, c) - a:.2f} nats here."
    )
