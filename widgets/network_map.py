"""Cat or dog: a network of nine neurons that reads three numbers off a picture."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.basics import network, pictures
from microgpt.basics.datasets import Points
from microgpt.basics.network import Settings, Training
from widgets import chapter, components
from widgets.components import component, packed

KEY = "network_map"
ALBUM, TEST, STEPS, EVERY, OWN = 40, 60, 80, 2, 24
SETTINGS = Settings(hidden=(4,), activation="relu", rate=0.05, batch=ALBUM)
PIXELS = pictures.SIZE**2

_mount = component(KEY, states={"picture": "", "own": [], "start": None})


@dataclass(frozen=True)
class Run:
    """A training run: weights, losses and accuracies after every second step."""

    frames: np.ndarray  # (F, P)
    scores: np.ndarray  # (F, 4): train loss, train accuracy, test loss, test accuracy
    seconds: float


@st.cache_resource(max_entries=1, show_spinner=False)
def albums() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Pictures to learn from and pictures held back, drawn by the engine."""
    rng = np.random.default_rng(5)
    return pictures.album(ALBUM, rng), pictures.album(TEST, rng)


def flat(params) -> np.ndarray:
    """All weights and biases in one row, layer by layer, the weights of a layer first."""
    return np.concatenate([p.ravel() for p in params.values()])


def unflat(row, params) -> dict[str, np.ndarray]:
    """The reverse: a dict like `params` with the numbers of a row."""
    cuts = np.cumsum([p.size for p in params.values()])[:-1]
    parts = np.split(np.asarray(row, dtype=float), cuts)
    return {name: a.reshape(p.shape) for (name, p), a in zip(params.items(), parts, strict=True)}


@st.cache_resource(max_entries=64, show_spinner=False)
def compute(own: tuple, start: tuple | None) -> Run:
    """Train on the album and the reader's own pictures, from fresh weights or from given ones."""
    (drawn, label), held_back = albums()
    mine = np.array([_pixels(text) for text, _ in own]).reshape(-1, pictures.SIZE, pictures.SIZE)
    train = pictures.as_points(
        np.concatenate([drawn, mine]), np.concatenate([label, [int(kind) for _, kind in own]])
    )
    train = Points(train.x, train.label.astype(int))
    test = pictures.as_points(*held_back)
    training = Training(SETTINGS, train, np.random.default_rng(2), outputs=2)
    if start is not None:
        training.params = unflat(start, training.params)
    began = time.perf_counter()
    frames, scores = [], []
    for number in range(STEPS // EVERY + 1):
        if number:
            list(training.steps(EVERY))
        frames.append(flat(training.params))
        scores.append(
            [
                *network.evaluate(training.params, train, SETTINGS.activation),
                *network.evaluate(training.params, test, SETTINGS.activation),
            ]
        )
    return Run(np.array(frames), np.array(scores), time.perf_counter() - began)


def clean_picture(text) -> str:
    """A drawn picture as 144 signs 0 and 1; anything else becomes the first cat."""
    if isinstance(text, str) and len(text) == PIXELS and set(text) <= {"0", "1"}:
        return text
    return first_cat()


def first_cat() -> str:
    """The held-back cat whose ears stand best."""
    held, label = albums()[1]
    return as_text(max(held[label == 0], key=lambda picture: pictures.features(picture)[0]))


def clean_own(own) -> tuple[tuple[str, int], ...]:
    """The reader's pictures with their labels; what is no picture is dropped."""
    kept = []
    for item in own if isinstance(own, list) else ():
        if isinstance(item, list) and len(item) == 2:
            text, kind = item
            if isinstance(text, str) and clean_picture(text) == text and kind in (0, 1):
                kept.append((text, int(kind)))
    return tuple(kept[:OWN])


def clean_start(start, size: int) -> tuple | None:
    """Edited weights; None when they are not that many finite numbers."""
    try:
        row = np.array(start, dtype=float)
    except (TypeError, ValueError):
        return None
    if row.shape != (size,) or not np.isfinite(row).all():
        return None
    return tuple(np.clip(row, -20, 20).tolist())


def as_text(picture) -> str:
    return "".join(str(int(pixel)) for pixel in np.ravel(picture))


def _pixels(text: str) -> np.ndarray:
    return np.array([int(c) for c in text]).reshape(pictures.SIZE, pictures.SIZE)


def answer(picture: str, row) -> dict:
    """One real forward pass: the inputs, every neuron, both probabilities."""
    fresh = network.initialize((3, *SETTINGS.hidden, 2), np.random.default_rng(2))
    x = pictures.features(_pixels(picture))
    seen = {}
    params = unflat(row, fresh)
    scores = network.forward(params, x[None], SETTINGS.activation, record=seen.__setitem__)
    dog = float(network.probabilities(scores)[0])
    return {
        "picture": picture,
        "x": x,
        "hidden": seen["layers.0.out"][0],
        "sums": seen["layers.0.sums"][0],
        "scores": scores[0],
        "probabilities": [1 - dog, dog],
    }


def view_of(run: Run, picture: str) -> dict:
    (drawn, label), (held, held_label) = albums()
    return {
        "size": pictures.SIZE,
        "inputs": list(pictures.REGIONS),
        "outputs": pictures.KINDS,
        "sizes": [3, *SETTINGS.hidden, 2],
        "regions": [as_text(region) for region in pictures.REGIONS.values()],
        "album": [[as_text(p), k] for p, k in zip(drawn, label, strict=True)],
        "held": [[as_text(p), k] for p, k in zip(held, held_label, strict=True)],
        "frames": packed(run.frames.astype(np.float32)),
        "scores": packed(run.scores.astype(np.float32)),
        "every": EVERY,
        "answer": answer(picture, run.frames[-1]),
        "most": OWN,
    }


def in_words(run: Run, found: dict, own: int) -> str:
    first, last = run.scores[0], run.scores[-1]
    said = dict(zip(pictures.KINDS, found["probabilities"], strict=True))
    x = ", ".join(f"{n} {v:.2f}" for n, v in zip(pictures.REGIONS, found["x"], strict=True))
    return (
        f"It learns from {ALBUM + own} pictures, {own} of them yours. In {STEPS} steps the loss "
        f"goes from {first[0]:.3f} to {last[0]:.3f}; of {TEST} pictures it never saw it gets "
        f"{last[3]:.0%} right. The picture you look at has {x}; once trained, the network says "
        f"cat {said['cat']:.0%}, dog {said['dog']:.0%}."
    )


@st.fragment
def cat_or_dog() -> Run:
    """Draw the widget."""
    size = len(flat(network.initialize((3, *SETTINGS.hidden, 2), np.random.default_rng(2))))
    picture = clean_picture(components.state_of(KEY, "picture", ""))
    own = clean_own(components.state_of(KEY, "own", []))
    start = clean_start(components.state_of(KEY, "start", None), size)
    run = compute(own, start)
    view = view_of(run, picture)
    _mount(view | {"run": f"{len(own)} {start}"}, key=KEY)
    chapter.mark(
        "measured",
        by="microgpt.basics.network",
        seconds=run.seconds,
        where=f"{STEPS} steps, {ALBUM + len(own)} pictures, {size} parameters",
    )
    chapter.text_twin(in_words(run, view["answer"], len(own)))
    return run
