"""One arc down to its last multiplication: q . k, / sqrt(D), mask, softmax, x v. Pure.

Some numbers can be left blank for the reader to work out; they are marked against the engine's.
"""

import math
import time
from dataclasses import dataclass

import numpy as np

from microgpt.decoding.decoders import weights_of
from microgpt.model.gpt import gpt
from microgpt.training.parallel import single_threaded_blas
from widgets.components import packed

LEVELS = (0, 1, 3)  # how many numbers are left blank


@dataclass(frozen=True, eq=False)
class Arc:
    """One query against all keys that it may see, in one head; `key` is the one looked at.

    `query_vector` (D,), `keys` and `values` (query + 1, D), turned by their positions where the
    model does that; `scores` and `weights` (query + 1,), `mixed` (D,): all as the engine has them.
    """

    layer: int
    head: int
    query: int
    key: int
    tokens: int
    query_vector: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    mixed: np.ndarray
    turned: bool
    seconds: float

    @property
    def size(self) -> int:
        return len(self.query_vector)

    @property
    def products(self) -> np.ndarray:  # -> (D,)
        return self.query_vector * self.keys[self.key]

    @property
    def largest(self) -> int:
        """The place whose product is largest in size: the one that is left blank."""
        return int(np.abs(self.products).argmax())


def compute(model, ids, layer: int, head: int, query: int, key: int) -> Arc:
    """Run the model over a text and keep what one head did for one query."""
    config, found, began = model.config, {}, time.perf_counter()
    prefix = f"blocks.{layer}.attention."

    def record(name, value):
        if name.startswith(prefix):
            found[name.removeprefix(prefix)] = value[0]

    with single_threaded_blas():
        gpt(weights_of(model), np.array([ids]), config, record=record, head=False)
    turned = config.positions == "rope"
    q, k = (found[part + ("_rotated" if turned else "")] for part in ("query", "key"))
    group, seen = head // (config.heads // config.kv_heads), slice(0, query + 1)
    mixed = found["mixed"].reshape(len(ids), config.heads, -1)
    return Arc(
        layer, head, query, key, len(ids), q[query, head], k[seen, group],
        found["value"][seen, group], found["scores"][head, query, seen],
        found["weights"][head, query, seen], mixed[query, head], turned,
        time.perf_counter() - began,
    )  # fmt: skip


def clamp(work, tokens: int) -> dict:
    """What the browser says about the work on this arc, forced into what there is."""
    given = work if isinstance(work, dict) else {}

    def whole(name, default):
        value = given.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    level = whole("level", 0)
    answers = given.get("answers")
    answers = answers if isinstance(answers, dict) else {}
    clean = {
        name: float(value) for name, value in answers.items()
        if name in ("product", "scaled", "power", "part")
        and isinstance(value, int | float) and math.isfinite(value)
    }  # fmt: skip
    return {
        "key": min(max(whole("key", -1), -1), tokens - 1),
        "level": level if level in LEVELS else 0,
        "channel": max(0, whole("channel", 0)),
        "answers": clean,
    }


def blanks(arc: Arc, level: int, channel: int) -> dict[str, tuple[float, float]]:
    """The numbers left out, by name: the right answer, and how far off a rounded sum may be.

    The reader works from numbers of two or three decimals; that much is forgiven.
    """
    i, j = arc.largest, arc.key
    q, k = float(arc.query_vector[i]), float(arc.keys[j, i])
    if level == 1:
        return {"product": (q * k, 0.005 * (abs(q) + abs(k)) + 0.006)}
    if level == 3:
        power = math.exp(float(arc.scores[j] - arc.scores.max()))
        weight, value = float(arc.weights[j]), float(arc.values[j, channel])
        return {
            "scaled": (float(arc.scores[j]), 0.011),
            "power": (power, 0.0115 * power + 0.0006),
            "part": (weight * value, 0.006 * weight + 0.0006 * abs(value) + 0.006),
        }
    return {}


def marks(arc: Arc, work: dict, channel: int) -> dict[str, bool]:
    """Which of the reader's answers are right."""
    asked = blanks(arc, work["level"], channel)
    return {
        name: abs(work["answers"][name] - right) <= tolerance
        for name, (right, tolerance) in asked.items()
        if name in work["answers"]
    }


def as_data(arc: Arc, names, work: dict) -> dict:
    """The arc as it is sent to the browser."""
    channel = min(work["channel"], arc.size - 1)
    return {
        "names": names,
        "place": [arc.layer, arc.head, arc.query, arc.key],
        "q": packed(arc.query_vector.astype(np.float32)),
        "keys": packed(arc.keys.astype(np.float32)),
        "values": packed(arc.values.astype(np.float32)),
        "scores": packed(arc.scores.astype(np.float32)),
        "weights": packed(arc.weights.astype(np.float32)),
        "mixed": packed(arc.mixed.astype(np.float32)),
        "largest": arc.largest,
        "channel": channel,
        "level": work["level"],
        "blanks": list(blanks(arc, work["level"], channel)),
        "marks": marks(arc, work, channel),
        "answers": work["answers"],
        "turned": arc.turned,
    }


def in_words(arc: Arc, names) -> str:
    """The text twin: the whole way from the two vectors to the mix."""
    dot, score = float(arc.products.sum()), float(arc.scores[arc.key])
    later = arc.tokens - 1 - arc.query
    mask = f" The {later} later tokens get −∞ instead." if later else ""
    return (
        f"The query of “{names[arc.query]}” and the key of “{names[arc.key]}” have {arc.size} "
        f"numbers each. Multiplied place by place and added up they give {dot:.2f}; divided by "
        f"√{arc.size} = {math.sqrt(arc.size):.2f} that is {score:.2f}.{mask} Among the "
        f"{len(arc.scores)} scores, from {arc.scores.min():.2f} to {arc.scores.max():.2f}, the "
        f"softmax turns it into {arc.weights[arc.key]:.3f}. So much of the value of "
        f"“{names[arc.key]}” goes into the {arc.size} numbers that this head hands on, which "
        f"range from {arc.mixed.min():.2f} to {arc.mixed.max():.2f}."
    )
