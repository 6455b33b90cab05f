"""The residual stream of a text: how long it grows, what is added, and what it would say. Pure."""

import time
from dataclasses import dataclass

import numpy as np

from microgpt.insight.lens import Reading, lens
from microgpt.model.gpt import gpt
from microgpt.training.parallel import single_threaded_blas
from widgets.components import packed
from widgets.press_enter_insides import token_name
from widgets.transformer_map import Text

BEST = 4
NUMBERS = 12_000_000  # scores that are worked out, before fewer tokens are looked at
DEEP = 8  # layers from which on attention and MLP are not looked at one by one


@dataclass(frozen=True, eq=False)
class Stream:
    """One text's stream at every place: P places, the last N tokens of the text.

    `lengths` (P, N) are those of the stream there, `added` (P, N) of what was added last;
    `readings` what the logit lens sees.
    """

    places: tuple[str, ...]
    first: int  # the token that the first column stands for
    lengths: np.ndarray
    added: np.ndarray
    readings: tuple[Reading, ...]
    seconds: float


def compute(model, text: Text) -> Stream:
    """Follow the stream through the model, and ask it everywhere what it would say."""
    config, began = model.config, time.perf_counter()
    middle = config.layers <= DEEP
    stops = 1 + config.layers * (2 if middle else 1)
    last = max(1, min(len(text.ids), NUMBERS // (config.vocab_size * stops)))
    lengths, before, added = [], [np.zeros(())], []
    ends = (".middle", ".residual") if middle else (".residual",)

    def record(name, value):
        if name == "positions":
            before[0] = before[0] + value[0, -last:]
            lengths[0] = added[0] = np.linalg.norm(before[0], axis=-1)
        elif name == "embedding" or name.endswith(ends):
            stream = value[0, -last:]
            lengths.append(np.linalg.norm(stream, axis=-1))
            added.append(np.linalg.norm(stream - before[0], axis=-1))
            before[0] = stream

    with single_threaded_blas():
        gpt(model.params, np.array([text.ids]), config, record, head=False)
        readings = tuple(lens(model, text.ids, BEST, middle, last=last))
    places = tuple(place_name(reading.place, middle) for reading in readings)
    return Stream(places, len(text.ids) - last, np.stack(lengths), np.stack(added), readings,
                  time.perf_counter() - began)  # fmt: skip


def place_name(place: str, middle: bool) -> str:
    """"blocks.2.middle" in words: "layer 3, attention"."""
    if place == "embedding":
        return "embedding"
    layer = int(place.split(".")[1]) + 1
    if not middle:
        return f"layer {layer}"
    return f"layer {layer}, {'attention' if place.endswith('middle') else 'MLP'}"


def as_data(model, text: Text, stream: Stream) -> dict:
    """The stream as it is sent to the browser: words once, then numbers."""
    ids = sorted({int(i) for reading in stream.readings for i in reading.tokens.ravel()})
    number = {token: i for i, token in enumerate(ids)}
    told = np.array([[[number[int(i)] for i in row] for row in reading.tokens]
                     for reading in stream.readings], np.int32)  # fmt: skip
    return {
        "names": text.names[stream.first :],
        "first": stream.first,
        "places": stream.places,
        "words": [token_name(model.tokenizer, i) for i in ids],
        "told": packed(told),
        "chances": packed(np.stack([r.probabilities for r in stream.readings]).astype(np.float32)),
        "final": packed(np.stack([r.final for r in stream.readings]).astype(np.float32)),
        "lengths": packed(stream.lengths.astype(np.float32)),
        "added": packed(stream.added.astype(np.float32)),
    }


def settled_at(stream: Stream) -> int:
    """The first place from which on the last token's best guess is what the model says."""
    says = stream.readings[-1].tokens[-1, 0]
    at = len(stream.places) - 1
    while at > 0 and stream.readings[at - 1].tokens[-1, 0] == says:
        at -= 1
    return at


def in_words(model, text: Text, stream: Stream) -> str:
    """The text twin, for the last token: what each place would say, and how long the stream is."""
    said = [
        f"{place}: “{token_name(model.tokenizer, int(reading.tokens[-1, 0]))}” "
        f"({reading.probabilities[-1, 0]:.0%}), length {length[-1]:.1f}"
        for place, reading, length in zip(stream.places, stream.readings, stream.lengths,
                                          strict=True)
    ]  # fmt: skip
    return f"At “{text.names[-1]}”, if the model stopped there. {'; '.join(said)}."
