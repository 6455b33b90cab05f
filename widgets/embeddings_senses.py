"""One word in two sentences: how far its two vectors move apart, layer by layer."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.insight import embeddings
from microgpt.tokens.chat import BEGIN
from microgpt.world.lexicon import SENSES
from widgets import chapter, engine, look, prose

LONGEST = 300  # characters of a sentence
PRESETS = {
    "Two senses": ("bank", "Tom sat on the river bank", "Tom put the money in the bank"),
    "The cue comes later": ("bank", "The bank was green and wet", "The bank gave Tom some coins"),
    "Another word": ("bat", "The bat flew out at night. The bat", "Tom lost the bat. The bat"),
    "river bank, bank account": ("bank", "Tom sat on the river bank", "Tom opened a bank account"),
}
NAMES = ("Tom", "Anna", "Ben", "Mia")


@dataclass(frozen=True)
class Compared:
    """The word's vector in both sentences, and where its tokens stand."""

    word: str
    tokens: tuple[str, ...]  # the word's own, as shown
    likeness: np.ndarray  # (L + 1,) cosine before the first layer and after each
    same_before: bool  # whether all tokens up to the word are the same in both
    seconds: float


def encode(model, text: str) -> list[int]:
    """The tokens of a sentence as the model reads it: begin first, where it knows that."""
    begin = model.tokenizer.specials.get(BEGIN)
    ids = model.tokenizer.encode(text)
    return ids if begin is None else [begin, *ids]


def place_of(model, ids: Sequence[int], text: str, word: str) -> int:
    """Where the last token of the last `word` of the text stands; ValueError if it has none."""
    end = text.lower().rfind(word.lower())
    if not word or end < 0:
        raise ValueError(f"“{text[:60]}” does not hold the word “{word[:40]}”.")
    wanted = len((text[: end + len(word)]).encode())
    begin = model.tokenizer.specials.get(BEGIN)
    read = 0
    for place, token in enumerate(ids):
        read += 0 if token == begin and place == 0 else len(model.tokenizer.token_bytes(token))
        if read >= wanted:
            return place
    raise ValueError(f"“{word[:40]}” was not found among the tokens.")


@st.cache_resource(max_entries=64, show_spinner=False)
def measure(name: str, sha256: str, word: str, one: str, other: str) -> Compared:
    """`compute`, once for everybody."""
    return compute(engine.load(name), word, one, other)


def compute(model, word: str, one: str, other: str) -> Compared:
    """ValueError in a sentence where the word is missing, differs as tokens, or does not fit."""
    began, journeys = time.perf_counter(), []
    for text in (one, other):
        ids = encode(model, text)
        if len(ids) > model.config.context:
            raise ValueError(f"A sentence has {len(ids)} tokens; {model.name} reads "
                             f"{model.config.context}.")  # fmt: skip
        journeys.append(embeddings.journey(model, ids, place_of(model, ids, text, word.strip())))
    a, b = journeys
    if a.tokens[a.place] != b.tokens[b.place]:
        raise ValueError(
            f"“{word.strip()[:40]}” ends in another token in the two sentences, so even the rows "
            "differ. Write it the same way in both, with a space before it."
        )
    same = a.tokens[: a.place + 1] == b.tokens[: b.place + 1]
    token = model.tokenizer.name_of(a.tokens[a.place])
    return Compared(word.strip(), (token,), embeddings.apart(a, b), same,
                    time.perf_counter() - began)  # fmt: skip


@dataclass(frozen=True)
class Baseline:
    """Mean cosine of the word's vectors over pairs of sentences, by layer. Two sentences that
    differ in the name alone are no pair."""

    within: np.ndarray  # (L + 1,) two sentences with the same sense
    across: np.ndarray  # (L + 1,) one of each sense
    pairs: tuple[int, int]


@st.cache_resource(max_entries=16, show_spinner=False)
def baseline(name: str, sha256: str, word: str) -> Baseline | None:
    """Sentences of the tiny world in which the cue stands before the word; None without."""
    model = engine.load(name)
    if word not in SENSES or engine.is_large(model):
        return None
    found = []
    for sense, (_, *templates) in enumerate(SENSES[word]):
        for number, template in enumerate(templates):
            for person in NAMES[: 1 + 3 * ("{name}" in template)]:
                text = template.format(name=person).rstrip(".")
                if text.endswith(f" {word}"):  # all cues stand before it
                    ids = encode(model, text)
                    found.append((sense, number, embeddings.journey(model, ids, len(ids) - 1)))
    groups = {True: [], False: []}
    for i, (sense, number, one) in enumerate(found):
        for other_sense, other_number, other in found[:i]:
            if (sense, number) != (other_sense, other_number):
                groups[sense == other_sense].append(embeddings.apart(one, other))
    if not groups[True] or not groups[False]:
        return None
    return Baseline(np.mean(groups[True], 0), np.mean(groups[False], 0),
                    (len(groups[True]), len(groups[False])))  # fmt: skip


def rows_of(found: Compared, base: Baseline | None) -> list[dict]:
    """Points of the chart: one line for the reader's pair, two for the averages."""
    lines = {"your two sentences": found.likeness}
    if base is not None:
        lines |= {"same sense, average": base.within, "two senses, average": base.across}
    return [
        {"layer": int(layer), "likeness": float(x), "what": what}
        for what, likeness in lines.items()
        for layer, x in enumerate(likeness)
    ]


def in_words(found: Compared, base: Baseline | None) -> str:
    steps = ", ".join(f"{x:.3f}" for x in found.likeness)
    text = (
        f"Cosine of the two vectors of {prose.literal(found.word)}, before the first layer and "
        f"after each: {steps}. It starts at {found.likeness[0]:.3f}, is least after layer "
        f"{int(found.likeness.argmin())}, and ends at {found.likeness[-1]:.3f}."
    )
    if base is not None:
        text += (
            f" On average over sentences of the tiny world the last value is "
            f"{base.within[-1]:.3f} for the same sense ({base.pairs[0]} pairs) and "
            f"{base.across[-1]:.3f} for two senses ({base.pairs[1]} pairs)."
        )
    return text


def two_senses(model) -> tuple[Compared, Baseline | None] | None:
    """Draw the two sentences and the chart; returns what was measured."""
    for key, value in zip(("word", "one", "other"), PRESETS["Two senses"], strict=True):
        st.session_state.setdefault(f"tokens_sense_{key}", value)
    keep = {"max_chars": LONGEST, "persist_state": "session"}
    left, right = st.columns(2)
    one = left.text_input("One sentence", key="tokens_sense_one", **keep)
    other = right.text_input("Another sentence", key="tokens_sense_other", **keep)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        word = st.text_input("The word in both", key="tokens_sense_word", width=160, **keep)
        for label, preset in PRESETS.items():
            st.button(label, key=f"tokens_sense_{label}", on_click=_take, args=(preset,))
    try:
        found = measure(model.name, model.card.get("sha256", ""), word, one, other)
    except ValueError as problem:
        st.warning(prose.literal(str(problem)))
        return None
    base = baseline(model.name, model.card.get("sha256", ""), found.word.lower())
    summary = in_words(found, base)
    _chart(rows_of(found, base), summary)
    chapter.mark("computed", by=model.name, where="the residual stream at the word, after each "
                 "layer", seconds=found.seconds)  # fmt: skip
    chapter.text_twin(summary)
    return found, base


def _chart(rows: list[dict], summary: str) -> None:
    alt = engine.altair()

    names = list(dict.fromkeys(row["what"] for row in rows))
    colors = [look.color(c) for c in ("query", "quiet", "key")][: len(names)]
    dashes = [[1, 0], [6, 4], [2, 3]][: len(names)]
    least = min(row["likeness"] for row in rows)
    x = alt.X("layer:O", title="layers read so far", axis=alt.Axis(labelAngle=0))
    y = alt.Y("likeness:Q", title="cosine", scale=alt.Scale(domain=[min(0.9, least - 0.03), 1]))
    scale = alt.Scale(domain=names, range=colors)
    line = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=2.5).encode(
        x, y,
        alt.Color("what:N", title=None, scale=scale,
                  legend=alt.Legend(orient="top", columns=1, symbolSize=400, labelLimit=300)),
        alt.StrokeDash("what:N", title=None, scale=alt.Scale(domain=names, range=dashes)),
    )  # fmt: skip
    dots = alt.Chart(alt.Data(values=rows)).mark_point(size=60, filled=True, opacity=1).encode(
        x, y, alt.Color("what:N", scale=scale, legend=None),
        tooltip=["what:N", "layer:O", alt.Tooltip("likeness:Q", format=".4f")],
    )  # fmt: skip
    st.altair_chart((line + dots).properties(height=340), alt=summary)


def _take(preset: tuple[str, str, str]) -> None:
    for key, value in zip(("word", "one", "other"), preset, strict=True):
        st.session_state[f"tokens_sense_{key}"] = value
