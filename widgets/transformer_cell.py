"""One number of the map, taken apart: two rows of factors, the largest terms, the steps. Pure."""

import math

import numpy as np

from microgpt.insight.cells import Cell, cell
from microgpt.training.parallel import single_threaded_blas
from widgets.components import packed
from widgets.press_enter_insides import token_name
from widgets.transformer_map import Text
from widgets.transformer_names import column_name, station_of, title

SHOWN = 8  # terms that are written out
DRAWN = 2_048  # terms that are drawn


def open_cell(model, text: Text, values: dict, place: dict) -> Cell:
    with single_threaded_blas():
        return cell(model, text.ids, values, place["tensor"], place["row"], place["column"])


def term_name(model, text: Text, made: Cell, i: int) -> str:
    """What the i-th term of a sum belongs to."""
    if made.counts == "token":
        return f"{i + 1}: {text.names[i]}"
    if made.counts == "vocabulary":
        return token_name(model.tokenizer, i)
    if made.counts == "part":
        return ("the stream before", "what is added")[i]
    if made.counts == "pair":
        return ("first of the pair", "second of the pair")[i]
    return f"{'unit' if made.counts == 'unit' else 'number'} {i + 1}"


def shown_terms(made: Cell) -> list[int]:
    """The largest terms by size, in their order; all of them where they are few."""
    if len(made.terms) <= SHOWN + 1:
        return list(range(len(made.terms)))
    largest = np.argsort(-np.abs(made.terms), kind="stable")[:SHOWN]
    return sorted(int(i) for i in largest)


def as_data(model, text: Text, made: Cell) -> dict:
    """The sum as it is sent to the browser."""
    terms, chosen = made.terms, shown_terms(made)
    rest = float(np.delete(terms, chosen).sum()) if len(terms) else 0.0
    drawn = slice(0, DRAWN)
    return {
        "title": title(made.name),
        "row": f"token {made.row + 1}, “{text.names[made.row]}”",
        "column": column_name(model, text, made.name, made.column),
        "value": number(made.value),
        "formula": made.formula,
        "kind": kind_of(made),
        "terms": [
            [term_name(model, text, made, i), float(made.left[i]), float(made.right[i]),
             float(terms[i]), source_cell(made, i)]
            for i in chosen
        ],
        "chosen": chosen,
        "rest": [len(terms) - len(chosen), rest],
        "total": float(terms.sum()) if len(terms) else 0.0,
        "left": packed(made.left[drawn].astype(np.float32)),
        "right": packed(made.right[drawn].astype(np.float32)),
        "drawn": min(len(terms), DRAWN),
        "count": len(terms),
        "sources": [source_data(model, text, source) for source in made.sources],
        "steps": [[words, number(x)] for words, x in made.steps],
        "exact": "" if math.isinf(made.value) else f"{made.value:.7g}",
        "again": "" if math.isinf(made.made) else f"{made.made:.7g}",
        "off": 0.0 if math.isinf(made.value) else abs(made.value - made.made),
    }  # fmt: skip


def kind_of(made: Cell) -> str:
    """What is added up: nothing, squares, plain numbers, or products of two."""
    if not len(made.left):
        return "none"
    if made.left is made.right:
        return "squares"
    return "plain" if (made.right == 1).all() else "product"


def number(x: float) -> str:
    """A number as it stands in a sum; minus infinity too."""
    if math.isinf(x):
        return "−∞"
    said = f"{x:.4f}" if abs(x) >= 1e-3 or x == 0 else f"{x:.2e}"
    return said.replace("-", "−")


def source_cell(made: Cell, i: int) -> list | None:
    """Where the first factor of a term stands on the map: tensor, row, column."""
    if made.counts == "part" and i < len(made.sources):
        source, offset = made.sources[i], 0
    elif made.sources and not made.sources[0].weight:
        source, offset = made.sources[min(i, 1) if made.counts == "pair" else 0], i
    else:
        return None
    if source.name == "before":
        return None
    offset = 0 if made.counts == "pair" else offset
    return [source.name, source.rows[0], source.columns[0] + offset]


def source_data(model, text: Text, source) -> dict:
    """A row or column of the map, or of a matrix of weights, in words and as a place to go to."""
    rows, columns = source.rows, source.columns
    if source.weight:
        R, C = np.shape(model.params[source.name])
        label = f"{source.name}, row {rows[0] + 1:,}"
        return {"label": label, "shape": f"{R:,} × {C:,}", "go": None}
    which = f"token {rows[0] + 1}" if rows[1] - rows[0] == 1 else f"tokens 1 to {rows[1]}"
    span = (f"column {columns[0] + 1}" if columns[1] - columns[0] == 1
            else f"columns {columns[0] + 1} to {columns[1]:,}")  # fmt: skip
    go = None if source.name == "before" else [source.name, rows[0], columns[0]]
    return {"label": f"{title(source.name)}, {which}, {span}", "shape": "", "go": go}


def destination(go, model, text: Text) -> dict | None:
    """The place that a jump asks for, or None where it asks for nothing that is there."""
    if not (isinstance(go, list) and len(go) == 3 and isinstance(go[0], str)):
        return None
    name, row, column = go
    if not all(isinstance(x, int) and not isinstance(x, bool) for x in (row, column)):
        return None
    return {"station": station_of(name), "tensor": name, "row": row, "column": column}


def in_words(model, text: Text, made: Cell) -> str:
    """The text twin of the sum."""
    said = (
        f"{title(made.name)[0].upper()}{title(made.name)[1:]}, token {made.row + 1} "
        f"“{text.names[made.row]}”, {column_name(model, text, made.name, made.column)}: "
        f"{number(made.value)}."
    )
    terms = made.terms
    if len(terms):
        i = int(np.abs(terms).argmax())
        one = len(terms) == 1
        said += (
            f" It begins with a sum of {len(terms):,} {'term' if one else 'terms'}; the largest, "
            f"of {term_name(model, text, made, i)}, is {number(float(terms[i]))}."
        )
    return said + " " + "; ".join(f"{words}: {number(x)}" for words, x in made.steps) + "."
