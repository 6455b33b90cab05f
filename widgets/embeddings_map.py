"""The embedding table to look at: one row, its neighbors, and a map of all rows."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.insight import embeddings, words
from widgets import chapter, components, engine, prose
from widgets.components import component, packed
from widgets.tokens_text import name_of

KEY = "embeddings_map"
FIRST = 8_000  # tokens of a larger vocabulary that are on the map of all
NEAREST = 8
START = "king"  # the token that is chosen as the page opens
MAPS = {"Words in groups": "groups", "All tokens": "all"}

_mount = component(KEY, states={"token": None})


@dataclass(frozen=True)
class Map:
    """Rows of the table on the two directions in which they differ most."""

    tokens: np.ndarray  # (N,) ids
    places: np.ndarray  # (N, 2)
    groups: tuple[str, ...]  # (N,) "" for a token without a group
    shares: np.ndarray  # (2,) of the variance
    purity: float | None  # share of the tokens whose nearest among them is of their own group
    chance: float | None  # the same share if the nearest were any other of them
    seconds: float


def table_of(model) -> np.ndarray:  # -> (V, C)
    """The table, once for everybody: a large model unpacks it at every look-up."""
    return _table(model.name, model.card.get("sha256", ""))


@st.cache_resource(max_entries=3, show_spinner=False)
def _table(name: str, sha256: str) -> np.ndarray:
    return engine.load(name).params["model.embed_tokens.weight"]


def names_of(model) -> tuple[str, ...]:
    """Every token as it is shown."""
    return _names(model.name, model.card.get("sha256", ""))


@st.cache_resource(max_entries=8, show_spinner=False)
def _names(name: str, sha256: str) -> tuple[str, ...]:
    return tuple(name_of(data) for data in engine.load(name).tokenizer.tokens)


def tokens_of(model, kind: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The ids on a map, and the group of each."""
    if kind == "groups":
        found = words.grouped_tokens(model.tokenizer)
        return np.array([token for token, _ in found]), tuple(group for _, group in found)
    groups = dict(words.grouped_tokens(model.tokenizer))
    ids = np.arange(min(model.tokenizer.vocab_size, FIRST))
    return ids, tuple(groups.get(int(i), "") for i in ids)


@st.cache_resource(max_entries=8, show_spinner="Finding the directions ...")
def compute(name: str, sha256: str, kind: str) -> Map:
    """Principal components of the chosen rows, and how often like is next to like."""
    model, began = engine.load(name), time.perf_counter()
    tokens, groups = tokens_of(model, kind)
    rows = table_of(model)[tokens]
    axes, variance, total = embeddings.principal_axes(rows, 2)
    places = (rows - rows.mean(0)) @ axes.T.astype(np.float32)
    purity = chance = None
    if kind == "groups":
        likeness = embeddings.unit_rows(rows) @ embeddings.unit_rows(rows).T
        np.fill_diagonal(likeness, -2)
        kinds = np.array(groups)
        purity = float((kinds[likeness.argmax(1)] == kinds).mean())
        same = (kinds[:, None] == kinds).sum() - len(kinds)
        chance = float(same / (len(kinds) * (len(kinds) - 1)))
    seconds = time.perf_counter() - began
    shares = variance / total
    return Map(tokens, places.astype(np.float32), groups, shares, purity, chance, seconds)


def map_of(model, kind: str) -> Map:
    return compute(model.name, model.card.get("sha256", ""), kind)


def chosen(model, state) -> int:
    """The token the browser asks for, if it exists; else the one the page opens with."""
    last = model.tokenizer.vocab_size - 1
    if isinstance(state, int | float) and 0 <= state <= last and state == int(state):
        return int(state)
    return words.single_token(model.tokenizer, START) or min(256, last)


def view_of(model, drawn: Map, token: int) -> dict:
    """The map, and the row and neighbors of one token."""
    names, table = names_of(model), table_of(model)[: model.tokenizer.vocab_size]
    kinds = sorted(set(drawn.groups) - {""})
    near, likeness = embeddings.neighbors(table, table[token], NEAREST, {token})
    return {
        "places": packed(drawn.places),
        "tokens": packed(drawn.tokens.astype(np.int32)),
        "groups": packed(np.array([kinds.index(g) if g else 255 for g in drawn.groups], np.uint8)),
        "kinds": kinds,
        "names": list(names[:20_000]),
        "last": len(names) - 1,
        "token": token,
        "name": names[token],
        "row": packed(table[token]),
        "neighbors": [{"id": int(i), "name": names[i], "cosine": round(float(c), 4)}
                      for i, c in zip(near, likeness, strict=True)],
    }  # fmt: skip


def in_words(view: dict, drawn: Map) -> str:
    near = ", ".join(f"{prose.literal(n['name'])} {n['cosine']:.2f}" for n in view["neighbors"])
    extra = ""
    if drawn.purity is not None:
        extra = (f" Of these words {100 * drawn.purity:.0f} % have a nearest neighbor of their "
                 "own group.")  # fmt: skip
    return (
        f"A map of {len(drawn.tokens):,} rows. Its first direction holds "
        f"{100 * drawn.shares[0]:.1f} % of all differences between them, its second "
        f"{100 * drawn.shares[1]:.1f} %. Nearest to {prose.literal(view['name'])}, by cosine, "
        f"falling: {near}.{extra}"
    ).replace(" -", " −")


@dataclass(frozen=True)
class Shown:
    """What the prose beside the map speaks of."""

    map: Map
    token: int
    view: dict


def explore(model) -> Shown:
    """Draw the map with its search, the row, and the neighbors."""
    kind = st.segmented_control("Map", list(MAPS), default=next(iter(MAPS)), required=True,
                                key="tokens_map_kind", persist_state="session",
                                bind="query-params")  # fmt: skip
    drawn = map_of(model, MAPS[kind])
    token = chosen(model, components.state_of(KEY, "token", None))
    began = time.perf_counter()
    view = view_of(model, drawn, token)
    seconds = time.perf_counter() - began
    _mount(view | {"shown": f"{model.name} {kind}"}, key=KEY)
    chapter.mark("computed", by=model.name, where=f"its own table of {len(view['names']):,} × "
                 f"{model.config.width} numbers", seconds=seconds)  # fmt: skip
    chapter.text_twin(in_words(view, drawn))
    return Shown(drawn, token, view)
