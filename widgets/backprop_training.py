"""A whole small network learns, and every number of every step is on the table."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.autograd.arithmetic import sigmoid
from microgpt.autograd.optim import AdamW
from microgpt.basics import network
from microgpt.basics.datasets import Points
from microgpt.basics.network import Settings, Training
from widgets import chapter
from widgets.components import component, packed
from widgets.network_experiment import flat

KEY = "backprop_training"
STEPS, SEED = 60, 3
RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
POINTS = Points(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float), np.array([0, 1, 1, 0]))
HIDDEN, BEND = 3, "tanh"
ADAM = AdamW(decay=0.0)  # as the training uses it: its two betas are shown
NAMES = tuple(
    [f"h{j} ← {x}" for j in (1, 2, 3) for x in ("x", "y")]
    + [f"h{j} bias" for j in (1, 2, 3)]
    + [f"out ← h{j}" for j in (1, 2, 3)]
    + ["out bias"]
)

_mount = component(KEY)


@dataclass(frozen=True)
class Snapshot:
    """One step with everything in it: parameters before and after, gradients, both moments (P,),
    and for each of the four points the neurons' outputs and gradients (4, H + 1)."""

    loss: float
    before: np.ndarray
    gradient: np.ndarray
    first: np.ndarray
    second: np.ndarray
    after: np.ndarray
    outputs: np.ndarray
    blame: np.ndarray


def snapshots(rate: float, steps: int, seed: int) -> Iterator[Snapshot]:
    """Train a 2-3-1 network with Adam on the four corners of xor, and look at every step."""
    settings = Settings(hidden=(HIDDEN,), activation=BEND, rate=rate, batch=len(POINTS))
    training = Training(settings, POINTS, np.random.default_rng(seed))
    for _ in range(steps):
        before = flat(training)
        loss, grads, seen = network.gradients(training.params, POINTS, BEND)
        training.step()
        moments = [training.optimizer.state[name] for name in grads]
        score = seen["layers.1.sums"]
        outputs = [seen["layers.0.out"].data, sigmoid(score.data)]
        blame = [seen["layers.0.sums"].grad, score.grad]
        yield Snapshot(
            loss,
            before,
            _row(grads.values()),
            _row(m for m, _ in moments),
            _row(v for _, v in moments),
            flat(training),
            np.hstack(outputs),
            np.hstack(blame),
        )


def _row(arrays) -> np.ndarray:
    return np.concatenate([a.ravel() for a in arrays])


@st.cache_resource(max_entries=16, show_spinner=False)
def compute(rate: float, seed: int) -> tuple[tuple[Snapshot, ...], float]:
    began = time.perf_counter()
    found = tuple(snapshots(rate, STEPS, seed))
    return found, time.perf_counter() - began


def view_of(found: tuple[Snapshot, ...], rate: float) -> dict:
    fields = ("before", "gradient", "first", "second", "after")
    table = np.array([[getattr(s, name) for name in fields] for s in found])  # (S, 5, P)
    neurons = np.array([[s.outputs, s.blame] for s in found])  # (S, 2, 4, H + 1)
    return {
        "table": packed(table.astype(np.float32)),
        "neurons": packed(neurons.astype(np.float32)),
        "losses": [s.loss for s in found],
        "names": NAMES,
        "steps": len(found),
        "rate": rate,
        "points": np.column_stack([POINTS.x, POINTS.label]).astype(int),
        "hidden": HIDDEN,
        "beta1": ADAM.beta1,
        "beta2": ADAM.beta2,
    }


def in_words(found: tuple[Snapshot, ...]) -> str:
    first, last = found[0], found[-1]
    i = int(np.abs(first.gradient).argmax())
    right = ((last.outputs[:, -1] > 0.5) == POINTS.label).sum()
    return (
        f"In {len(found)} steps the loss goes from {first.loss:.3f} to {last.loss:.3f}, and "
        f"{right} of the 4 points are right. The largest gradient of the first step belongs to "
        f"{NAMES[i]}: {first.gradient[i]:.3f}, so its weight goes from {first.before[i]:.3f} to "
        f"{first.after[i]:.3f}."
    ).replace(" -", " −")


@st.fragment
def training_table() -> tuple[Snapshot, ...]:
    """Draw the widget."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        rate = st.select_slider(
            "Learning rate", RATES, 0.1, key=f"{KEY}_rate", width=240, persist_state="session"
        )
        st.button("Other first weights", key=f"{KEY}_again", on_click=_again)
    seed = st.session_state.get(f"{KEY}:seed", SEED)
    found, seconds = compute(rate, seed)
    _mount(view_of(found, rate) | {"run": f"{rate} {seed}"}, key=KEY)
    chapter.mark(
        "measured",
        by="microgpt.basics.network",
        seconds=seconds,
        where=f"{STEPS} steps of Adam, {len(NAMES)} parameters, seed {seed}",
    )
    chapter.text_twin(in_words(found))
    return found


def _again() -> None:
    st.session_state[f"{KEY}:seed"] = st.session_state.get(f"{KEY}:seed", SEED) + 1
