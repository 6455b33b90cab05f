"""What a training run reads: stories of the tiny world, all of it, or the reader's own text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

import streamlit as st

from microgpt.training import own_text
from microgpt.world.corpus import MIX, documents
from widgets import prose

KEY = "pre_training_source"
OWN, PROBLEM = "pre_training:own", "pre_training:problem"
STORIES, WORLD, MINE = "Tiny stories", "The tiny world", "My own text"
MIXES = {STORIES: {"story": 1.0}, WORLD: MIX}
MEGABYTES = own_text.LARGEST // 1_000_000
SHOWN = 400  # documents of the tiny world that stand for it where data is looked at


@dataclass(frozen=True)
class Source:
    """A text to learn from; None for the tiny world, which is written in shares of `mix`."""

    name: str
    text: str | None
    mix: Mapping[str, float] = field(default_factory=lambda: MIX)


def choose() -> Source | None:
    """Draw the choice; None, with a sentence, where there is no text yet."""
    what = st.segmented_control("What it reads", [STORIES, WORLD, MINE], default=STORIES,
                                required=True,
                                key=KEY, persist_state="session")  # fmt: skip
    if what != MINE:
        return Source(what, None, MIXES[what])
    with st.container(key="pre_training_own"):
        st.text_area("Paste a text", key="pre_training_pasted", height=110, on_change=_pasted,
                     placeholder="Some pages at least: a model learns from what it is given.",
                     persist_state="session")  # fmt: skip
        st.file_uploader(f"Or a text file in UTF-8, at most {MEGABYTES} MB",
                         key="pre_training_file", max_upload_size=MEGABYTES,
                         on_change=_uploaded)  # fmt: skip
    problem = st.session_state.get(PROBLEM, "")
    own = st.session_state.get(OWN)
    if problem:
        st.warning(prose.literal(problem))
    if own is None:
        if not problem:
            st.info("Paste a text or choose a file. It stays on this server, for you alone, until "
                    "you leave.")  # fmt: skip
        return None
    name, text = own
    st.markdown(f":small[:material/description: {prose.literal(name)}: {len(text):,} characters]")
    return Source(name, text)


def _pasted() -> None:
    _take("What you pasted", lambda: st.session_state["pre_training_pasted"])


def _uploaded() -> None:
    file = st.session_state["pre_training_file"]
    if file is not None:
        _take(file.name[:80], lambda: own_text.read_text(file.getvalue(), file.name[:80]))


def _take(name: str, read) -> None:
    """Keep a text that can be learned from; of another, say why not. An empty box is no text."""
    st.session_state[PROBLEM] = ""
    try:
        text = read()
        if text.strip():
            st.session_state[OWN] = (name, own_text.check_text(text, name))
        else:
            st.session_state.pop(OWN, None)
    except ValueError as error:
        st.session_state[PROBLEM] = str(error)


@st.cache_resource(max_entries=1, show_spinner=False)
def world_sample() -> tuple[str, ...]:
    """Some documents of the tiny world, of all kinds, as text."""
    return tuple(document.text for document in islice(documents("live/sample"), SHOWN))


@st.cache_resource(max_entries=1, show_spinner=False)
def world_kinds() -> dict[str, int]:
    """Characters of each kind in that sample."""
    sizes: dict[str, int] = {}
    for document in islice(documents("live/sample"), SHOWN):
        sizes[document.kind] = sizes.get(document.kind, 0) + len(document.text)
    return sizes
