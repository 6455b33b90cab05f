"""A state space layer as a machine: what each token fades, writes and reads, step by step."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.decoding.prompt import cut_text
from microgpt.model.trace import trace
from microgpt.tokens.chat import BEGIN, special
from widgets import chapter, prose
from widgets.components import component, packed

KEY = "architectures_scan"
MOST = 40  # tokens
CHANNELS = 6
TEXT = "The red cat sat on the mat because it was tired."

_mount = component(KEY, states={"channel": 0})


@dataclass(frozen=True)
class Channel:
    """One channel of one layer over T tokens: the input x, the step `delta` and what is read, (T,);
    what stays of each number, what comes in, and the state after the token, (T, N)."""

    number: int
    x: np.ndarray
    delta: np.ndarray
    kept: np.ndarray
    written: np.ndarray
    states: np.ndarray
    looked: np.ndarray
    skip: float
    read: np.ndarray


@dataclass(frozen=True)
class Scan:
    tokens: tuple[str, ...]
    channels: tuple[Channel, ...]
    rates: np.ndarray
    notices: tuple[str, ...]
    seconds: float


def scan(model, text: str, layer: int) -> Scan:
    """Run the model over a text and take apart the channels of a layer that read the most."""
    text, notices = cut_text(text, what="The text")
    ids = [special(model.tokenizer, BEGIN), *model.tokenizer.encode(text)]
    if len(ids) > MOST:
        notices.append(f"Of the {len(ids):,} tokens the first {MOST} are shown.")
    ids = ids[:MOST]
    began = time.perf_counter()
    values = trace(model.params, np.array([ids]), model.config)
    seconds = time.perf_counter() - began
    names = ("mixed", "delta", "write", "look", "state", "read")
    mixed, delta, write, look, state, read = (
        values[f"blocks.{layer}.ssm.{name}"][0] for name in names
    )
    weights = f"model.layers.{layer}.ssm"
    rates = -np.exp(model.params[f"{weights}.A_log"])  # (I, N)
    skips = model.params[f"{weights}.D"]
    remembered = np.abs(read - skips * mixed).mean(0)  # (I,): what comes out of the memory
    channels = tuple(
        Channel(
            int(i), mixed[:, i], delta[:, i], np.exp(delta[:, i, None] * rates[i]),
            (delta[:, i] * mixed[:, i])[:, None] * write, state[:, i], look, float(skips[i]),
            read[:, i],
        )
        for i in np.argsort(-remembered, kind="stable")[:CHANNELS]
    )  # fmt: skip
    tokens = tuple(model.tokenizer.name_of(token) for token in ids)
    return Scan(tokens, channels, rates, tuple(notices), seconds)


def view_of(found: Scan) -> dict:
    rows = ("x", "delta", "kept", "written", "states", "looked", "read")
    return {
        "tokens": found.tokens,
        "channels": [
            {"number": c.number, "skip": c.skip}
            | {name: packed(np.ascontiguousarray(getattr(c, name), np.float32)) for name in rows}
            for c in found.channels
        ],
        "numbers": found.channels[0].states.shape[1],
    }


def in_words(found: Scan, channel: int) -> str:
    c = found.channels[channel]
    last = len(found.tokens) - 1
    longest = int(c.kept.mean(0).argmax())
    most = int(c.delta.argmax())
    return (
        f"Channel {c.number}: at `{found.tokens[most].replace('`', 'ˋ')}` the step is largest, "
        f"{c.delta[most]:.3f}, so there the state takes in and forgets the most. Number "
        f"{longest + 1} of the state lasts longest: {c.kept[:, longest].mean():.1%} of it stays at "
        "each token on average. After the last token the numbers go from "
        f"{c.states[last].min():.3f} to {c.states[last].max():.3f}."
    ).replace(" -", " −")


@st.fragment
def machine(model) -> Scan:
    """Draw the widget."""
    text = st.text_input(
        "Your text", TEXT, key=f"{KEY}_text", persist_state="session", max_chars=20_000
    )
    layers = model.config.layers_of("ssm")
    layer = st.segmented_control(
        "Layer", layers, default=layers[-1], format_func=lambda i: str(i + 1), required=True,
        key=f"{KEY}_layer", persist_state="session",
    )  # fmt: skip
    found = scan(model, text or "", layer)
    for notice in found.notices:
        st.markdown(f":small[:material/info: {prose.literal(notice)}]")
    shown = _mount(view_of(found) | {"run": f"{text} {layer}"}, key=KEY)
    channel = shown.channel
    if not isinstance(channel, int) or not 0 <= channel < len(found.channels):
        channel = 0  # a browser may send anything
    chapter.mark(
        "computed", by=model.name, seconds=found.seconds,
        where=f"layer {layer + 1}, the {CHANNELS} of {model.config.inner} channels that read most",
    )  # fmt: skip
    chapter.text_twin(in_words(found, channel))
    return found
