"""The one-line demo: type, and the bars of the next token move."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from widgets import components, engine, marks

SHOWN = 8  # bars
LONGEST = 1_000  # characters that the line takes

KINDS = ("fact", "story", "word order", "pronoun", "sum")

_mount = components.component("next_token", states={"text": None})


@dataclass(frozen=True)
class View:
    """What the model says comes after `text`: its likeliest tokens, and how long it took."""

    text: str
    tokens: tuple[int, ...]  # ids of the likeliest, most likely first
    names: tuple[str, ...]
    continuations: tuple[str | None, ...]  # what Enter appends; None: not text (an end, a byte)
    probabilities: tuple[float, ...]
    dropped: int  # tokens that did not fit into the context
    seconds: float


def compute(model, text: str, fast: bool = True) -> View:
    """Ask a model for the token after `text` (at most 1,000 characters of it). Without `fast`
    the readable functions answer, which nobody must wait for: they are not compiled."""
    from microgpt.autograd import ops  # late: Numba takes a second, and the title is drawn before
    from microgpt.autograd.tensor import backend
    from microgpt.decoding.decoders import weights_of
    from microgpt.model.gpt import gpt
    from microgpt.tokens import bpe

    text = text[-LONGEST:]
    began = time.perf_counter()
    begin = model.tokenizer.specials["<|begin|>"]
    encoded = model.tokenizer.encode(text) if fast else bpe.encode(text, model.tokenizer)
    ids = [begin, *encoded]
    dropped = max(0, len(ids) - model.config.context)
    tokens = np.array([ids[dropped:]])
    with backend("fast" if fast else "readable"):
        scores = gpt(weights_of(model), tokens, model.config, last=1)[0, -1]
    probabilities = ops.softmax(scores)
    best = np.argsort(-probabilities, kind="stable")[:SHOWN]
    return View(
        text=text,
        tokens=tuple(int(i) for i in best),
        names=tuple(model.tokenizer.name_of(int(i)) for i in best),
        continuations=tuple(_continuation(model.tokenizer, int(i)) for i in best),
        probabilities=tuple(float(p) for p in probabilities[best]),
        dropped=dropped,
        seconds=time.perf_counter() - began,
    )


def _continuation(tokenizer, token: int) -> str | None:
    if token in tokenizer.specials.values():
        return None
    try:
        return tokenizer.token_bytes(token).decode("utf-8")
    except UnicodeDecodeError:
        return None


@st.fragment
def next_token(name: str, text: str) -> None:
    """Draw the line and its bars for a model by name; `text` is what stands there at first."""
    key = "next_token"
    typed = components.state_of(key, "text", None)
    model = engine.model(name)
    view = compute(model, text if typed is None else typed, fast=engine.is_ready())
    _mount(
        {
            "text": view.text,
            "bars": [
                {"token": token, "name": name, "text": continuation, "probability": probability}
                for token, name, continuation, probability in zip(
                    view.tokens, view.names, view.continuations, view.probabilities, strict=True
                )
            ],
            "longest": LONGEST,
            "examples": examples(),
        },
        key=key,
    )
    millions = sum(array.size for array in model.params.values()) / 1e6
    where = f"{millions:.2f} million parameters"
    if view.dropped:
        where += f", without the first {view.dropped} tokens, which do not fit its context"
    marks.mark("computed", by=model.name, where=where, seconds=view.seconds)


def examples() -> list[dict[str, str]]:
    """One line to try for each of some kinds of the tiny world, with what to expect of it."""
    from microgpt.world.examples import EXAMPLES

    first = {e.kind: e for e in reversed(EXAMPLES) if not e.chat}
    return [{"prompt": first[k].prompt, "note": first[k].note} for k in KINDS if k in first]
