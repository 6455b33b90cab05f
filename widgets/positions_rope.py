"""RoPE as clocks: each pair of numbers turns with the position, and only the distance counts."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.autograd import ops
from microgpt.model.positions import rope_table
from microgpt.model.trace import trace
from widgets import chapter, prose
from widgets.components import component, packed
from widgets.embeddings_senses import encode

KEY = "positions_rope"
TEXT = "The dog bites the man"
MOST = 64  # positions the clocks can be turned to
LONGEST = 200

_mount = component(KEY)


@dataclass(frozen=True)
class Clocks:
    """One query and one key before any turn, and what they score at every distance."""

    query: np.ndarray  # (D,) half-split: pair j is (query[j], query[j + D/2])
    key: np.ndarray  # (D,)
    angles: np.ndarray  # (D/2,) radians a position
    shares: np.ndarray  # (2 MOST - 1, D/2) each pair's part of the score, distance -MOST+1 first
    at: tuple[int, int]  # where the two stand in the text
    names: tuple[str, str]
    spread: float  # the largest difference between scores at one distance, over all positions
    seconds: float


def compute(model, text: str, layer: int, head: int) -> Clocks:
    """Take query and key of the last token and the one before the last of its kind from a pass.

    ValueError for a model without RoPE, or a text with fewer than two tokens or too many.
    """
    config, began = model.config, time.perf_counter()
    if config.positions != "rope":
        raise ValueError(f"{model.name} has no RoPE: its positions are {config.positions}.")
    ids = encode(model, text)
    if not 2 <= len(ids) <= min(config.context, MOST):
        raise ValueError(f"The text has {len(ids)} tokens; from 2 to {MOST} can be shown here.")
    values = trace(model.params, np.array([ids]), config)
    n = len(ids) - 1
    name = f"blocks.{layer}.attention"
    weights = values[f"{name}.weights"][0, head, n, :n]
    m = int(weights.argmax())  # the token this head looks at most, but itself
    q = values[f"{name}.query"][0, n, head]
    k = values[f"{name}.key"][0, m, head * config.kv_heads // config.heads]
    shares, spread = by_distance(q, k, config)
    angles = config.rope_base ** (-np.arange(0, config.head_size, 2) / config.head_size)
    names = tuple(model.tokenizer.name_of(ids[i]) for i in (n, m))
    return Clocks(q, k, angles, shares, (n, m), names, spread, time.perf_counter() - began)


def by_distance(q, k, config) -> tuple[np.ndarray, float]:
    """Each pair's share of q . k / sqrt(D) for every distance of query and key, turned by the
    engine; and how much one distance's score varies over all positions that have it."""
    length = min(MOST, config.context)
    cos, sin = rope_table(0, length, config)
    queries, keys = (
        ops.rotate(np.broadcast_to(x, (1, length, 1, len(x))), cos, sin)[0, :, 0] for x in (q, k)
    )
    half, scale = len(q) // 2, 1 / np.sqrt(len(q))
    products = queries[:, None] * keys[None] * scale  # (query, key, D)
    pairs = products[..., :half] + products[..., half:]
    totals = pairs.sum(-1)
    lines = [np.diagonal(totals, -d) for d in range(1 - length, length)]
    spread = max(float(line.max() - line.min()) for line in lines)
    shares = np.stack([pairs[max(d, 0), max(-d, 0)] for d in range(1 - length, length)])
    return shares, spread


def view_of(found: Clocks) -> dict:
    half = len(found.angles)
    return {
        "query": [[float(found.query[j]), float(found.query[j + half])] for j in range(half)],
        "key": [[float(found.key[j]), float(found.key[j + half])] for j in range(half)],
        "angles": found.angles,
        "shares": packed(found.shares.astype(np.float32)),
        "most": (len(found.shares) + 1) // 2,
        "at": found.at,
        "names": found.names,
    }


def score_at(found: Clocks, distance: int) -> float:
    """The score when the query stands `distance` places after the key."""
    return float(found.shares[distance + len(found.shares) // 2].sum())


def in_words(found: Clocks) -> str:
    totals = found.shares.sum(-1)
    middle = len(totals) // 2
    here = found.at[0] - found.at[1]
    q, k = (prose.literal(name) for name in found.names)
    return (
        f"{len(found.angles)} clocks. The hands of {q}, the query, and {k}, the key, turn "
        f"{found.angles[0]:.2f} radians a position on the first and {found.angles[-1]:.5f} on the "
        f"last. In the text they stand {here} apart and score {score_at(found, here):.2f}. Over "
        f"distances from 0 to {middle} the score goes from {totals[middle:].min():.2f} to "
        f"{totals[middle:].max():.2f}. Over all positions, the score of one distance varies by "
        f"{found.spread:.0e}."
    ).replace(" -", " −").replace("e-", "e−")


def clocks(model) -> Clocks | None:
    """Draw the controls and the clocks; returns what is shown."""
    st.session_state.setdefault("tokens_rope_text", TEXT)
    left, middle, right = st.columns([3, 1, 1], vertical_alignment="bottom")
    text = left.text_input("A text; its last token asks", key="tokens_rope_text",
                           max_chars=LONGEST, persist_state="session")  # fmt: skip
    layer = middle.number_input("Layer", 1, model.config.layers, min(2, model.config.layers),
                                key="tokens_rope_layer", persist_state="session")  # fmt: skip
    head = right.number_input("Head", 1, model.config.heads, 1, key="tokens_rope_head",
                              persist_state="session")  # fmt: skip
    try:
        found = compute(model, text, int(layer) - 1, int(head) - 1)
    except ValueError as problem:
        st.warning(prose.literal(str(problem)))
        return None
    _mount(view_of(found) | {"shown": f"{model.name} {text} {layer} {head}"}, key=KEY)
    chapter.mark("computed", by=model.name, where=f"layer {layer}, head {head}",
                 seconds=found.seconds)  # fmt: skip
    chapter.text_twin(in_words(found))
    return found
