"""The chapter on attention, drawn: arcs over the reader's own text, and one arc opened."""

import time

import numpy as np
import streamlit as st

from microgpt.insight.heads import attention_weights
from microgpt.training.parallel import single_threaded_blas
from widgets import attention_arc as arcs
from widgets import attention_link as links
from widgets import attention_view as views
from widgets import chapter, components, engine, prose
from widgets.components import component

KEY, ARC, MODEL = "attention_arcs", "attention_arc", "attention_model"
MANY, FEW = 50, 6  # sentences on which the head that the page opens with is found
FIRST = 0.15  # seconds in which the arcs of a new text are painted, before what is below is sent
_arcs = component(
    KEY, states={"text": None, "choice": None, "settled": None}, scripts=("attention_drawing",)
)
_arc = component(ARC, states={"work": None})


def choose_model() -> str | None:
    """The model whose head is looked into; None, with a sentence, where there is no model."""
    models = engine.dense_models()
    if not models:
        st.warning("There is no trained model here yet. `python -m microgpt train tiny-base` "
                   "makes one; then this page comes to life.")  # fmt: skip
        return None
    _adopt_address(models)
    if "attention:wanted" in st.session_state:
        st.session_state[MODEL], choice = st.session_state.pop("attention:wanted")
        components.force(KEY, choice=choice)
    if len(models) == 1:
        return models[0]
    if st.session_state.get(MODEL) not in models:
        st.session_state[MODEL] = first_model(models)
    return st.selectbox("Model", models, key=MODEL, width=220, persist_state="session")


def first_model(models: list[str]) -> str:
    return "tiny-base" if "tiny-base" in models else models[0]


def _adopt_address(models: list[str]) -> None:
    """A link that was followed sets sentence, model, layer and head."""
    address = _address()
    if not address or address == st.session_state.get("attention:address"):
        return
    start = links.Link(views.PRESETS[0], first_model(models))
    link = links.read_link(address, start, models)
    config = engine.model(link.model).config
    choice, notices = links.chosen(link, config.layers, config.heads)
    st.session_state[MODEL] = link.model
    components.force(KEY, text=link.text, settled=link.text, choice=choice)
    st.session_state["attention:address"] = address
    st.session_state["attention:notices"] = (*link.notices, *notices)


def _address() -> dict[str, str]:
    return {name: st.query_params[name] for name in links.NAMES if name in st.query_params}


def _write_address(model, view: views.View, choice: dict[str, int]) -> None:
    """Keep the address such that it brings another reader to this very picture."""
    size, first = (view.layers, view.heads), first_model(engine.dense_models())
    start = links.Link(views.PRESETS[0], first, *links.counted(opening(model), *size))
    here = links.Link(view.text, model.name, *links.counted(choice, *size))
    address = links.write_link(here, start)
    if _address() != address:
        others = {k: v for k, v in st.query_params.items() if k not in links.NAMES}
        st.query_params.from_dict({**others, **address})
        st.session_state["attention:notices"] = ()
    st.session_state["attention:address"] = address


def view_of(model, text: str) -> views.View:
    """The view of a text; worked out once for all who look at the same."""
    return _view(model.name, model.card.get("sha256", ""), text[: views.LONGEST + 1])


@st.cache_resource(max_entries=128, show_spinner=False)
def _view(name: str, sha256: str, text: str) -> views.View:
    return views.compute(engine.model(name), text)


def opening(model) -> dict[str, int]:
    return _opening(model.name, model.card.get("sha256", ""))


@st.cache_resource(max_entries=8, show_spinner=False)
def _opening(name: str, sha256: str) -> dict[str, int]:
    model = engine.model(name)
    return views.opening(model, FEW if engine.is_large(model) else MANY)


def live_weights(model, view: views.View, choice: dict[str, int]):  # -> (1, H, T, T)
    """The weights of the layer that is looked at, as `attend` had them."""
    with single_threaded_blas():
        weights, _ = attention_weights(model, np.array([view.ids]))
    return weights[:, min(choice["layer"], view.layers - 1)]


def text_now() -> str:
    text = components.state_of(KEY, "text", None)
    return text if isinstance(text, str) else views.PRESETS[0]


def reading(model) -> tuple[views.View, dict[str, int]]:
    """What the arcs show in this run: the view of the text, and what is chosen in it."""
    view = view_of(model, text_now())
    return view, views.clamp(components.state_of(KEY, "choice", None), view, opening(model))


def desk(name: str) -> None:
    """The sentence, its arcs, the matrix and every head; then one arc, down to its numbers."""
    engine.wait()
    st.session_state["attention:text"] = text_now()
    _desk(name)


def look_at(name: str, layer: int, head: int) -> None:
    """Draw the page again with this head in the arcs; they are above, so not before."""
    choice = {"layer": layer, "head": head, "query": -1, "key": -1}
    st.session_state["attention:wanted"] = (name, choice)
    st.rerun()


def measured_model(model):
    """The model that the measurements below are made on: hundreds of passes. Of a large one they
    would take minutes and gigabytes, so it is a small one then; None where there is none."""
    if not engine.is_large(model):
        return model
    small = [name for name in engine.dense_models() if not engine.is_large(engine.model(name))]
    return engine.model(first_model(small)) if small else None


@st.fragment
def _desk(name: str) -> None:
    model = engine.model(name)
    view, choice = reading(model)
    shown = _arcs({**views.as_data(view), "start": opening(model)}, key=KEY)
    typing = shown.settled not in (None, text_now())
    if typing:
        time.sleep(FIRST)
    if shown.settled == text_now() != st.session_state.get("attention:text"):
        st.rerun()  # the reader has stopped typing: now the rest of the page reads it too
    for notice in st.session_state.get("attention:notices", ()):
        st.markdown(f":small[:material/info: {prose.literal(notice)}]")
    if not typing:
        _write_address(model, view, choice)
    where = views.place(view, choice["layer"], choice["head"])
    chapter.mark("computed", by=model.name, where=where, seconds=view.seconds)
    chapter.text_twin(views.in_words(view, choice))
    chapter.explain(words(view, choice))
    chapter.heading("Open one arc")
    chapter.explain(
        "An arc is a few sums. Here are all of them, for the token that asks and the one you "
        "choose. Leave numbers out and work them out yourself: the engine marks your answers."
    )
    one_arc(model, view, choice)


def words(view: views.View, choice: dict[str, int]) -> str:
    row = view.row(choice["layer"], choice["head"], choice["query"])
    asks = prose.literal(view.names[choice["query"]])
    best = prose.literal(view.names[int(row.argmax())])
    return (
        "Point at a token, or move to it with Tab and the arrow keys. :query[**Blue**] asks, "
        ":key[**orange**] answers: the thicker the arc, the more it takes. Every token shares out "
        f"100 %, no more, no less: of “{asks}” the shares add up to **{int(row.sum())} %**, and "
        f"“{best}” has **{int(row.max())} %** of them. Nothing looks to the right: when the model "
        "reads a token, those after it are not written yet. That is the [[causal mask]]."
    )


def one_arc(model, view: views.View, choice: dict[str, int]) -> None:
    """The numbers of one arc, with the blanks that the reader asked for and their marks."""
    layer, head = min(choice["layer"], view.layers - 1), min(choice["head"], view.heads - 1)
    work = arcs.clamp(components.state_of(ARC, "work", None), len(view.ids))
    key = work["key"] if 0 <= work["key"] <= choice["query"] else choice["key"]
    one = arcs.compute(model, view.ids, layer, head, choice["query"], key)
    _arc(arcs.as_data(one, view.names, work), key=ARC)
    chapter.mark("computed", by=model.name, where=f"layer {layer + 1}, head {head + 1}",
                 seconds=one.seconds)  # fmt: skip
    chapter.text_twin(arcs.in_words(one, view.names))
