"""The chapter on sampling, drawn: texts side by side, the tree, missing facts, usual settings."""

import time

import streamlit as st

from microgpt.decoding.sampling import Sampling
from widgets import chapter, engine, prose
from widgets import sampling_text_view as views
from widgets.components import component
from widgets.sampling import Desk, names_of
from widgets.sampling_link import as_values

_texts = component("sampling_texts")
_tree = component("sampling_tree")
_answers = component("sampling_answers")
_uses = component("sampling_uses")
TOKENS = 40  # of a text side by side
SAMPLES, SAMPLE_TOKENS = 20, 5  # for the usual settings

LASTING = {"max_entries": 128, "show_spinner": False}


def side_by_side(here: Desk, settings: Sampling, seed: int) -> None:
    """One prompt at five settings and at the reader's own, all with the reader's seed."""
    engine.wait("answering")
    named = {**views.SIDE_BY_SIDE, "Your settings, above": settings}
    rows = [_written(*_key(here), name, s, seed) for name, s in named.items()]
    view = {"rows": rows, "prompt": views.spoken_prompt(here.model, here.text)}
    _texts(view, key="sampling_texts")
    chapter.mark("computed", by=here.model.name, where=f"seed {seed} for each text",
                 seconds=sum(row["seconds"] for row in rows))  # fmt: skip
    chapter.text_twin(views.texts_in_words(view))


@st.cache_resource(**LASTING)
def _written(name, sha256, ids, title, settings, seed) -> dict:
    return views.texts_view(engine.model(name), ids, {title: settings}, seed, TOKENS)["rows"][0]


def tree(here: Desk) -> None:
    """The likeliest continuations, to walk along."""
    view, seconds = _grown(*_key(here))
    _tree(view, key="sampling_tree")
    chapter.mark("computed", by=here.model.name, where="at temperature 1, nothing cut",
                 seconds=seconds)  # fmt: skip
    chapter.text_twin(views.tree_in_words(view))


@st.cache_resource(**LASTING)
def _grown(name, sha256, ids) -> tuple[dict, float]:
    began = time.perf_counter()
    model = engine.model(name)
    view = views.tree_view(model, ids, names_of(model))
    return view, time.perf_counter() - began


def missing_facts(here: Desk) -> list[dict]:
    """What the model answers about places that it read about, and about others."""
    own = st.text_input(
        "A country or a place of your own, real or not", value="Narnia", key="sampling_place",
        max_chars=views.LONGEST_PLACE, persist_state="session", width=420,
    )  # fmt: skip
    places = [*views.PLACES, *([own] if own and own.strip() else [])]
    began = time.perf_counter()
    rows = [_asked(here.model.name, here.model.card.get("sha256", ""), p) for p in places]
    _answers({"rows": rows}, key="sampling_answers")
    chapter.mark("computed", by=here.model.name, where="always the likeliest token",
                 seconds=time.perf_counter() - began)  # fmt: skip
    return rows


@st.cache_resource(**LASTING)
def _asked(name, sha256, place) -> dict:
    return views.ask_capital(engine.model(name), place)


def usual_settings(here: Desk, seed: int) -> None:
    """What people set for a kind of work, and what that does to this prompt, measured."""
    rows, seconds = _used(*_key(here), seed)
    shown = [{**row, "words": settings_in_words(row["settings"]),
              "settings": as_values(row["settings"])} for row in rows]  # fmt: skip
    _uses({"rows": shown}, key="sampling_uses")
    chapter.mark("measured", by=here.model.name, where=f"{SAMPLES} texts of at most "
                 f"{SAMPLE_TOKENS} tokens for each row, seed {seed}", seconds=seconds)  # fmt: skip
    careful, open_ = rows[0], rows[-1]
    chapter.explain(
        f"In {careful['samples']} tries the careful settings, which leave "
        f"**{_many(careful['kept'], 'token')}** at the next place, wrote "
        f"**{_many(careful['distinct'], 'different beginning')}**; the open ones, which leave "
        f"**{_many(open_['kept'], 'token')}**, wrote **{open_['distinct']}**. "
        f"{_most_common(careful)}"
    )


def _many(count: int, one: str) -> str:
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def _most_common(row: dict) -> str:
    if row["times"] == 1:
        return "Not even the careful ones began twice in the same way."
    return (f"The careful ones wrote “{prose.literal(row['common'].strip())}” "
            f"{row['times']} times of {row['samples']}.")  # fmt: skip


@st.cache_resource(**LASTING)
def _used(name, sha256, ids, seed) -> tuple[list[dict], float]:
    began = time.perf_counter()
    rows = views.uses_table(engine.model(name), ids, seed, SAMPLES, SAMPLE_TOKENS)
    return rows, time.perf_counter() - began


def settings_in_words(settings: Sampling) -> str:
    """Only what is switched on."""
    words = [f"temperature {settings.temperature:g}"]
    if settings.top_k:
        words.append(f"top-k {settings.top_k}")
    if settings.top_p < 1:
        words.append(f"top-p {settings.top_p:g}")
    if settings.min_p:
        words.append(f"min-p {settings.min_p:g}")
    if settings.repetition_penalty != 1:
        words.append(f"repetition penalty {settings.repetition_penalty:g}")
    return ", ".join(words)


def _key(here: Desk) -> tuple[str, str, tuple[int, ...]]:
    return here.model.name, here.model.card.get("sha256", ""), here.ids
