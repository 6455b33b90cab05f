"""The map of the book on its cover."""

import streamlit as st

from widgets import book, progress
from widgets.components import component

_mount = component("contents", triggers=("go",))


def draw() -> None:
    """Parts, chapters and their questions; what the reader opened, and where they stopped."""
    chapters = [
        {**chapter, "question": book.find(chapter["slug"]).question}
        for chapter in progress.chapters()
    ]
    shown = _mount({"chapters": chapters}, key="contents")
    if shown.go in {chapter["slug"] for chapter in chapters}:
        st.switch_page(book.find(shown.go).file)
