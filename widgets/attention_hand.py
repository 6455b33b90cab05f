"""One head by hand: a query, three keys, three values, and the same sums as in any model. Pure."""

import math
from dataclasses import dataclass

import numpy as np

from microgpt.autograd import ops

NAMES = ("cat", "mat", "because")
START = {"q": [1.2, 0.8], "k": [[1.7, -0.3], [0.1, 1.4], [-1.0, -0.8]], "v": [10.0, -4.0, 1.0]}
REACH, MOST_VALUE = 2.0, 99.0  # how far an arrow goes; how large a value may be


@dataclass(frozen=True)
class Hand:
    """Vectors as the reader left them, and what the engine makes of them."""

    query: tuple[float, float]
    keys: tuple[tuple[float, float], ...]
    values: tuple[float, ...]
    scores: tuple[float, ...]
    weights: tuple[float, ...]
    mixed: float


def clamp(vectors) -> dict:
    """Vectors as the browser sent them, forced into the plane; nonsense becomes the start."""
    given = vectors if isinstance(vectors, dict) else {}

    def number(value, default, most):
        usable = isinstance(value, int | float) and not isinstance(value, bool)
        if not usable or not math.isfinite(value):
            return default
        return float(min(most, max(-most, value)))

    def numbers(values, defaults, most):
        values = values if isinstance(values, list) and len(values) == len(defaults) else defaults
        return [number(v, d, most) for v, d in zip(values, defaults, strict=True)]

    keys = given.get("k")
    keys = keys if isinstance(keys, list) and len(keys) == len(NAMES) else START["k"]
    return {
        "q": numbers(given.get("q"), START["q"], REACH),
        "k": [numbers(key, start, REACH) for key, start in zip(keys, START["k"], strict=True)],
        "v": numbers(given.get("v"), START["v"], MOST_VALUE),
    }


def compute(vectors: dict) -> Hand:
    """One query against three keys with the engine's own operations."""
    q = np.array(vectors["q"], np.float64).reshape(1, 1, 1, 2)
    k = np.array(vectors["k"], np.float64).reshape(1, len(NAMES), 1, 2)
    v = np.array(vectors["v"], np.float64).reshape(1, len(NAMES), 1, 1)
    scores = ops.attention_scores(q, k)
    weights = ops.causal_softmax(scores)
    mixed = ops.attention_mix(weights, v)
    return Hand(
        tuple(vectors["q"]), tuple(map(tuple, vectors["k"])), tuple(vectors["v"]),
        tuple(scores.ravel().tolist()), tuple(weights.ravel().tolist()), float(mixed.item()),
    )  # fmt: skip


def in_words(hand: Hand) -> str:
    rows = [
        f"“{name}”: key ({k[0]:.2f}, {k[1]:.2f}), score {score:.2f}, weight {100 * weight:.1f} %, "
        f"value {value:g}"
        for name, k, score, weight, value in zip(
            NAMES, hand.keys, hand.scores, hand.weights, hand.values, strict=True
        )
    ]
    return (
        f"The query is ({hand.query[0]:.2f}, {hand.query[1]:.2f}). " + "; ".join(rows)
        + f". The weights add up to {100 * sum(hand.weights):.0f} %, and the mix of the values is "
        f"{hand.mixed:.2f}."
    )  # fmt: skip
