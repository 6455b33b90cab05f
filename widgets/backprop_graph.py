"""A formula as a graph: forward node by node, then backward edge by edge, with the real numbers."""

import math
import time
from dataclasses import dataclass

import streamlit as st

from microgpt.autograd.scalar import BackwardStep, Value, backward_steps, topological_order
from microgpt.basics import expressions
from widgets import chapter, prose
from widgets.components import component
from widgets.functions_figures import figure, short

KEY = "backprop_graph"
MOST = 30  # nodes that still fit into a picture
PRESETS = ("(x*y + 2)*x", "x*x + x", "tanh(2*x - y)", "exp(-x**2)", "sin(x)/y", "log(1 + exp(x))")
START = {"f": PRESETS[0], "x": 3.0, "y": -2.0}
WORDS = {  # op: why the local derivative is what it is, for the first and the second parent
    "+": ("a sum passes every nudge on: 1", "a sum passes every nudge on: 1"),
    "-": ("it is added: 1", "it is taken away: −1"),
    "*": ("a product grows by the other factor", "a product grows by the other factor"),
    "/": ("1 / the lower part", "− the upper part / the lower part²"),
    "**": ("exponent · base to the exponent − 1", "the power · ln of the base"),
    "neg": ("turned round: −1",),
    "exp": ("eᶻ is its own slope",),
    "log": ("1 / z",),
    "sqrt": ("1 / (2 · the root)",),
    "sin": ("cos z",),
    "cos": ("− sin z",),
    "tan": ("1 + tan² z",),
    "tanh": ("1 − tanh² z",),
    "sigmoid": ("s · (1 − s)",),
    "relu": ("1 above 0, else 0",),
    "abs": ("the sign of z",),
    "max": ("1 for the larger", "1 for the larger"),
    "min": ("1 for the smaller", "1 for the smaller"),
}

_mount = component(KEY)


@dataclass(frozen=True)
class Layout:
    """Where things stand, columns from left to right. `ways[i][k]` are the rows in which the edge
    from the k-th parent of node i passes the columns between the two."""

    columns: tuple[int, ...]
    rows: tuple[float, ...]
    ways: tuple[tuple[tuple[float, ...], ...], ...]


@dataclass(frozen=True)
class Graph:
    """A formula at one point: its nodes, parents first, and every step of the way back."""

    nodes: tuple[Value, ...]
    steps: tuple[BackwardStep, ...]
    leaves: dict[str, Value]
    layout: Layout
    seconds: float


def compute(text: str, x: float, y: float) -> Graph:
    """Read a formula, run it forward and backward. ValueError says what is wrong with it."""
    began = time.perf_counter()
    expression = expressions.parse(text)
    at = {name: value for name, value in (("x", x), ("y", y)) if name in expression.variables}
    where = ", ".join(f"{name} = {value:g}" for name, value in at.items()) or "any point"
    try:
        result, leaves = expressions.graph(expression, **at)
        order = topological_order(result)
        if len(order) > MOST:
            raise ValueError(
                f"The graph has {len(order)} nodes, more than the {MOST} that can be drawn; "
                "take a shorter formula."
            )
        steps = tuple(backward_steps(result))
    except (ArithmeticError, TypeError):
        raise ValueError(f"{text} has no value, or no slope, at {where}.") from None
    except ValueError as problem:
        if "domain" not in str(problem):
            raise
        raise ValueError(f"{text} has no value, or no slope, at {where}.") from None
    numbers = [n.data for n in order] + [n.grad for n in order] + [s.local for s in steps]
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"{text} has no finite value, or no finite slope, at {where}.")
    places = layout(order)
    return Graph(tuple(order), steps, leaves, places, time.perf_counter() - began)


def layout(order: list[Value]) -> Layout:
    """Each node as far right as its children allow, near its children; long edges get a free row
    in every column they pass."""
    place = {id(node): i for i, node in enumerate(order)}
    depth = [0] * len(order)  # how far left of the result
    for i in range(len(order) - 1, -1, -1):
        for parent in order[i].parents:
            depth[place[id(parent)]] = max(depth[place[id(parent)]], depth[i] + 1)
    after: dict[tuple, list[tuple]] = {(i,): [] for i in range(len(order))}
    for i, node in enumerate(order):
        for k, parent in enumerate(node.parents):
            p, last = place[id(parent)], (i,)
            for column in range(depth[i] + 1, depth[p]):
                after[i, k, column] = [last]
                last = (i, k, column)
            after[(p,)].append(last)
    rows: dict[tuple, float] = {}
    for column in range(max(depth) + 1):
        mine = [item for item in after if (depth[item[0]] if len(item) == 1 else item[2]) == column]
        mine.sort(key=lambda item: sum(rows[n] for n in after[item]) / max(1, len(after[item])))
        rows |= {item: k - (len(mine) - 1) / 2 for k, item in enumerate(mine)}
    ways = tuple(
        tuple(
            tuple(rows[i, k, c] for c in range(depth[place[id(parent)]] - 1, depth[i], -1))
            for k, parent in enumerate(node.parents)
        )
        for i, node in enumerate(order)
    )
    columns = tuple(max(depth) - d for d in depth)
    return Layout(columns, tuple(rows[(i,)] for i in range(len(order))), ways)


def name_of(node: Value) -> str:
    """What a node is called: its variable, its number, or its operation."""
    if node.label:
        return node.label
    return node.op or f"{node.data:g}".replace("-", "−")


def differences(text: str, at: dict[str, float], h: float) -> dict[str, float]:
    """The slope by each variable from two values of the formula, h to each side."""
    expression = expressions.parse(text)
    found = {}
    for name in at:
        up, down = (
            float(expressions.evaluate(expression, **{**at, name: at[name] + side}))
            for side in (h, -h)
        )
        found[name] = (up - down) / (2 * h)
    return found


def view_of(graph: Graph) -> dict:
    place = {id(node): i for i, node in enumerate(graph.nodes)}
    return {
        "nodes": [
            {
                "name": name_of(node),
                "op": node.op,
                "label": node.label,
                "value": node.data,
                "gradient": node.grad,
                "column": graph.layout.columns[i],
                "row": graph.layout.rows[i],
                "ways": graph.layout.ways[i],
                "parents": [place[id(p)] for p in node.parents],
            }
            for i, node in enumerate(graph.nodes)
        ],
        "steps": [
            {
                "node": place[id(s.node)],
                "parent": place[id(s.parent)],
                "incoming": s.incoming,
                "local": s.local,
                "product": s.contribution,
            }
            for s in graph.steps
        ],
        "words": WORDS,
    }


def in_words(text: str, graph: Graph) -> str:
    slopes = [f"by {name} is {leaf.grad:.4g}" for name, leaf in graph.leaves.items()]
    return (
        f"{prose.literal(text)} has {len(graph.nodes)} nodes and takes {len(graph.steps)} steps "
        f"back. Its value is {graph.nodes[-1].data:.4g}; its derivative "
        f"{' and '.join(slopes) or 'does not exist, for it has no variable'}."
    ).replace("-", "−")


@st.fragment
def formula_graph() -> None:
    """Draw the formula, its numbers, the graph, and the check beside it."""
    text, x, y = _controls()
    # A place of its own for complaints: the graph below keeps its own, and is not built anew.
    complaints = st.container(gap="small")
    try:
        graph = compute(text, x, y)
        st.session_state["backprop:last"] = text, x, y
    except ValueError as problem:
        complaints.markdown(f":material/error: {prose.literal(str(problem))}")
        text, x, y = st.session_state.get("backprop:last", tuple(START.values()))
        where = prose.literal(f"{text} at x = {x:g}, y = {y:g}".replace("-", "−"))
        complaints.markdown(f":small[:gray[Still drawn: {where}]]")
        graph = compute(text, x, y)
    _mount(view_of(graph) | {"run": f"{text} {x} {y}"}, key=KEY)
    chapter.mark(
        "computed",
        by="microgpt.autograd.scalar",
        seconds=graph.seconds,
        where=f"{len(graph.nodes)} nodes, {len(graph.steps)} steps back",
    )
    chapter.text_twin(in_words(text, graph))
    _check(text, graph)


def _controls() -> tuple[str, float, float]:
    for name, value in START.items():
        st.session_state.setdefault(f"backprop_{name}", value)
    keep = {"persist_state": "session", "bind": "query-params"}
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        text = st.text_input(
            "Your formula of x and y",
            key="backprop_f",
            width=360,
            max_chars=expressions.LONGEST,
            **keep,
        )
        x = st.number_input("x", -100.0, 100.0, step=0.5, key="backprop_x", width=130, **keep)
        y = st.number_input("y", -100.0, 100.0, step=0.5, key="backprop_y", width=130, **keep)
    with st.container(horizontal=True, gap="small", key="backprop_presets"):
        for preset in PRESETS:
            st.button(
                prose.literal(preset), key=f"backprop_{preset}", on_click=_take, args=(preset,)
            )
    return text, x, y


def _take(preset: str) -> None:
    st.session_state["backprop_f"] = preset


def _check(text: str, graph: Graph) -> None:
    """The same derivatives by finite differences, which know nothing of graphs."""
    if not graph.leaves:
        return
    power = st.select_slider(
        "The check nudges each variable by h to both sides",
        range(-1, -14, -1),
        -5,
        format_func=lambda p: f"h = {short(10.0**p)}",
        key="backprop_h",
        persist_state="session",
    )
    at = {name: leaf.data for name, leaf in graph.leaves.items()}
    nudged = differences(text, at, 10.0**power)
    rows = ["| slope | walking back | nudging | apart |", "|---|---|---|---|"]
    for name, leaf in graph.leaves.items():
        gap = abs(leaf.grad - nudged[name])
        shown = f"{nudged[name]:.8f}" if math.isfinite(nudged[name]) else "no value"
        away = figure(gap).replace(" ", "\N{NO-BREAK SPACE}") if math.isfinite(gap) else ""
        rows.append(f"| by **{name}** | :gradient[{leaf.grad:.8f}] | {shown} | {away} |")
    chapter.explain("\n".join(rows).replace("| -", "| −").replace("[-", "[−"))

