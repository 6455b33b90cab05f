"""The chapter on attention, its later sections drawn: by hand, shared heads, gallery, ablation."""

import contextlib
import time

import streamlit as st

from microgpt.insight import answers, snapshots
from microgpt.training.parallel import single_threaded_blas
from widgets import attention as show
from widgets import attention_gallery_view as galleries
from widgets import attention_hand as hands
from widgets import attention_pronoun as pronouns
from widgets import attention_sharing as sharing
from widgets import attention_training as training
from widgets import chapter, components, engine
from widgets.components import component

DRAWING = ("attention_drawing",)
_pronoun = component("attention_pronoun", scripts=DRAWING)
_hand = component("attention_hand", states={"vectors": None})
_sharing = component("attention_sharing", scripts=DRAWING)
_gallery = component("attention_gallery", triggers=("open",), scripts=DRAWING)
_ablation = component("attention_ablation", states={"taken": None})
_training = component("attention_training", scripts=DRAWING)


def lesson_of(model) -> tuple[pronouns.Lesson, float]:
    """Measured once for everybody, and the seconds it took; so also the next two."""
    return _measured("lesson", model.name, model.card.get("sha256", ""))


def gallery_of(model) -> tuple[galleries.Gallery, float]:
    return _measured("gallery", model.name, model.card.get("sha256", ""))


def twins_of(model) -> tuple[answers.Twins | None, float]:
    return _measured("twins", model.name, model.card.get("sha256", ""))


@st.cache_resource(max_entries=24, show_spinner=False)
def _measured(what: str, name: str, sha256: str):
    measure = {"lesson": pronouns.compute, "gallery": galleries.compute, "twins": answers.twins}
    began = time.perf_counter()
    with single_threaded_blas():
        found = measure[what](engine.model(name))
    return found, time.perf_counter() - began


def pronoun(model) -> pronouns.Lesson:
    """Two sentences, seen from "it" and from the token that must answer."""
    lesson, seconds = lesson_of(model)
    _pronoun(pronouns.as_data(lesson), key="attention_pronoun")
    where = f"layer {lesson.layer + 1}, head {lesson.head + 1}"
    chapter.mark("computed", by=model.name, where=where, seconds=seconds)
    chapter.text_twin(pronouns.in_words(lesson))
    return lesson


def later_than(model):
    """A model at hand that was trained on from this one; None where none can be read."""
    for name in engine.dense_models():
        with contextlib.suppress(OSError, ValueError):
            later = engine.load(name)
            if later.card.get("recipe", {}).get("start") == model.name:
                return later
    return None


@st.fragment
def by_hand() -> None:
    """A query and three keys to drag."""
    vectors = hands.clamp(components.state_of("attention_hand", "vectors", None))
    hand = hands.compute(vectors)
    _hand({"names": hands.NAMES, "vectors": vectors, "start": hands.START}, key="attention_hand")
    chapter.mark("illustrative", by="the vectors; the sums are those of microgpt.autograd.ops")
    chapter.text_twin(hands.in_words(hand))


@st.fragment
def variants(name: str) -> None:
    """Multi-head, grouped, multi-query and a window, on the reader's sentence."""
    model = engine.model(name)
    view, _ = show.reading(model)
    start = show.opening(model)
    layer, head = start["layer"], start["head"]
    made, seconds = _variants(name, model.card.get("sha256", ""), view.ids, layer, head)
    _sharing(sharing.as_data(made, view.names, model.config.heads, layer, head),
             key="attention_sharing")  # fmt: skip
    chapter.mark("measured", by=name, where=f"converted just now; pictures of layer {layer + 1}, "
                 f"head {head + 1}", seconds=seconds)  # fmt: skip
    chapter.text_twin(sharing.in_words(made, len(view.ids)))


@st.cache_resource(max_entries=64, show_spinner=False)
def _variants(name: str, sha256: str, ids, layer: int, head: int):
    began = time.perf_counter()
    made = sharing.compute(engine.model(name), ids, layer, head)
    return made, time.perf_counter() - began


def gallery(model) -> galleries.Gallery:
    """The kinds of heads, each with the best that this model has."""
    found, seconds = gallery_of(model)
    shown = _gallery(galleries.as_data(found), key="attention_gallery")
    if isinstance(shown.open, list) and len(shown.open) == 2:
        layer, head = shown.open
        show.look_at(model.name, layer, head)
    chapter.mark("measured", by=model.name, where="repeated random words; held-out text",
                 seconds=seconds)  # fmt: skip
    chapter.text_twin(galleries.in_words(found))
    return found


@st.fragment
def ablation(name: str, whole) -> None:
    """Heads to take away, and what is left of the model."""
    model = engine.model(name)
    view, _ = show.reading(model)
    start = show.opening(model)
    given = components.state_of("attention_ablation", "taken", None)
    first = [[start["layer"], start["head"]]]
    taken = galleries.clamp(first if given is None else given, model.config)
    done, seconds = _ablated(name, model.card.get("sha256", ""), view.ids, taken, whole)
    _ablation(galleries.ablated_data(done, model.config), key="attention_ablation")
    chapter.mark("measured", by=name, where="held-out text of the tiny world", seconds=seconds)
    chapter.text_twin(galleries.ablated_in_words(done))


@st.cache_resource(max_entries=256, show_spinner=False)
def _ablated(name: str, sha256: str, ids, taken, _whole):
    began = time.perf_counter()
    done = galleries.ablate(engine.model(name), ids, taken, _whole)
    return done, time.perf_counter() - began


def recorded(model) -> training.Run | None:
    """The recorded run that made this model; None where fewer than two moments are stored."""
    return _recorded(model.name) if len(snapshots.snapshots(model.name)) > 1 else None


@st.cache_resource(max_entries=4, show_spinner=False)
def _recorded(name: str) -> training.Run:
    def loaded():
        for snapshot in snapshots.snapshots(name):
            model = snapshot.load()
            yield snapshots.measure(snapshot, model), model

    return training.compute(loaded())


def slider(run: training.Run, name: str) -> None:
    """The slider over a recorded run."""
    _training(training.as_data(run), key="attention_training")
    chapter.mark("measured", by=name, where=f"a recorded run of {len(run.moments)} moments")
    chapter.text_twin(training.in_words(run))
