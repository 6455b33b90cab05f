"""What the map of a whole model shows: its stations, the tensors of one, the numbers of one. Pure.

A tensor is a table with one row a token. Only what is opened is sent: pictures of the tensors are
small, and a wide table comes a window of columns at a time.
"""

import time
from dataclasses import dataclass

import numpy as np

from microgpt.insight.cells import BEFORE, PROBABILITIES, flat, values_of
from microgpt.model.gpt import gpt, head_name
from microgpt.model.trace import entry, names
from microgpt.tokens.chat import begin_of
from microgpt.training.parallel import single_threaded_blas
from widgets.attention_view import LONGEST, MOST_TOKENS, PRESETS
from widgets.components import packed
from widgets.press_enter_insides import token_name
from widgets.transformer_names import (
    COLOR,
    IN,
    LABELS,
    OUT,
    group_of,
    part_of,
    station_name,
    title,
)  # fmt: skip

WINDOW = 576  # columns of a table that are sent at a time
THUMB = 48  # columns of a small picture
HIDDEN = np.float32(-3e38)  # stands for minus infinity, which a browser can't be sent

@dataclass(frozen=True, eq=False)
class Text:
    """A text as the model reads it, and what its stream looked like after every station."""

    text: str
    ids: tuple[int, ...]
    names: tuple[str, ...]
    streams: np.ndarray  # (L + 1, T, C): after the embedding, and after each layer
    notices: tuple[str, ...]
    seconds: float


def read(model, text: str) -> Text:
    """Read a text (its first 64 tokens, <|begin|> among them) and keep the stream."""
    notices, began = [], time.perf_counter()
    if len(text) > LONGEST:
        notices.append(f"The text has more than {LONGEST:,} characters; only the first count.")
        text = text[:LONGEST]
    ids = [begin_of(model.tokenizer), *model.tokenizer.encode(text)]
    most = min(MOST_TOKENS, model.config.context)
    if len(ids) > most:
        notices.append(f"Your text has {len(ids):,} tokens; the first {most} are shown.")
        ids = ids[:most]
    streams = []

    def record(name, value):
        if name == "positions":
            streams[0] = streams[0] + value[0]
        elif name == "embedding" or name.endswith(".residual"):
            streams.append(value[0])

    with single_threaded_blas():
        gpt(model.params, np.array([ids]), model.config, record, head=False)
    called = tuple(token_name(model.tokenizer, i) for i in ids)
    return Text(text, tuple(ids), called, np.stack(streams), tuple(notices),
                time.perf_counter() - began)  # fmt: skip


def stations(config) -> list[str]:
    """Where one can stop: at the entrance, in each layer, at the exit."""
    return [IN, *map(str, range(config.layers)), OUT]


def station_values(model, ids, station: str) -> dict[str, np.ndarray]:
    """All that one pass computes at a station, in the order in which it does."""
    with single_threaded_blas():
        found = values_of(model, ids, None if station in (IN, OUT) else int(station))
    order = [*names(model.config), PROBABILITIES]
    own = [name for name in order if name in found and belongs(name, station)]
    return {name: found[name] for name in own} | {BEFORE: found[BEFORE]}


def belongs(name: str, station: str) -> bool:
    if station == IN:
        return name in ("embedding", "positions")
    if station == OUT:
        return name in ("norm", "logits", PROBABILITIES)
    return name.startswith(f"blocks.{station}.")


def clamp(place, config, text: Text) -> dict:
    """What the browser says is looked at, forced into what there is. Row -1 is the last token."""
    given = place if isinstance(place, dict) else {}
    known = stations(config)
    station = given.get("station") if given.get("station") in known else known[len(known) // 2]
    own = [name for name in [*names(config), PROBABILITIES] if belongs(name, station)]
    start = f"blocks.{station}.attention.weights"
    tensor = given.get("tensor")
    if tensor not in own:
        tensor = start if start in own else own[-1]

    def whole(name, least):
        value = given.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else least

    last = len(text.ids) - 1
    row = whole("row", -1)
    return {
        "station": station,
        "tensor": tensor,
        "row": row if 0 <= row <= last else last,
        "column": max(-1, whole("column", -1)),
        "first": max(0, whole("first", 0)),
        "tour": max(-1, whole("tour", -1)),
    }


def settle(place: dict, table: np.ndarray) -> dict:
    """A column that is there, and a window that holds it. Column -1 is the row's largest number
    (of those that are not hidden)."""
    columns = table.shape[1]
    row = np.where(np.isfinite(table[place["row"]]), table[place["row"]], 0)
    best = int(row.argmax() if table.min() >= 0 else np.abs(row).argmax())
    if place["tensor"] == "logits":
        best = int(row.argmax())
    column = best if not 0 <= place["column"] < columns else place["column"]
    first = place["first"]
    if place["column"] != column or not first <= column < first + WINDOW:
        first = column // WINDOW * WINDOW
    return {**place, "column": column, "first": min(first, (columns - 1) // WINDOW * WINDOW)}


def thumb(name: str, table: np.ndarray) -> np.ndarray:  # (T, N) -> (T, <= 48) uint8
    """A small picture: of each few columns the number that is largest in size. 128 is zero."""
    table = np.where(np.isfinite(table), table, 0)
    if table.shape[1] > 64 * THUMB:
        table = table[:, :: table.shape[1] // (64 * THUMB)]
    edges = np.unique(np.linspace(0, table.shape[1], min(THUMB, table.shape[1]) + 1).astype(int))
    high = np.maximum.reduceat(table, edges[:-1], axis=1)
    low = np.minimum.reduceat(table, edges[:-1], axis=1)
    small = np.where(high > -low, high, low)
    largest = float(np.abs(small).max()) or 1.0
    shaped = np.sign(small) * np.sqrt(np.abs(small) / largest)
    return np.rint(128 + 127 * shaped).astype(np.uint8)


def tile(model, text: Text, name: str, value: np.ndarray) -> dict:
    """One tensor of a station, small."""
    config, part = model.config, part_of(name)
    label, made_by = LABELS[part]
    if name == PROBABILITIES:
        letters, meaning = "B T V", "how likely each token is to come next"
    else:
        known = entry(name)
        letters, meaning = known.shape, known.meaning
    if part == "mlp.hidden":
        made_by = "SiLU(gate) × up" if config.mlp == "swiglu" else "GELU"
    table = flat(name, value)
    shape = " × ".join(f"{n:,}" for n in value.shape)
    return {
        "name": name, "label": label, "by": made_by, "shape": shape, "letters": letters[2:],
        "meaning": meaning, "thumb": packed(thumb(name, table)),
        "color": COLOR.get(part.split(".")[-1], ""),
        "group": group_name(part),
    }  # fmt: skip


def group_name(part: str) -> str:
    """Which half of a layer a tensor belongs to."""
    if part == "middle" or part.startswith("attention."):
        return "Attention: tokens take in from each other"
    if part == "residual" or part.startswith("mlp."):
        return "MLP: each token works on its own"
    return ""


def as_data(model, text: Text, values: dict, place: dict) -> dict:
    """The map as it is sent to the browser: all stations, one of them open, one tensor of it."""
    config, table = model.config, flat(place["tensor"], values[place["tensor"]])
    strip = [{"key": IN, "label": station_name(IN), "thumb": packed(thumb("", text.streams[0]))}]
    for i in range(config.layers):
        picture = packed(thumb("", text.streams[i + 1]))
        strip.append({"key": str(i), "label": str(i + 1), "thumb": picture})
    strip.append({"key": OUT, "label": station_name(OUT), "thumb": None})
    return {
        "text": text.text,
        "names": text.names,
        "ids": text.ids,
        "notices": text.notices,
        "presets": PRESETS,
        "longest": LONGEST,
        "strip": strip,
        "station": place["station"],
        "about": about_station(model, place["station"]),
        "tiles": [tile(model, text, n, v) for n, v in values.items() if n != BEFORE],
        "tensor": tensor_data(model, text, place, table),
        "place": place,
    }


def about_station(model, station: str) -> str:
    C, T = model.config.width, "T"
    if station == IN:
        return f"Each token becomes a row of {C} numbers: {T} × {C} in all."
    if station == OUT:
        table = head_name(model.config).split(".")[-2].replace("embed_tokens", "embedding table")
        return f"The last stream, normalized, meets every row of the {table}: one score a token."
    return "Attention reads the stream and adds to it; then the MLP reads it and adds to it."


def tensor_data(model, text: Text, place: dict, table: np.ndarray) -> dict:
    """The opened table: the window of columns that is shown, and what the whole of it is like."""
    name, first = place["tensor"], place["first"]
    shown = table[:, first : first + WINDOW]
    finite = table[np.isfinite(table)]
    values = np.where(np.isfinite(shown), shown, HIDDEN).astype(np.float32)
    vocabulary = name in ("logits", PROBABILITIES)
    called = [token_name(model.tokenizer, i) for i in range(first, first + shown.shape[1])]
    known = None if name == PROBABILITIES else entry(name)
    where = f"{known.function.__module__}.{known.function.__name__}" if known else "ops.softmax"
    return {
        "name": name,
        "title": title(name),
        "rows": table.shape[0],
        "columns": table.shape[1],
        "first": first,
        "window": WINDOW,
        "values": packed(values),
        "group": group_of(model.config, part_of(name), len(text.ids)),
        "pairs": name.endswith(("scores", "weights")),
        "called": called if vocabulary else [],
        "least": float(finite.min()),
        "most": float(finite.max()),
        "size": float(np.sqrt((finite.astype(np.float64) ** 2).mean())),
        "share": bool(table.min() >= 0),
        "by": where.removeprefix("microgpt."),
    }


def in_words(model, text: Text, values: dict, place: dict) -> str:
    """The text twin: what is opened, how large it is, what it is made of."""
    table = flat(place["tensor"], values[place["tensor"]])
    finite = table[np.isfinite(table)]
    hidden = table.size - finite.size
    said = (
        f"{title(place['tensor'])[0].upper()}{title(place['tensor'])[1:]} is a table of "
        f"{table.shape[0]} tokens by {table.shape[1]:,} columns. Its numbers go from "
        f"{finite.min():.3f} to {finite.max():.3f}"
    )
    said += f"; {hidden:,} are hidden by the mask." if hidden else "."
    rows = [f"{station_name(s)}: {' → '.join(LABELS[part_of(n)][0] for n in values if n != BEFORE)}"
            for s in [place["station"]]]  # fmt: skip
    return f"{said} The station in order: {rows[0]}."
