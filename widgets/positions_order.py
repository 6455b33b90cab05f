"""Dog bites man, man bites dog: two orders of the same tokens, with positions and without."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.insight.order import WITHOUT_TABLE, Comparison, compare_orders
from microgpt.tokens.chat import BEGIN
from widgets import chapter, engine, look, prose

ONE, OTHER, LAST = "the dog bites the man", "the man bites the dog", "."
LONGEST = 200
SAME = 1e-4  # a distance below this is rounding: the sums come in another order
NAMES = {"rope": "RoPE", "alibi": "ALiBi", "sinusoidal": "Sinusoidal", "learned": "Learned",
         "none": "None"}  # fmt: skip


@dataclass(frozen=True)
class Orders:
    """Both orders as tokens, and what the chosen machine makes of them."""

    ids: tuple[tuple[int, ...], tuple[int, ...]]
    chosen: Comparison
    trained: Comparison
    best: tuple[tuple[str, float, float], ...]  # token, its chance after one and after the other
    apart: float  # half the sum of all differences between the two sets of chances
    seconds: float


def encode(model, text: str) -> list[int]:
    """Every word with a space before it, so that no word becomes another token where it stands
    first; then the full stop at which both orders are read."""
    begin = model.tokenizer.specials.get(BEGIN)
    ids = [] if begin is None else [begin]
    for word in text.split():
        ids += model.tokenizer.encode(f" {word}")
    return [*ids, *model.tokenizer.encode(LAST)]


@st.cache_resource(max_entries=64, show_spinner=False)
def measure(name: str, sha256: str, one: str, other: str, positions: str, causal: bool) -> Orders:
    """`compute`, once for everybody."""
    return compute(engine.load(name), one, other, positions, causal)


def compute(model, one: str, other: str, positions: str, causal: bool) -> Orders:
    """ValueError in a sentence where the two texts are not the same words."""
    began = time.perf_counter()
    a, b = encode(model, one), encode(model, other)
    if sorted(one.split()) != sorted(other.split()) or not one.split():
        raise ValueError("Write the same words in both boxes, in another order if you like. Large "
                         "and small letters are different words here.")  # fmt: skip
    if len(a) > model.config.context:
        raise ValueError(f"That is {len(a)} tokens; {model.name} reads {model.config.context}.")
    chosen = compare_orders(model, a, b, positions, causal)
    as_trained = compare_orders(model, a, b, model.config.positions)
    p, q = chosen.predictions
    order = np.argsort(-(p + q), kind="stable")[:5]
    best = tuple((model.tokenizer.name_of(int(i)), float(p[i]), float(q[i])) for i in order
                 if i < model.tokenizer.vocab_size)  # fmt: skip
    return Orders((tuple(a), tuple(b)), chosen, as_trained, best, float(np.abs(p - q).sum() / 2),
                  time.perf_counter() - began)  # fmt: skip


def shown(distance: float) -> str:
    """A distance as a number, or 0 where it is rounding."""
    return "0" if distance < SAME else f"{distance:.3f}"


def verdict(found: Orders) -> str:
    """What the numbers mean, in a sentence."""
    chosen = found.chosen
    if found.ids[0] == found.ids[1]:
        return "Both boxes hold the same order, so nothing can differ."
    differing = [i for i, d in enumerate(chosen.distance) if d >= SAME]
    if not differing:
        return (
            "All the way up **the two vectors stay the same**, and so do the chances of the next "
            "token. For this machine the two sentences are one."
        )
    first = differing[0]
    return (
        f"The two vectors part **in layer {first}**; before it they are the same. At the end the "
        f"chances of the next token differ by **{100 * found.apart:.1f} %**."
    )


def in_words(found: Orders) -> str:
    steps = ", ".join(shown(d) for d in found.chosen.distance)
    mask = "with" if found.chosen.causal else "without"
    return (
        f"Positions: {NAMES[found.chosen.positions]}, {mask} the causal mask. Distance between the "
        f"two vectors of the last token, before the first layer and after each: {steps}. "
        f"{verdict(found)}"
    )


def bag_of(model, found: Orders) -> str:
    """The tokens of both, sorted: the same bag."""
    names = sorted(model.tokenizer.name_of(i) for i in found.ids[0])
    return " ".join(f"`{name.replace('`', 'ˋ')}`" for name in names)


def dog_bites_man(model) -> Orders | None:
    """Draw the two orders, the switches and the chart; returns what was measured."""
    st.session_state.setdefault("tokens_order_one", ONE)
    st.session_state.setdefault("tokens_order_other", OTHER)
    keep = {"max_chars": LONGEST, "persist_state": "session"}
    left, right = st.columns(2)
    one = left.text_input("One order", key="tokens_order_one", **keep)
    other = right.text_input("Another order", key="tokens_order_other", **keep)
    kinds = list(dict.fromkeys([model.config.positions, *WITHOUT_TABLE]))
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        positions = st.segmented_control(
            "Positions", kinds, default=kinds[0], required=True, format_func=NAMES.get,
            key="tokens_order_positions", persist_state="session", bind="query-params",
        )  # fmt: skip
        causal = st.toggle("Causal mask", True, key="tokens_order_mask", persist_state="session",
                           bind="query-params")  # fmt: skip
    try:
        sha256 = model.card.get("sha256", "")
        found = measure(model.name, sha256, one, other, positions, causal)
    except ValueError as problem:
        st.warning(prose.literal(str(problem)))
        return None
    chapter.explain(f"Both are this bag of tokens: {bag_of(model, found)}")
    summary = in_words(found)
    _chart(found, summary)
    chapter.explain(verdict(found))
    rows = ["| Next token | after the first order | after the other |", "|---|--:|--:|"]
    rows += [f"| `{name.replace('`', 'ˋ').replace('|', '¦')}` | {100 * p:.1f} % | {100 * q:.1f} % |"
             for name, p, q in found.best]  # fmt: skip
    chapter.explain("\n".join(rows))
    chapter.mark("computed", by=model.name, where="its own weights, read at the full stop",
                 seconds=found.seconds)  # fmt: skip
    chapter.text_twin(summary)
    return found


def _chart(found: Orders, summary: str) -> None:
    alt = engine.altair()

    lines = {"this machine": found.chosen.distance, "as it was trained": found.trained.distance}
    rows = [
        {"layer": layer, "distance": max(0.0, float(d)), "label": shown(float(d)), "what": what}
        for what, distance in lines.items()
        for layer, d in enumerate(distance)
    ]
    names = list(lines)
    x = alt.X("layer:O", title="layers read so far", axis=alt.Axis(labelAngle=0))
    y = alt.Y("distance:Q", title="distance of the two")
    scale = alt.Scale(domain=names, range=[look.color("query"), look.color("quiet")])
    line = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=2.5).encode(
        x, y,
        alt.Color("what:N", title=None, scale=scale,
                  legend=alt.Legend(orient="top", symbolSize=400)),
        alt.StrokeDash("what:N", title=None,
                       scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]])),
    )  # fmt: skip
    dots = alt.Chart(alt.Data(values=rows)).mark_point(size=60, filled=True, opacity=1).encode(
        x, y, alt.Color("what:N", scale=scale, legend=None),
        tooltip=["what:N", "layer:O", "label:N"],
    )  # fmt: skip
    own = [row for row in rows if row["what"] == names[0]]
    words = alt.Chart(alt.Data(values=own)).mark_text(dy=-13, fontSize=13).encode(
        x, y, text="label:N", color=alt.value(look.color("query"))
    )
    st.altair_chart((line + dots + words).properties(height=260), alt=summary)
