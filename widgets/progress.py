"""Where the reader has been. It stays in the browser (localStorage) and survives a reload."""

import streamlit as st

from widgets import book, jobs
from widgets.components import component

_bar = component("progress")
_score = component("score")


def chapters() -> list[dict]:
    """The chapters that exist, as the components need them."""
    return [
        {"slug": c.slug, "number": c.number, "title": c.title, "part": book.PARTS[c.part]}
        for c in book.contents()
        if c.number
    ]


def draw(here: book.Chapter) -> None:
    """The bar in the margin; it also notes that this chapter has been opened."""
    view = {"chapters": chapters(), "here": here.slug, "learner": jobs.learner()}
    _bar(view | {"cookie": jobs.COOKIE}, key="progress")


def score(slug: str, total: int, answered: dict[str, bool]) -> None:
    """The line under the questions of a chapter; it keeps the answers in the browser."""
    _score({"slug": slug, "total": total, "answered": answered}, key=f"score_{slug}")


def reset_run() -> None:
    """Forget what the frame counts within one run of a page."""
    counted = ("asked", "gates", "panels", "checks", "ends")
    st.session_state["frame"] = dict.fromkeys(counted, 0)


def count(what: str) -> int:
    """How many times the page being drawn has done this before."""
    frame = st.session_state["frame"]
    frame[what] += 1
    return frame[what] - 1
