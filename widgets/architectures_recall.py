"""A list to remember: attention looks it up, a state has to have kept it."""

import re
import time
from dataclasses import dataclass

import streamlit as st

from microgpt.decoding.compare import LISTS, answers
from microgpt.decoding.prompt import cut_text
from microgpt.model.costs import cache_bytes, state_numbers
from widgets import chapter, engine, look, prose
from widgets.architectures import COLORS, DASHES, LEGEND, Table, mark

KEY = "architectures_recall"
STATES = "tiny-ssm"
MODELS = ("tiny-base", STATES, "tiny-hybrid")
DRAWN = "a value drawn from the list"
LONGEST = 12  # pairs of a list in the training text
MOST = 24  # pairs of a reader's own list
TEXT = "pear: 3, egg: 5, nose: 6, rain: 7, king: 2, hat: 9"
WORD = r"[^\s:=,.;?]"
# From the start of a word on and without a way back, or a long line would take seconds.
PAIR = re.compile(rf"(?<!{WORD})({WORD}++)(?:\s*+[:=]\s*+|\s++)({WORD}++)")


@dataclass(frozen=True)
class Curve:
    """By the pairs in the list: for each model the share of right answers, and of answers that
    are any value of the list; and how often one drawn among these would be right."""

    pairs: tuple[int, ...]
    right: dict[str, tuple[float, ...]]
    listed: dict[str, tuple[float, ...]]
    drawn: tuple[float, ...]


@dataclass(frozen=True)
class Asked:
    """A reader's own list: its keys, what stands beside them, and what each model says."""

    keys: tuple[str, ...]
    values: tuple[str, ...]
    said: dict[str, tuple[str, ...]]
    notice: str
    seconds: float

    def right(self, name: str) -> int:
        """How many answers of a model are right."""
        return sum(a == b for a, b in zip(self.said[name], self.values, strict=True))


def curve(table: Table) -> Curve:
    """What was recorded."""
    rows = {name: table.models[name]["recall"] for name in MODELS}
    right, listed, drawn = (
        {name: tuple(row[what] for row in found) for name, found in rows.items()}
        for what in ("right", "listed", "drawn")
    )
    return Curve(tuple(row["pairs"] for row in rows[STATES]), right, listed, drawn[STATES])


def ask_all(models, text: str) -> Asked:
    """Give each model the whole list and ask for every key of it, one question at a time."""
    text, notices = cut_text(text, what="The list")
    pairs = dict(PAIR.findall(text))
    if len(pairs) > MOST:
        notices.append(f"Of the {len(pairs):,} pairs the first {MOST} are read.")
    pairs = dict(list(pairs.items())[:MOST])
    listed = ", ".join(f"{key}: {value}" for key, value in pairs.items())
    asked = [(f"{listed}. {key}?", f" {value}") for key, value in pairs.items()]
    room = models[0].config.context - 1
    if asked and max(len(models[0].tokenizer.encode(p + a)) for p, a in asked) > room:
        notices.append(f"The list does not fit into the {room + 1} tokens that the models read.")
        asked, pairs = [], {}
    began, said = time.perf_counter(), {}
    for model in models:
        said[model.name] = tuple(word.strip() for word in answers(model, asked)) if asked else ()
    return Asked(tuple(pairs), tuple(pairs.values()), said, " ".join(notices),
                 time.perf_counter() - began)  # fmt: skip


def table_of(found: Asked) -> str:
    """Markdown: a row for each key, a column for each model; wrong answers are struck out."""
    counts = [f"{name}, {found.right(name)} of {len(found.keys)} right" for name in found.said]
    lines = [f"| asked for | {' | '.join(counts)} |", "|---|" + "---|" * len(counts)]
    for i, (key, value) in enumerate(zip(found.keys, found.values, strict=True)):
        cells = [shown(said[i], said[i] == value) for said in found.said.values()]
        lines.append(f"| {shown(key, True)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def shown(word: str, right: bool) -> str:
    """A word for a cell of Markdown."""
    inner = prose.literal(word).strip() or "·"
    return inner if right else f"~~{inner}~~"


def in_words(found: Curve) -> str:
    first, last = found.pairs[0], found.pairs[-1]
    said = [
        f"{name} from {right[0]:.0%} with {first} pairs to {right[-1]:.0%} with {last}"
        for name, right in lines_of(found).items()
    ]
    return f"Right answers: {'; '.join(said)}."


def lines_of(found: Curve) -> dict[str, tuple[float, ...]]:
    """What is drawn: the models, and what they have to beat."""
    return found.right | {DRAWN: found.drawn}


def verdict(found: Curve, state) -> str:
    """What was lost, in the longest lists of the training text and in the longest of all."""
    at, last = found.pairs.index(LONGEST), found.pairs[-1]
    dense, states, both = (found.right[name] for name in MODELS)
    kept, config = state_size(state), engine.model(MODELS[0]).config
    mixed = (
        f"\n\nSomething did stay. In **{found.listed[STATES][at]:.0%}** of the lists the state's "
        "answer is one of the values that were listed. Which of them belongs to the key is all but "
        f"lost: a value drawn from the list would be right in {found.drawn[at]:.0%}. That is not "
        f"for want of room: with {found.pairs[0]} pairs the state is right in {states[0]:.0%}, a "
        f"drawn value in {found.drawn[0]:.0%}. What to keep, before anybody has asked, has to be "
        "learned; attention only had to learn to look back."
        if found.listed[STATES][at] > 0.9 and states[0] < 0.6
        else ""
    )
    return (
        f"With {LONGEST} pairs, as many as the longest lists of the training text have, attention "
        f"is right in **{dense[at]:.0%}** of the lists and the state in **{states[at]:.0%}**; with "
        f"{last}, more than was ever read, in {dense[-1]:.0%} and {states[-1]:.0%}. The hybrid, "
        f"with one layer of attention, stands at {both[at]:.0%} and {both[-1]:.0%}. Attention pays "
        f"with {cache_bytes(config, 1, 1):,} numbers more for every token of the list; the state "
        f"has {kept:,} for the first token and for the last.{mixed}"
    )


def state_size(model) -> int:
    """Numbers that a model's states hold, all layers together."""
    return len(model.config.layers_of("ssm")) * state_numbers(model.config)


def chart_of(found: Curve):
    alt = engine.altair()
    rows = [
        {"model": name, "pairs": pairs, "right": share}
        for name, right in lines_of(found).items()
        for pairs, share in zip(found.pairs, right, strict=True)
    ]
    order = list(lines_of(found))
    colors, dashes = COLORS | {DRAWN: "quiet"}, DASHES | {DRAWN: [1, 4]}
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True, strokeWidth=2)
        .encode(
            alt.X("pairs:Q", title="pairs in the list"),
            alt.Y("right:Q", title="right answers", axis=alt.Axis(format="%"),
                  scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("model:N", sort=order, title=None, legend=LEGEND,
                            scale=alt.Scale(domain=order, range=[
                                look.color(colors[name]) for name in order])),
            strokeDash=alt.StrokeDash(
                "model:N", sort=order, title=None, legend=LEGEND,
                scale=alt.Scale(domain=order, range=[dashes[name] for name in order]),
            ),
            tooltip=["model:N", "pairs:Q", alt.Tooltip("right:Q", format=".0%")],
        )
        .properties(height=340)
    )  # fmt: skip


@st.fragment
def recalling(table: Table) -> Curve:
    """Draw the widget."""
    found = curve(table)
    st.altair_chart(chart_of(found), alt=in_words(found))
    mark(table, f"{LISTS} fresh lists of each length")
    chapter.text_twin(in_words(found))
    text = st.text_input(
        "Your own list, from which each key is asked", TEXT, key=f"{KEY}_text",
        persist_state="session", max_chars=20_000,
    )  # fmt: skip
    engine.wait()
    models = [engine.model(name) for name in MODELS]
    own = ask_all(models, text or "")
    if own.notice:
        st.markdown(f":small[:material/info: {prose.literal(own.notice)}]")
    if not own.keys:
        chapter.explain("Write pairs, such as “pear: 3, egg: 5”. One is enough.")
        return found
    st.markdown(table_of(own))
    chapter.mark("computed", by=", ".join(MODELS), where="the likeliest token each time",
                 seconds=own.seconds)  # fmt: skip
    return found
