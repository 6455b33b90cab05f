"""The margin of the book: where you are, where you have been, and the glossary."""

import streamlit as st

from widgets import book, glossary, progress


def draw(here: book.Chapter) -> None:
    """Title, progress, chapters by part, glossary."""
    with st.sidebar:
        with st.container(key="book_title"):
            st.markdown(book.TITLE)
        progress.draw(here)
        part = 0
        for chapter in book.contents():
            if chapter.part != part:
                part = chapter.part
                st.markdown(f":small[:gray[{book.PARTS[part]}]]")
            label = f"{chapter.number} {chapter.title}" if chapter.number else chapter.title
            st.page_link(chapter.file, label=label)
        glossary.draw()
