"""The same text in other pieces: how much worse the model reads what it was never shown so."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.autograd.ops import token_log_probabilities
from microgpt.decoding.decoders import weights_of
from microgpt.model.gpt import gpt
from microgpt.tokens.bpe import Tokenizer
from microgpt.tokens.chat import BEGIN
from microgpt.tokens.tokenizer import to_bytes
from widgets import chapter, engine, look, prose

TEXT = "Once upon a time there was a little girl named Anna."
LONGEST = 200
STEPS = 9  # how many vocabularies are tried, from bytes alone to all merges


@dataclass(frozen=True)
class Reading:
    """A text cut with the first `merges` merges only, and how the model took it."""

    merges: int
    tokens: int
    bits: float  # of surprise for each byte of the text
    last: tuple[str, ...]  # the pieces of the last word


@st.cache_resource(max_entries=12, show_spinner=False)
def shortened(name: str, sha256: str, merges: int) -> Tokenizer:
    """The model's tokenizer with only its first merges; ids keep their meaning."""
    full = engine.load(name).tokenizer
    made = {merge[2] for merge in full.merges[:merges]}
    keep = {merge[2] for merge in full.merges[merges:]} - made
    names = {f"<|later {token}|>": token for token in sorted(keep)}
    return Tokenizer(full.merges[:merges], full.pattern, {**full.specials, **names},
                     full.byte_ids, full.unknown)  # fmt: skip


def bits_per_byte(model, ids, size: int) -> float:
    """The surprise of all tokens after the first, in bits, over the bytes they stand for."""
    logits = gpt(weights_of(model), np.array([ids[:-1]]), model.config)[0]
    return float(-token_log_probabilities(logits, np.array(ids[1:])).sum() / np.log(2) / size)


def counts_of(model) -> list[int]:
    """Numbers of merges to try: none, all, and between them by doubling."""
    most = len(model.tokenizer.merges)
    between = {most // 2**k for k in range(2 if engine.is_large(model) else STEPS - 1)}
    return sorted({0, *between})


@st.cache_resource(max_entries=64, show_spinner=False)
def readings_of(name: str, sha256: str, text: str) -> tuple[list[Reading], float]:
    """`compute`, once for everybody, and the seconds it took."""
    began = time.perf_counter()
    return compute(engine.load(name), text), time.perf_counter() - began


def compute(model, text: str) -> list[Reading]:
    """Read the text once for each vocabulary. ValueError where it does not fit the model."""
    begin, size = model.tokenizer.specials.get(BEGIN), len(to_bytes(text))
    readings = []
    for merges in counts_of(model):
        cutter = shortened(model.name, model.card.get("sha256", ""), merges)
        ids = cutter.encode(text)
        if len(ids) + 1 > model.config.context:
            raise ValueError(f"Cut into bytes the text has {len(ids)} tokens; {model.name} reads "
                             f"{model.config.context - 1}. Make it shorter.")  # fmt: skip
        if (begin is None and len(ids) < 2) or not ids:
            raise ValueError("There is nothing to predict in so short a text.")
        read = ids if begin is None else [begin, *ids]
        last = tuple(model.tokenizer.name_of(i) for i in cutter.encode(text)[-6:])
        readings.append(Reading(merges, len(ids), bits_per_byte(model, read, size), last))
    return readings


def in_words(readings: list[Reading]) -> str:
    first, last = readings[0], readings[-1]
    return (
        f"With all {last.merges:,} merges the text is {last.tokens} tokens and costs "
        f"{last.bits:.2f} bits a byte. With none it is {first.tokens} tokens, its bytes, and costs "
        f"{first.bits:.2f}. It is the same text."
    )


def other_pieces(model) -> list[Reading]:
    """Draw the text box and the curve; returns the readings."""
    st.session_state.setdefault("tokens_splits", TEXT)
    text = st.text_input("A text for the model", key="tokens_splits", max_chars=LONGEST,
                         persist_state="session")  # fmt: skip
    try:
        readings, seconds = readings_of(model.name, model.card.get("sha256", ""), text)
    except ValueError as problem:
        st.warning(prose.literal(str(problem)))
        return []
    summary = in_words(readings)
    _chart(readings, summary)
    chapter.mark("computed", by=model.name, where=f"{len(readings)} readings of one text",
                 seconds=seconds)  # fmt: skip
    chapter.text_twin(summary)
    return readings


def _chart(readings: list[Reading], summary: str) -> None:
    alt = engine.altair()

    rows = [{"merges": f"{r.merges:,}", "bits": r.bits, "tokens": r.tokens,
             "label": f"{r.bits:.2f}", "last": " ".join(r.last)} for r in readings]  # fmt: skip
    x = alt.X("merges:O", title="merges the tokenizer may use", sort=None,
              axis=alt.Axis(labelAngle=0))  # fmt: skip
    y = alt.Y("bits:Q", title="surprise, bits a byte")
    bars = alt.Chart(alt.Data(values=rows)).mark_bar(width={"band": 0.62}).encode(
        x, y, color=alt.value(look.color("loss")),
        tooltip=["merges:O", "tokens:Q", alt.Tooltip("bits:Q", format=".3f"),
                 alt.Tooltip("last:N", title="the last pieces")],
    )  # fmt: skip
    words = alt.Chart(alt.Data(values=rows)).mark_text(dy=-8, fontSize=12).encode(
        x, y, text="label:N", color=alt.value(look.color("loss"))
    )
    st.altair_chart((bars + words).properties(height=240), alt=summary)
