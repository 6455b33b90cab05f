"""The logit lens: what would the model say if it stopped after a layer?

nostalgebraist 2020: the stream after each layer, put through the last norm and the output head.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from microgpt.autograd import ops
from microgpt.autograd.tensor import linear
from microgpt.decoding.decoders import weights_of
from microgpt.model.gpt import gpt, normalize


@dataclass(frozen=True)
class Reading:
    """The best guesses for the next token at every position, as the stream stands at `place`.

    `tokens` and `probabilities` are (T, best), the likeliest first; `final` (T,) is the probability
    here of the token that the model itself puts first in the end.
    """

    place: str  # "embedding", then "blocks.{i}.middle" and "blocks.{i}.residual" of each layer
    tokens: np.ndarray
    probabilities: np.ndarray
    final: np.ndarray


def read_out(stream, params, config):  # (..., T, C) -> (..., T, V)
    """Scores for the next token from a residual stream at any depth."""
    x = normalize(stream, params, "model.norm", config)
    return linear(x, params["model.embed_tokens.weight" if config.tied else "lm_head.weight"])


def lens(
    model, ids, best: int = 5, middle: bool = False, edit=None, last: int | None = None
) -> Iterator[Reading]:
    """Readings of one text, the embedding first, then after each layer.

    With `middle` also between a layer's attention and its MLP; with `last` only of so many tokens
    at the end. The last one is what the model says. One layer's scores are worked out at a time, so
    a large vocabulary fits the memory.
    """
    streams = {}

    def record(name, value):
        ends = (".residual", ".middle") if middle else (".residual",)
        if name == "positions":
            streams["embedding"] = streams["embedding"] + value
        elif name == "embedding" or name.endswith(ends):
            streams[name] = value

    weights = weights_of(model)
    gpt(weights, np.array([ids]), model.config, record=record, edit=edit, head=False)
    shown = slice(None) if last is None else slice(-last, None)
    said = read_out([*streams.values()][-1][0, shown], weights, model.config).argmax(-1)
    for place, stream in streams.items():
        probabilities = ops.softmax(read_out(stream[0, shown], weights, model.config))
        order = np.argsort(-probabilities, axis=-1, kind="stable")[:, :best]
        final = np.take_along_axis(probabilities, said[:, None], -1)[:, 0]
        yield Reading(place, order, np.take_along_axis(probabilities, order, -1), final)
