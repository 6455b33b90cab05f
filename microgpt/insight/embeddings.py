"""What the rows of the embedding table know: neighbors, directions, a map, and what layers add."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from microgpt.decoding.decoders import weights_of
from microgpt.model.trace import trace


def unit_rows(table):  # (N, C) -> (N, C)
    """Each row divided by its length; a row of zeros stays one."""
    lengths = np.sqrt((table * table).sum(-1, keepdims=True))
    return table / np.where(lengths == 0, 1, lengths)


def cosine(x, y):  # (..., C), (..., C) -> (...)
    """How far two vectors point the same way: 1 the same, 0 at a right angle, -1 opposite."""
    return (unit_rows(x) * unit_rows(y)).sum(-1)


def neighbors(table, vector, count, without: Collection[int] = ()):  # (N, C), (C,)
    """The `count` rows that point most like `vector`: (row numbers, cosines), the nearest first.

    Rows in `without` are passed over. Among equals the smaller number comes first.
    """
    likeness = cosine(table, vector).astype(np.float64)
    likeness[list(without)] = -np.inf
    best = np.argsort(-likeness, kind="stable")[: min(count, len(table) - len(without))]
    return best, likeness[best]


def analogy(table, a: int, b: int, c: int, count: int = 5):
    """What is to c as a is to b: the rows nearest to a - b + c (Mikolov et al. 2013), as
    `neighbors`. The three themselves are passed over: most often the nearest row is one of
    them."""
    return neighbors(table, table[a] - table[b] + table[c], count, {a, b, c})


def principal_axes(table, count: int, rounds: int = 500):  # (N, C) -> (count, C), (count,), ()
    """The directions in which the rows differ most, the variance along each, and in all.

    Principal component analysis (Pearson 1901) by orthogonal iteration: multiply some
    directions by the covariance again and again; what is longest in it wins, and keeping them
    at right angles makes the second find the next. The sign of an axis means nothing: the
    largest entry is made positive.
    """
    centered = table.astype(np.float64) - table.mean(0, dtype=np.float64)
    covariance = centered.T @ centered / len(table)  # (C, C)
    widest = np.argsort(-np.diag(covariance), kind="stable")[: count + 4]
    axes = covariance[:, widest]  # a start that is no accident; 4 more converge faster
    for _ in range(rounds):
        before = axes
        axes = orthonormal(covariance @ axes)
        if np.abs(np.abs((before * axes).sum(0)[:count]) - 1).max() < 1e-12:
            break
    axes = axes[:, :count].T
    axes = axes * np.sign(axes[np.arange(count), np.abs(axes).argmax(1)])[:, None]
    return axes, ((axes @ covariance) * axes).sum(1), float(np.trace(covariance))


def orthonormal(columns):  # (C, K) -> (C, K)
    """Gram-Schmidt: from each column take away what the columns before it hold, then scale to 1."""
    done = np.zeros_like(columns)
    for k in range(columns.shape[1]):
        column = columns[:, k]
        for _ in range(2):  # once more, for what rounding left
            column = column - done @ (done.T @ column)
        done[:, k] = column / np.sqrt(column @ column)
    return done


@dataclass(frozen=True)
class Journey:
    """One token's vector before the first layer and after each: (L + 1, C)."""

    tokens: tuple[int, ...]
    place: int
    states: np.ndarray


def journey(model, tokens, place: int) -> Journey:
    """The residual stream at one place of a text, layer by layer."""
    values = trace(weights_of(model), np.array([tokens]), model.config)
    layers = range(model.config.layers)
    stream = [values["embedding"], *(values[f"blocks.{i}.residual"] for i in layers)]
    return Journey(tuple(tokens), place, np.stack([x[0, place] for x in stream]))


def apart(one: Journey, other: Journey):  # -> (L + 1,)
    """Cosine of two tokens' vectors before the first layer and after each."""
    return cosine(one.states, other.states)
