"""The table of contents, and the one place that builds the navigation from it.

A chapter is one entry here and one file, pages/<slug>.py; its address is /<slug>. Entries
whose file does not exist are not shown.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parent.parent
TITLE = "Press Enter"
PAINT = 0.04  # seconds in which the browser can show a new title before it gets a page to lay out


@dataclass(frozen=True)
class Chapter:
    number: int
    slug: str
    title: str
    part: int
    question: str
    width: int = 880  # of the column, in pixels

    @property
    def file(self) -> str:
        return f"pages/{self.slug}.py"


PARTS = {
    1: "The mathematics of learning",
    2: "Machines that learn",
    3: "Inside a language model",
    4: "Making it speak",
    5: "From predictor to assistant",
    6: "Press Enter",
}

CHAPTERS = (
    Chapter(0, "cover", "The cover", 0, "What happens when you press Enter?"),
    Chapter(
        1, "functions", "Functions", 1,
        "What does a machine do that turns one thing into another?",
    ),
    Chapter(
        2, "derivatives", "Derivatives", 1,
        "How steep is a curve in one single point?",
    ),
    Chapter(
        3, "gradient_descent", "Gradient descent", 1,
        "How do you find the lowest place when you only feel the slope under your feet?",
    ),
    Chapter(
        4, "ways_of_learning", "AI, machine learning, deep learning", 2,
        "What does it mean that a machine learns?",
    ),
    Chapter(
        5, "neural_networks", "Neural networks", 2,
        "How can a heap of sums tell a cat from a dog?",
    ),
    Chapter(
        6, "activations", "Activation functions", 2,
        "Why does a network need a bend between its sums?",
    ),
    Chapter(
        7, "backpropagation", "Backpropagation", 2,
        "How does each of a million weights learn its share of the blame?",
    ),
    Chapter(
        8, "tokens", "Tokens and embeddings", 3,
        "How does a sentence become numbers that a machine can learn from?",
    ),
    Chapter(
        9, "attention", "Attention", 3,
        "How does a word know which other words matter?",
    ),
    Chapter(
        10, "transformer", "The transformer", 3,
        "What happens to a word between the first layer and the last?",
    ),
    Chapter(
        11, "architectures", "Architectures", 3,
        "Must every word look at every other, and every token meet every weight?",
    ),
    Chapter(
        12, "sampling", "Sampling", 4,
        "The model gives a probability to every token. Which one does it say?",
    ),
    Chapter(
        15, "pre_training", "Pre-training", 5,
        "How does a model learn to write from nothing but text?",
    ),
    Chapter(
        16, "teaching", "Teaching it to help", 5,
        "How does a predictor of text become an assistant?",
    ),
    Chapter(
        20, "press_enter", "Press Enter", 6,
        "What happens between the Enter key and the answer?",
    ),
    Chapter(
        21, "read_the_engine", "Read the engine", 6,
        "Can you read the whole machine?",
    ),
)  # fmt: skip

_thread = threading.local()


def contents() -> list[Chapter]:
    """The chapters that exist, in reading order, the cover first."""
    return [chapter for chapter in CHAPTERS if (ROOT / chapter.file).exists()]


def find(slug: str) -> Chapter:
    """The chapter with this slug. ValueError when the table of contents has none."""
    for chapter in CHAPTERS:
        if chapter.slug == slug:
            return chapter
    known = ", ".join(chapter.slug for chapter in CHAPTERS)
    raise ValueError(f"No chapter is called {slug!r}; the table of contents has {known}.")


def neighbors(chapter: Chapter) -> tuple[Chapter | None, Chapter | None]:
    """The chapters before and after this one, among those that exist."""
    known = contents()
    i = known.index(chapter)
    return (known[i - 1] if i > 0 else None, known[i + 1] if i + 1 < len(known) else None)


def navigation():
    """Tell Streamlit the pages; returns the chapter that was asked for, and its page."""
    known = contents()
    # No url_path: the address is the file's name, the same that Streamlit's own discovery of
    # the pages folder would use, so a link resolves whoever hears of it first.
    pages = [st.Page(c.file, title=_tab_title(c), default=i == 0) for i, c in enumerate(known)]
    page = st.navigation(pages, position="hidden")
    chapter = next((c for c, p in zip(known, pages, strict=True) if p == page), known[0])
    return chapter, page


def open_page() -> None:
    """What app.py does: the page that was asked for, inside the frame of the book."""
    from widgets import engine, glossary, jobs, look, sidebar

    st.set_page_config(layout="wide", initial_sidebar_state="auto")
    chapter, page = navigation()
    look.apply()
    embedded = bool(st.context.is_embedded)
    with st.container(horizontal_alignment="center"), st.container(width=chapter.width):
        _heading(chapter)  # first of all: whoever turns a page sees at once that it has turned
        if st.session_state.get("chapter") != chapter.slug:
            time.sleep(PAINT)
        if not embedded:
            sidebar.draw(chapter)
        _thread.routed = True
        try:
            with jobs.crossing.drawing():
                page.run()
        finally:
            _thread.routed = False
        if embedded:
            glossary.draw()
    engine.warm_up()


def _heading(chapter: Chapter) -> None:
    if chapter.number:
        part = f"Part {chapter.part} · {PARTS[chapter.part]} · chapter {chapter.number}"
        st.markdown(f":small[:gray[{part}]]")
    st.title(chapter.title if chapter.number else TITLE, anchor=False)


def send_through_app() -> None:
    """First call of every page. Streamlit discovers the pages folder by itself and can run a
    page without app.py: for a deep link into a server that just started, and in tests. Naming
    the navigation turns the discovery off; the rerun then comes through app.py."""
    if not getattr(_thread, "routed", False):
        navigation()
        st.rerun()


def _tab_title(chapter: Chapter) -> str:
    return f"{chapter.title} · {TITLE}" if chapter.number else TITLE
