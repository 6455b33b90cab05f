"""One number of a forward pass, where it stands, and what a sum behind it consists of."""

from dataclasses import dataclass, field

import numpy as np

from microgpt.autograd import ops
from microgpt.model.gpt import gpt

BEFORE, PROBABILITIES = "before", "probabilities"
OUTSIDE = ("embedding", "positions", "norm", "logits")


@dataclass(frozen=True)
class Source:
    """Where factors stand: rows and columns (from, up to) of a tensor of the pass, or of a weight
    matrix (`weight`)."""

    name: str
    rows: tuple[int, int]
    columns: tuple[int, int]
    weight: bool = False


@dataclass(frozen=True, eq=False)
class Cell:
    """How one number came about: the sum of `left * right`, then the `steps` that follow.

    `left` and `right` (N,) are empty where nothing is added up. `counts` says what the terms are:
    "channel", "unit", "token", "pair", "vocabulary" or "part". The last step is the number itself,
    as worked out here (`made`); `value` is what the model had.
    """

    name: str
    row: int
    column: int
    value: float
    formula: str
    steps: tuple[tuple[str, float], ...]
    counts: str = "channel"
    left: np.ndarray = field(default_factory=lambda: np.zeros(0))
    right: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sources: tuple[Source, ...] = ()

    @property
    def made(self) -> float:
        return self.steps[-1][1]

    @property
    def terms(self) -> np.ndarray:  # -> (N,)
        return self.left * self.right


def values_of(model, ids, layer: int | None = None) -> dict[str, np.ndarray]:
    """What one pass over a text computes in one layer, or outside of all layers (None).

    Names as in `trace.TRACE`, without the batch; "before" is the stream that the layer, or the
    last norm, reads, and "probabilities" the softmax of the logits.
    """
    config, found = model.config, {}
    wanted = OUTSIDE if layer is None else (f"blocks.{layer}.",)
    before = (config.layers if layer is None else layer) - 1

    def record(name, value):
        if name.startswith(wanted):
            found[name] = value[0]
        if name == f"blocks.{before}.residual" or (before < 0 and name == "embedding"):
            found[BEFORE] = value[0]
        elif before < 0 and name == "positions":
            found[BEFORE] = found[BEFORE] + value[0]

    gpt(model.params, np.array([ids]), config, record, head=layer is None)
    if layer is None:
        found[PROBABILITIES] = ops.softmax(found["logits"])
    return found


def flat(name: str, value):  # (T, C), (T, H, D) or (H, T, S) -> (T, columns)
    """A tensor as a table: one row a token, heads side by side."""
    if value.ndim == 3 and name.endswith(("scores", "weights")):
        value = value.transpose(1, 0, 2)
    return value.reshape(len(value) if value.ndim < 3 else value.shape[0], -1)


@dataclass(frozen=True, eq=False)
class Place:
    """One cell of one pass, and all that its sum may need."""

    model: object
    ids: tuple
    values: dict
    name: str
    row: int
    column: int

    @property
    def config(self):
        return self.model.config

    @property
    def part(self) -> str:
        return self.name.split(".", 2)[2] if self.name.startswith("blocks.") else self.name

    @property
    def prefix(self) -> str:
        return ".".join(self.name.split(".")[:2]) + "."

    @property
    def weights_prefix(self) -> str:
        return f"model.layers.{self.name.split('.')[1]}."

    def value(self, part: str):
        """A value of the same layer in float64, as it is recorded."""
        return self.values[self.prefix + part].astype(np.float64)

    def full(self, part: str) -> str:
        return self.prefix + part

    def weight_row(self, name: str, row):
        return np.asarray(self.model.params[name][row], np.float64)

    def cell(self, formula: str, steps, **more) -> Cell:
        own = flat(self.name, self.values[self.name])[self.row, self.column]
        return Cell(self.name, self.row, self.column, float(own), formula,
                    tuple((words, float(x)) for words, x in steps), **more)  # fmt: skip
