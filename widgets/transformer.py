"""The chapter on the transformer, its map drawn: the tensors of a pass, the sum of any cell."""

import streamlit as st

from microgpt.insight.cells import flat
from widgets import chapter, components, engine
from widgets import transformer_cell as cells
from widgets import transformer_map as maps
from widgets import transformer_tour as tours
from widgets.components import component
from widgets.transformer_names import station_name, title

MAP, CELL = "transformer_map", "transformer_cell"
_map = component(
    MAP, states={"text": None, "place": None, "settled": None}, scripts=("transformer_matrix",)
)
_cell = component(CELL, triggers=("go",), scripts=("transformer_matrix",))


def choose_model() -> str | None:
    """The model that is mapped; None, with a sentence, where there is none."""
    models = engine.dense_models()
    if not models:
        st.warning("There is no trained model here yet. `python -m microgpt train tiny-base` "
                   "makes one; then this page comes to life.")  # fmt: skip
        return None
    if len(models) == 1:
        return models[0]
    first = models.index("tiny-base") if "tiny-base" in models else 0
    return st.selectbox("Model", models, index=first, key="transformer_model", width=220,
                        persist_state="session")  # fmt: skip


def text_now() -> str:
    text = components.state_of(MAP, "text", None)
    return text if isinstance(text, str) else maps.PRESETS[0]


def text_of(model, text: str) -> maps.Text:
    """A text as the model reads it; worked out once for all who look at the same."""
    return _text(model.name, model.card.get("sha256", ""), text[: maps.LONGEST + 1])


@st.cache_resource(max_entries=64, show_spinner=False)
def _text(name: str, sha256: str, text: str) -> maps.Text:
    return maps.read(engine.model(name), text)


def values_at(model, text: maps.Text, station: str) -> dict:
    return _values(model.name, model.card.get("sha256", ""), text.ids, station)


@st.cache_resource(max_entries=6, show_spinner=False)  # an exit of SmolLM2 has 25 MB
def _values(name: str, sha256: str, ids, station: str) -> dict:
    return maps.station_values(engine.model(name), ids, station)


def looked_at(model) -> tuple[maps.Text, dict, dict]:
    """What the map shows in this run: the text, the values of the open station, the place."""
    text = text_of(model, text_now())
    place = maps.clamp(components.state_of(MAP, "place", None), model.config, text)
    values = values_at(model, text, place["station"])
    return text, values, maps.settle(place, flat(place["tensor"], values[place["tensor"]]))


def desk(name: str) -> None:
    """The map, its tour, and the sum behind the cell that is looked at."""
    engine.wait()
    st.session_state["transformer:text"] = text_now()
    _desk(name)


@st.fragment
def _desk(name: str) -> None:
    model = engine.model(name)
    if "transformer:wanted" in st.session_state:
        components.force(MAP, place=st.session_state.pop("transformer:wanted"))
    text, values, place = looked_at(model)
    tour = tours.as_data(model, text, values, place)
    shown = _map({**maps.as_data(model, text, values, place), "tour": tour}, key=MAP)
    if shown.settled == text_now() != st.session_state.get("transformer:text"):
        st.rerun()  # the reader has stopped typing: now the rest of the page reads it too
    chapter.mark("computed", by=model.name, where=station_name(place["station"]).lower(),
                 seconds=text.seconds)  # fmt: skip
    made = cells.open_cell(model, text, values, place)
    opened = _cell(cells.as_data(model, text, made), key=CELL)
    wanted = cells.destination(opened.go, model, text)
    if wanted is not None:
        st.session_state["transformer:wanted"] = {**wanted, "first": 0, "tour": -1}
        st.rerun(scope="fragment")
    chapter.text_twin(f"{maps.in_words(model, text, values, place)}\n\n"
                      f"{cells.in_words(model, text, made)}")  # fmt: skip


def live_values(model) -> tuple[str, dict]:
    """The name of the tensor that is open, and its values, for the source panel."""
    _, values, place = looked_at(model)
    return title(place["tensor"]), {place["tensor"].split(".")[-1]: values[place["tensor"]]}
