"""What the arcs show: shares of attention in whole percent, for every head, for one text. Pure."""

import time
from dataclasses import dataclass

import numpy as np

from microgpt.insight.answers import answer_heads
from microgpt.insight.heads import attention_weights
from microgpt.tokens.chat import begin_of
from microgpt.training.parallel import single_threaded_blas
from widgets.components import packed

MOST_TOKENS = 64  # that are drawn
LONGEST = 1_000  # characters of a text
PRESETS = (  # the page opens with the first
    "Ann is a cook and Tom is a pilot. She works at the",
    "The cat sat on the mat because it was tired",
    "The curious cat quickly jumped over the lazy dog.",
    "The cat moon door rice king bell cat moon",
    "The capital of France is",
)


@dataclass(frozen=True, eq=False)
class View:
    """Every head's attention over one text.

    `shares` (R, T (T + 1) / 2) holds whole percentages, one row of numbers for each token and
    what it may see: R = L (H + 1) + 1, the heads of a layer, then their average, and at the very
    end the average of all. Each token's add up to 100.
    """

    text: str
    ids: tuple[int, ...]
    names: tuple[str, ...]
    layers: int
    heads: int
    shares: np.ndarray
    notices: tuple[str, ...]
    seconds: float

    def row(self, layer: int, head: int, query: int) -> np.ndarray:  # -> (query + 1,)
        """Percentages of one token; head H is the average of its layer, layer L that of all."""
        which = self.layers * (self.heads + 1)
        if layer < self.layers:
            which = layer * (self.heads + 1) + head
        first = query * (query + 1) // 2
        return self.shares[which, first : first + query + 1]


def percentages(weights):  # (..., T) that add up to 1 -> (..., T) uint8 that add up to 100
    """Whole percentages that add up to 100: rounded down, then the largest remainders get the
    rest. A row of zeros (a token that looks nowhere) stays one."""
    exact = weights.astype(np.float64) * 100
    whole = np.floor(exact + 1e-9)
    missing = np.rint(exact.sum(-1)) - whole.sum(-1)
    order = np.argsort(-(exact - whole), axis=-1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(weights.shape[-1]), -1)
    return (whole + (rank < missing[..., None])).astype(np.uint8)


def compute(model, text: str) -> View:
    """Read a text (its first 64 tokens, the one that begins it among them) and look into every
    head."""
    notices, began = [], time.perf_counter()
    if len(text) > LONGEST:
        notices.append(f"The text has {len(text):,} characters; only the first {LONGEST:,} count.")
        text = text[:LONGEST]
    ids = [begin_of(model.tokenizer), *model.tokenizer.encode(text)]
    most = min(MOST_TOKENS, model.config.context)
    if len(ids) > most:
        notices.append(
            f"Your text has {len(ids):,} tokens, the one that begins it among them. The first "
            f"{most} are shown; what comes later changes nothing about them."
        )
        ids = ids[:most]
    with single_threaded_blas():
        weights, _ = attention_weights(model, np.array([ids]))
    shares = triangles(percentages(with_averages(weights[0])))
    names = tuple(model.tokenizer.name_of(i) for i in ids)
    return View(
        text, tuple(ids), names, model.config.layers, model.config.heads, shares, tuple(notices),
        time.perf_counter() - began,
    )  # fmt: skip


def with_averages(weights):  # (L, H, T, T) -> (L (H + 1) + 1, T, T)
    """Every head, each layer's average behind its heads, and the average of all at the end."""
    L, H, T, _ = weights.shape
    means = weights.mean(1, keepdims=True, dtype=np.float64)
    each = np.concatenate([weights, means], axis=1).reshape(L * (H + 1), T, T)
    return np.concatenate([each, means.mean(0)])


def triangles(square):  # (R, T, T) -> (R, T (T + 1) / 2)
    """The part of each matrix that the mask leaves, row after row."""
    rows, columns = np.tril_indices(square.shape[-1])
    return np.ascontiguousarray(square[:, rows, columns])


def as_data(view: View) -> dict:
    """The view as it is sent to the browser."""
    return {
        "text": view.text,
        "names": view.names,
        "layers": view.layers,
        "heads": view.heads,
        "shares": packed(view.shares),
        "notices": view.notices,
        "longest": LONGEST,
        "presets": PRESETS,
    }


def clamp(choice, view: View, start: dict) -> dict[str, int]:
    """What the browser says was chosen, forced into what there is; `start` where it says nothing.

    A query of -1 is the last token; a key of -1 the one that the query looks at most.
    """
    given = choice if isinstance(choice, dict) else {}
    most = {"layer": view.layers, "head": view.heads, "query": len(view.ids) - 1,
            "key": len(view.ids) - 1}  # fmt: skip
    clean = {}
    for name, top in most.items():
        value = given.get(name)
        usable = isinstance(value, int) and not isinstance(value, bool)
        clean[name] = min(top, max(-1, value)) if usable else min(start[name], top)
    clean["layer"], clean["head"] = max(0, clean["layer"]), max(0, clean["head"])
    clean["query"] = most["query"] if clean["query"] < 0 else clean["query"]
    if not 0 <= clean["key"] <= clean["query"]:
        row = view.row(clean["layer"], clean["head"], clean["query"])
        clean["key"] = int(row.argmax())
    return clean


def opening(model, sentences: int = 50) -> dict[str, int]:
    """The head with which the page opens: the one that looks at the job that is asked for."""
    with single_threaded_blas():
        layer, head = answer_heads(model, "coreference_job", sentences)[0]
    return {"layer": layer, "head": head, "query": -1, "key": -1}


def place(view: View, layer: int, head: int) -> str:
    """What is looked at, in words: "layer 3, head 4", counted from 1."""
    if layer >= view.layers:
        return f"all {view.layers * view.heads} heads, averaged"
    if head >= view.heads:
        return f"layer {layer + 1}, its {view.heads} heads averaged"
    return f"layer {layer + 1}, head {head + 1}"


def in_words(view: View, choice: dict[str, int]) -> str:
    """The text twin: where the chosen token looks, and the strongest looks of all tokens."""
    layer, head, query = choice["layer"], choice["head"], choice["query"]
    row = view.row(layer, head, query)
    order = np.argsort(-row.astype(int), kind="stable")
    parts = [f"“{view.names[j]}” (token {j + 1}) {row[j]} %" for j in order if row[j]]
    text = (
        f"In {place(view, layer, head)}, token {query + 1}, “{view.names[query]}”, looks at "
        f"{', '.join(parts)}. That makes {int(row.sum())} %."
    )
    later = len(view.ids) - 1 - query
    if later:
        text += f" It can't see the {later} {'token' if later == 1 else 'tokens'} after it."
    best = [(int(r.max()), q, int(r.argmax())) for q in range(1, len(view.ids))
            for r in [view.row(layer, head, q)]]  # fmt: skip
    if best:
        share, q, k = max(best)
        text += (
            f" The strongest look in this head is from “{view.names[q]}” (token {q + 1}) to "
            f"“{view.names[k]}” (token {k + 1}), {share} %."
        )
    return text
