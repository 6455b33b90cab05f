"""The loss of a real model along two directions through its weights: a landscape, measured."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.autograd.tensor import backend
from microgpt.basics.landscapes import Measured
from microgpt.training.data import Batch, batches
from microgpt.training.parallel import gradients, single_threaded_blas
from microgpt.training.train import loss_function
from microgpt.world import documents
from widgets import engine

MODEL = "tiny-base"
NAME = f"Loss of {MODEL}"
COUNT, HALF = 21, 1.2  # the grid has 21 x 21 places, from -1.2 to 1.2
UNIT = 0.5  # one unit of the map changes every row of weights by so much of its length
ROWS, CONTEXT = 2, 128  # of the batch: its sequences and their tokens
SEED = 3
START = (-0.9, 0.8)


@dataclass(frozen=True, eq=False)
class Slice:
    """A model, two directions through its weights, and the text its loss is measured on."""

    params: dict[str, np.ndarray]
    directions: tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
    batch: Batch
    loss_of: object

    def weights(self, a: float, b: float) -> dict[str, np.ndarray]:
        """The model's weights, moved by a along the first direction and by b along the second."""
        one, two = self.directions
        moved = {n: p + np.float32(a) * one[n] + np.float32(b) * two[n]
                 for n, p in self.params.items() if n in one}  # fmt: skip
        return {**self.params, **moved}

    def loss(self, a: float, b: float) -> float:
        """Nats per token on the batch."""
        return float(self.loss_of(self.weights(a, b), *self.batch))

    def slope(self, a: float, b: float) -> tuple[float, np.ndarray]:
        """The loss, and its gradient by backpropagation, projected on the two directions."""
        with single_threaded_blas():
            shards = [tuple(self.batch)]
            loss, grads = gradients(self.loss_of, self.weights(a, b), shards, threads=1)
        along = [sum(float(np.vdot(grads[n], d[n])) for n in d) for d in self.directions]
        return loss, np.array(along)


def direction(params, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A random direction, scaled row by row to the size of the weights there.

    Filter normalization (Li et al. 2018, "Visualizing the loss landscape of neural nets"): the
    direction of a row is as long as `UNIT` times the row. Norms and biases stay as they are.
    """
    found = {}
    for name, array in params.items():
        if array.ndim < 2:
            continue
        noise = rng.standard_normal(array.shape).astype(np.float32)
        size = np.linalg.norm(array, axis=1, keepdims=True)
        found[name] = noise * (UNIT * size / np.linalg.norm(noise, axis=1, keepdims=True))
    return found


def cut(model) -> Slice:
    """Two random directions through a model's weights, and a batch it has not been trained on."""
    rng = np.random.default_rng(SEED)
    directions = direction(model.params, rng), direction(model.params, rng)
    context = min(CONTEXT, model.config.context)
    text = batches(documents, model.tokenizer, context, ROWS, "landscape/held-out", chunk=1)
    return Slice(model.params, directions, next(text), loss_function(model.config))


def rows(through: Slice, start: int = 0) -> Iterator[np.ndarray]:
    """The losses of the grid, row by row, from row `start` on."""
    places = np.linspace(-HALF, HALF, COUNT)
    for b in places[start:]:
        with backend("fast"), single_threaded_blas():
            losses = np.array([through.loss(a, b) for a in places])
        yield losses


@st.cache_resource(max_entries=2, show_spinner=False)
def _known(sha256: str) -> dict:
    """What has been measured of a model, shared by all sessions: a run that is cut goes on."""
    return {"rows": {}, "seconds": 0.0, "slice": cut(engine.model(MODEL))}


def measured() -> tuple[Measured, Slice, float] | None:
    """The landscape, measured now if nobody has before; None when there is no model.

    Returns with it the slice through the model, and the seconds that the measuring took.
    """
    if MODEL not in engine.models():
        return None
    engine.wait()
    known = _known(engine.model(MODEL).card.get("sha256", ""))
    if len(known["rows"]) < COUNT:
        _measure(known)
    heights = np.stack([known["rows"][i] for i in range(COUNT)])
    return Measured(NAME, heights, HALF, START), known["slice"], known["seconds"]


def _measure(known: dict) -> None:
    bar = st.progress(0.0)
    while (done := len(known["rows"])) < COUNT:
        words = f"Running {MODEL} at {COUNT * COUNT} places: {done * COUNT} done"
        bar.progress(done / COUNT, text=words)
        began = time.perf_counter()
        known["rows"][done] = next(rows(known["slice"], done))
        known["seconds"] += time.perf_counter() - began
    bar.empty()
