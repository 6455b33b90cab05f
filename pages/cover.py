"""The cover: what this is, one line to try, and the map of the book."""

import streamlit as st

from widgets import book, contents, engine, next_token, prose

FIRST_LINE = "The curious cat"

book.send_through_app()

prose.lead("How GPT works, in a book where nothing is faked")
prose.explain(
    "Every picture here is computed, in front of you, by a small GPT: a [[language model]] whose "
    "whole program you can read, and which was trained by that program. It has read nothing but "
    "a tiny made-up world: short stories, a few facts, lists, sums. Type into the line, and watch "
    "what it thinks comes next."
)

line = st.container()  # the map first: it waits for nothing
st.header("The book", anchor=False)
contents.draw()

with line:
    if "tiny-base" in engine.models():
        next_token.next_token("tiny-base", FIRST_LINE)
    else:
        st.warning(
            "The model tiny-base is not in assets/models. Train it with "
            "`python -m microgpt train tiny-base`, then reload this page."
        )
