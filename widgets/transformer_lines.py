"""A whole GPT, line by line, beside the values that its lines made for the reader's text."""

import inspect
import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.autograd.ops import softmax
from microgpt.decoding.decoder import supported
from microgpt.insight.lines import Step, Value, run
from microgpt.model import one_page
from microgpt.model.gpt import gpt
from microgpt.training.parallel import single_threaded_blas
from widgets import chapter, engine
from widgets.components import component
from widgets.press_enter_insides import token_name
from widgets.source import highlight

KEY = "transformer_lines"
_mount = component(KEY)
GIVEN = ("weights", "tokens", "config")
WATCHED = tuple(
    name for name in one_page.next_token.__code__.co_varnames if name not in GIVEN
)
MEANS = {  # line's variable: what the line does
    "T": "How many tokens there are, and how many numbers a head has.",
    "table": "The embedding table: a row for each token that the model knows.",
    "future": "The mask: −∞ above the diagonal, 0 elsewhere.",
    "x": "The stream: a row for each token. Every part reads it and adds to it.",
    "layer": "The next layer. All of them run the same lines with weights of their own.",
    "name": "Where this layer's weights are kept.",
    "normed": "A copy of the stream, each row made even in size.",
    "queries": "What each token asks for, all heads side by side.",
    "keys": "What each token offers to be found by.",
    "values": "What each token hands over when it is found.",
    "mixed": "What the heads have gathered.",
    "head": "The next head.",
    "own": "The columns of this head.",
    "group": "Which key and value head it shares.",
    "shared": "The columns of those.",
    "q": "This head's queries, turned by their positions.",
    "k": "Its keys, turned likewise.",
    "scores": "Every query with every key.",
    "attention": "The future hidden, then shares of 1.",
    "gate": "How far each hidden unit opens.",
    "up": "What each of them would say.",
    "hidden": "What it says: SwiGLU.",
    "head_table": "The table that scores are made with.",
    "logits": "A score for every token that the model knows, at the last place only.",
    "probabilities": "And the chances: this is the answer.",
}


@dataclass(frozen=True, eq=False)
class Reading:
    """One run of the program: what it returned, every step, and how far off `gpt` it is at most."""

    probabilities: np.ndarray
    steps: tuple[Step, ...]
    seconds: float
    off: float


def compute(model, ids) -> Reading:
    """Run the program on one text, watched. ValueError for a model that it is not written for."""
    if not supported(model.config) or model.config.window is not None:
        raise ValueError(
            f"This page of code is for models in Llama's style without a window; {model.name} is "
            "none. Choose another model."
        )
    began = time.perf_counter()
    with single_threaded_blas():
        said, steps = run(one_page.next_token, model.params, list(ids), model.config,
                          watch=WATCHED, loops=("layer", "head"))  # fmt: skip
        seconds = time.perf_counter() - began
        engines = softmax(gpt(model.params, np.array([ids]), model.config)[0, -1])
    return Reading(said, steps, seconds, float(np.abs(said - engines).max()))


def source() -> tuple[int, tuple[str, ...]]:
    """The program from its first function on: the number of that line, and the lines."""
    lines = inspect.getsource(one_page).rstrip("\n").split("\n")
    first = next(i for i, line in enumerate(lines) if line.startswith("def "))
    return first + 1, tuple(lines[first:])


def value_data(value: Value) -> list:
    shape = None if value.shape is None else " × ".join(map(str, value.shape)) or "one number"
    return [value.name, shape, [round(x, 4) if np.isfinite(x) else None for x in value.first],
            value.text, value.start]  # fmt: skip


def as_data(model, ids, reading: Reading) -> dict:
    first, lines = source()
    best = np.argsort(-reading.probabilities, kind="stable")[:3]
    return {
        "first": first,
        "lines": highlight(lines),
        "path": "microgpt/model/one_page.py",
        "steps": [[s.line, [value_data(v) for v in s.made], dict(s.loops)] for s in reading.steps],
        "means": MEANS,
        "layers": model.config.layers,
        "heads": model.config.heads,
        "answer": [[token_name(model.tokenizer, int(i)), float(reading.probabilities[i])]
                   for i in best],
        "last": token_name(model.tokenizer, ids[-1]),
    }  # fmt: skip


def in_words(model, reading: Reading) -> str:
    """The text twin: how long the program runs, and what comes out."""
    ran = {}
    for step in reading.steps:
        ran[step.line] = ran.get(step.line, 0) + 1
    best = int(reading.probabilities.argmax())
    busiest = max(ran.values())
    return (
        f"{len(ran)} lines ran {len(reading.steps):,} times in all, those of the inner loop "
        f"{busiest} times each. The program ends with {len(reading.probabilities):,} chances; the "
        f"largest is {reading.probabilities[best]:.1%}, for "
        f"“{token_name(model.tokenizer, best)}”."
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _reading(name: str, sha256: str, ids) -> Reading:
    return compute(engine.model(name), ids)


def lines(model, ids) -> Reading | None:
    """Draw the widget."""
    try:
        reading = _reading(model.name, model.card.get("sha256", ""), ids)
    except ValueError as error:
        st.info(str(error))
        return None
    _mount(as_data(model, ids, reading), key=KEY)
    chapter.mark("computed", by="microgpt.model.one_page", seconds=reading.seconds,
                 where=f"the weights of {model.name}, {len(ids)} tokens")  # fmt: skip
    chapter.text_twin(in_words(model, reading))
    return reading
