"""A list to remember: attention looks it up, a state has to have kept it."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.decoding.compare import WORDS, recall
from microgpt.decoding.prompt import cut_text
from microgpt.model.costs import cache_bytes, state_numbers
from microgpt.model.gpt import gpt
from microgpt.tokens.chat import BEGIN, special
from microgpt.training.parallel import single_threaded_blas
from widgets import chapter, engine, look, prose
from widgets.architectures import LEGEND

KEY = "architectures_recall"
STATES = "tiny-ssm"
MODELS = ("tiny-dense", STATES, "tiny-hybrid")
DASHES = {"tiny-dense": [1, 0], "tiny-ssm": [6, 3], "tiny-hybrid": [2, 2]}
COLORS = {"tiny-dense": "query", "tiny-ssm": "cache", "tiny-hybrid": "value"}
ROWS = 16
LONGEST = 30  # words of a list to be copied in the training text
TEXT = "dog moon red cake bird king box tree hat sun fish boat"


@dataclass(frozen=True)
class Curve:
    """For each model, the share of right guesses in the second reading, by the list's length."""

    words: tuple[int, ...]
    right: dict[str, tuple[float, ...]]
    seconds: float


@dataclass(frozen=True)
class Repeated:
    """A reader's own list read twice: the tokens that are guessed, and which guesses are right."""

    tokens: tuple[str, ...]
    right: dict[str, tuple[bool, ...]]
    notice: str
    seconds: float


@st.cache_resource(max_entries=2, show_spinner="Reading lists ...")
def curve(hashes: tuple[str, ...]) -> Curve:
    """Measured once per server; `hashes` are those of the models' weights."""
    models = [engine.model(name) for name in MODELS]
    began = time.perf_counter()
    with single_threaded_blas():
        right = {m.name: tuple(recall(m, words, ROWS) for words in WORDS) for m in models}
    return Curve(WORDS, right, time.perf_counter() - began)


def repeated(models, text: str) -> Repeated:
    """Which tokens of a list each model guesses in the second reading, from the third on."""
    text, notices = cut_text(text, what="The list")
    tokenizer = models[0].tokenizer
    most = (models[0].config.context - 2) // 2
    ids = tokenizer.encode(" " + text.strip())
    if len(ids) > most:
        notices.append(f"Of the {len(ids):,} tokens the first {most} are read.")
    ids = ids[:most]
    tokens = np.array([[special(tokenizer, BEGIN), *ids, *ids]])
    began, right = time.perf_counter(), {}
    for model in models:
        guesses = gpt(model.params, tokens, model.config)[0, len(ids) + 2 : -1].argmax(-1)
        right[model.name] = tuple((guesses == tokens[0, len(ids) + 3 :]).tolist())
    names = tuple(tokenizer.name_of(token) for token in ids[2:])
    return Repeated(names, right, " ".join(notices), time.perf_counter() - began)


def lost_in_words(found: Repeated) -> list[str]:
    """One Markdown line for each model: what it repeated, what it lost struck out."""
    lines = []
    for name, right in found.right.items():
        pairs = zip(found.tokens, right, strict=True)
        words = "".join(shown(token, "" if ok else "~~") for token, ok in pairs)
        lines.append(f"**{name}**, {sum(right)} of {len(right)} right: {words}")
    return lines


def shown(token: str, around: str = "") -> str:
    """A token's name as part of a running text, struck out or not."""
    word = token.replace("·", " ")
    space = " " if word.startswith(" ") or around else ""
    inner = prose.literal(word.strip()) or "·"
    return f"{space}{around}{inner}{around}"


def in_words(found: Curve) -> str:
    first, last = found.words[0], found.words[-1]
    said = [
        f"{name} from {right[0]:.0%} of {first} words to {right[-1]:.0%} of {last}"
        for name, right in found.right.items()
    ]
    return f"Right guesses in the second reading: {'; '.join(said)}."


def verdict(found: Curve, state) -> str:
    """What was lost, in the longest lists of the training text and in the longest of all."""
    at, last = found.words.index(LONGEST), found.words[-1]
    dense, states = found.right["tiny-dense"], found.right[STATES]
    kept = state_size(state)
    cached = cache_bytes(engine.model("tiny-dense").config, 2 * LONGEST, 1)
    return (
        f"At {LONGEST} words, the longest lists in the training text, attention is right at "
        f"**{dense[at]:.0%}** of the words and the state at **{states[at]:.0%}**; of {last} words, "
        f"longer than any that was read, at {dense[-1]:.0%} and {states[-1]:.0%}. To do it, "
        f"attention keeps {cached:,} numbers for the {2 * LONGEST} words that it has read by then; "
        f"the state has {kept:,}, as for the first word."
    )


def state_size(model) -> int:
    """Numbers that a model's states hold, all layers together."""
    return len(model.config.layers_of("ssm")) * state_numbers(model.config)


def chart_of(found: Curve):
    alt = engine.altair()
    rows = [
        {"model": name, "words": words, "right": share}
        for name, right in found.right.items()
        for words, share in zip(found.words, right, strict=True)
    ]
    order = list(found.right)
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True, strokeWidth=2)
        .encode(
            alt.X("words:Q", title="words in the list", scale=alt.Scale(type="log", base=2)),
            alt.Y("right:Q", title="right when read again", axis=alt.Axis(format="%"),
                  scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("model:N", sort=order, title=None, legend=LEGEND,
                            scale=alt.Scale(domain=order, range=[_hex(name) for name in order])),
            strokeDash=alt.StrokeDash(
                "model:N", sort=order, title=None, legend=LEGEND,
                scale=alt.Scale(domain=order, range=[DASHES[name] for name in order]),
            ),
            tooltip=["model:N", "words:Q", alt.Tooltip("right:Q", format=".0%")],
        )
        .properties(height=260)
    )  # fmt: skip


def _hex(name: str) -> str:
    return look.color(COLORS[name])


@st.fragment
def recalling() -> Curve:
    """Draw the widget."""
    engine.wait()
    models = [engine.model(name) for name in MODELS]
    found = curve(tuple(model.card.get("sha256", "") for model in models))
    st.altair_chart(chart_of(found), alt=in_words(found))
    chapter.mark(
        "computed", by=", ".join(MODELS), where=f"{ROWS} lists of each length",
        seconds=found.seconds,
    )  # fmt: skip
    chapter.text_twin(in_words(found))
    text = st.text_input(
        "Your own list, which all three read twice", TEXT, key=f"{KEY}_text",
        persist_state="session", max_chars=20_000,
    )  # fmt: skip
    own = repeated(models, text or "")
    if own.notice:
        st.markdown(f":small[:material/info: {prose.literal(own.notice)}]")
    if not own.tokens:
        chapter.explain("A list needs at least three words: the first two only say that it begins.")
        return found
    st.markdown("\n\n".join(lost_in_words(own)))
    chapter.mark("computed", by=", ".join(MODELS), where="struck out: not the best guess",
                 seconds=own.seconds)  # fmt: skip
    return found
