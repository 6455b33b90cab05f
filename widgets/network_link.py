"""The playground's settings: limits, and the address that brings somebody else to the same place.

Pure. What comes from a browser or an address is forced into its limits, and what can't be used is
said in a sentence.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from microgpt.basics import datasets
from microgpt.basics.datasets import Points
from microgpt.basics.network import Settings

DATA = {
    "moons": "Two moons",
    "circles": "A disc in a ring",
    "spiral": "Spiral",
    "xor": "Four squares",
    "own": "Own points",
    "csv": "Own table",
}
ACTIVATIONS = {
    "relu": "ReLU",
    "leaky_relu": "Leaky ReLU",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "gelu": "GELU",
    "silu": "SiLU",
    "linear": "none",
}
OPTIMIZERS = {"adam": "Adam", "rmsprop": "RMSProp", "momentum": "Momentum", "sgd": "SGD"}
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
BATCHES = (1, 8, 32, 128, 1000)
PENALTIES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1)
LAYERS, NEURONS = 4, 8
COUNT, SHARE = 400, 0.5  # points of a made set, and the share that is learned from
OWN, EDITS, MOST, LAST_SEED = 200, 40, 5_000, 999_999  # points, edits, steps
EDGE = 1.25  # the picture runs from -EDGE to EDGE
FEW = 20  # own points below which none are held back
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"


@dataclass(frozen=True)
class Setup:
    """Everything that decides how a training goes."""

    data: str = "moons"
    noise: float = 0.05
    hidden: tuple[int, ...] = (8, 8)
    activation: str = "relu"
    optimizer: str = "adam"
    rate: float = 0.03
    batch: int = 32
    penalty: float = 0.0
    seed: int = 1
    own: tuple[tuple[float, float, int], ...] = ()  # x, y, label

    @property
    def settings(self) -> Settings:
        return Settings(
            hidden=self.hidden,
            activation=self.activation,
            optimizer=self.optimizer,
            rate=self.rate,
            batch=self.batch,
            penalty=self.penalty,
        )


@dataclass(frozen=True)
class Link:
    """A setup, how far it has been trained, and the weights that were set by hand on the way."""

    setup: Setup = Setup()
    step: int = 0
    edits: tuple[tuple[int, int, float], ...] = ()  # step, slot, value
    notices: tuple[str, ...] = field(default=(), compare=False)


NAMES = {  # field of the setup: its name in the address
    "data": "d",
    "noise": "n",
    "hidden": "h",
    "activation": "a",
    "optimizer": "o",
    "rate": "r",
    "batch": "b",
    "penalty": "l",
    "seed": "s",
    "own": "p",
}
ALL_NAMES = (*NAMES.values(), "t", "e")


def _hidden(text: str) -> tuple[int, ...]:
    widths = tuple(int(part) for part in text.split("-")) if text != "0" else ()
    if len(widths) > LAYERS or not all(1 <= width <= NEURONS for width in widths):
        raise ValueError
    return widths


def _number(low: float, high: float, whole: bool = False):
    def read(text: str):
        value = int(text) if whole else float(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return read


def _one_of(known):
    def read(text: str):
        for value in known:
            if text == f"{value:g}" if isinstance(value, float) else text == str(value):
                return value
        raise ValueError

    return read


def _points(text: str) -> tuple[tuple[float, float, int], ...]:
    if len(text) % 4 or len(text) > 4 * OWN:
        raise ValueError
    values = [_DIGITS.index(sign) for sign in text]
    points = []
    for a, b, c, d in zip(*(values[i::4] for i in range(4)), strict=True):
        x, y = a * 64 + b, c * 64 + d
        points.append((_place(x / 4095), _place(y % 2048 / 2047), int(y >= 2048)))
    return tuple(points)


def _place(share: float) -> float:
    return round((2 * share - 1) * EDGE, 3)


def write_points(points) -> str:
    """Points as text, four signs each."""
    signs = []
    for x, y, label in points:
        across = round((x / EDGE + 1) / 2 * 4095)
        up = round((y / EDGE + 1) / 2 * 2047) + 2048 * label
        signs += [across // 64, across % 64, up // 64, up % 64]
    return "".join(_DIGITS[sign] for sign in signs)


def _edits(text: str) -> tuple[tuple[int, int, float], ...]:
    edits = []
    for part in text.split("_"):
        step, slot, value = part.split(".")
        thousandths = -int(value[1:]) if value.startswith("n") else int(value)
        edits.append([int(step), int(slot), thousandths / 1000])
    return clean_edits(edits)


READERS = {
    "data": (_one_of(DATA), f"one of {', '.join(DATA)}"),
    "noise": (_number(0, 0.5), "a number from 0 to 0.5"),
    "hidden": (_hidden, f"0, or up to {LAYERS} widths from 1 to {NEURONS} such as 8-4"),
    "activation": (_one_of(ACTIVATIONS), f"one of {', '.join(ACTIVATIONS)}"),
    "optimizer": (_one_of(OPTIMIZERS), f"one of {', '.join(OPTIMIZERS)}"),
    "rate": (_one_of(RATES), f"one of {', '.join(f'{r:g}' for r in RATES)}"),
    "batch": (_one_of(BATCHES), f"one of {', '.join(map(str, BATCHES))}"),
    "penalty": (_one_of(PENALTIES), f"one of {', '.join(f'{p:g}' for p in PENALTIES)}"),
    "seed": (_number(0, LAST_SEED, whole=True), f"a whole number from 0 to {LAST_SEED}"),
    "own": (_points, f"at most {OWN} points of four signs each"),
}


def read_link(address: Mapping[str, str]) -> Link:
    """The place that an address asks for; what it asks in vain is said in `notices`."""
    setup, notices = Setup(), []

    def take(name: str, reader, wanted: str, fallback):
        try:
            return reader(address[name])
        except (ValueError, OverflowError):
            said = datasets.shortened(address[name])
            notices.append(f"The address says {name}={said}, but it must be {wanted}.")
            return fallback

    for name, short in NAMES.items():
        if short in address:
            setup = replace(setup, **{name: take(short, *READERS[name], getattr(setup, name))})
    step = take("t", _number(0, MOST, True), f"a step from 0 to {MOST}", 0) if "t" in address else 0
    wanted = f"up to {EDITS} edits such as 150.12.n500"
    edits = take("e", _edits, wanted, ()) if "e" in address else ()
    return Link(setup, step, edits, tuple(notices))


def write_link(link: Link) -> dict[str, str]:
    """The address of a place: only what differs from the page as it opens."""
    start, setup, parts = Setup(), link.setup, {}
    for name, short in NAMES.items():
        value = getattr(setup, name)
        if value == getattr(start, name):
            continue
        if name == "hidden":
            parts[short] = "-".join(map(str, value)) or "0"
        elif name == "own":
            parts[short] = write_points(value)
        else:
            parts[short] = f"{value:g}" if isinstance(value, float) else str(value)
    if link.step:
        parts["t"] = str(link.step)
    if link.edits:
        parts["e"] = "_".join(
            f"{step}.{slot}.{'n' if value < 0 else ''}{round(abs(value) * 1000)}"
            for step, slot, value in link.edits
        )
    return parts


def clean_edits(edits) -> tuple[tuple[int, int, float], ...]:
    """Edits as the browser sent them, in the order of their steps; nonsense is dropped."""
    kept = []
    for edit in edits if isinstance(edits, list) else ():
        try:
            step, slot, value = int(edit[0]), int(edit[1]), float(edit[2])
        except (TypeError, ValueError, IndexError, OverflowError):
            continue
        if 0 <= step <= MOST and 0 <= slot < 1000 and math.isfinite(value):
            kept.append((step, slot, min(20.0, max(-20.0, round(value, 3)))))
    return tuple(sorted(kept[:EDITS], key=lambda edit: edit[0]))


def clean_own(points) -> tuple[tuple[float, float, int], ...]:
    """Clicked points as the browser sent them; what is no point in the picture is dropped."""
    kept = []
    for point in points if isinstance(points, list) else ():
        try:
            x, y, label = float(point[0]), float(point[1]), int(point[2])
        except (TypeError, ValueError, IndexError, OverflowError):
            continue
        if abs(x) <= EDGE and abs(y) <= EDGE and label in (0, 1):
            kept.append((x, y, label))
    # Through the address and back, so that a link opens exactly the same points.
    return _points(write_points(kept[:OWN]))


def rounded(table: Points) -> tuple[tuple[float, float, int], ...]:
    """The points of a table, scaled, as exactly as the address can hold them."""
    rows = np.column_stack([datasets.fit(table.x), table.label])
    return _points(write_points([(x, y, int(label)) for x, y, label in rows]))


def points_of(setup: Setup, table: Points | None) -> tuple[Points, Points]:
    """What is learned from, and what is held back to test with (none of few own points)."""
    rng = np.random.default_rng(setup.seed)
    if setup.data in datasets.SETS:
        points = datasets.make(setup.data, COUNT, setup.noise, rng)
    elif table is not None:
        points = Points(datasets.fit(table.x), table.label)
    else:
        rows = np.array(setup.own, dtype=float).reshape(-1, 3)
        points = Points(rows[:, :2], rows[:, 2].astype(int))
    if len(points) < FEW:
        return points, points[:0]
    return datasets.split(points, SHARE, rng)
