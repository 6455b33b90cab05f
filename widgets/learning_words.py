"""Nine words that every later chapter uses, each with what it is on this very page."""

from collections.abc import Mapping

import streamlit as st

from widgets import book, glossary, prose

WORDS = (
    "parameter",
    "weight",
    "bias",
    "training",
    "loss",
    "epoch",
    "batch size",
    "inference",
    "token",
)


def words(here: Mapping[str, str]) -> None:
    """Draw the list. `here` says, word by word, what it is on the page."""
    live = {chapter.slug: chapter for chapter in book.contents()}
    with st.container(key="learning_words", gap="small"):
        for word in WORDS:
            entry = glossary.find(word)
            text, link = st.columns([5, 1.4], vertical_alignment="center")
            text.markdown(
                prose.inline(
                    f"[[{entry.term}|**{word}**]]: {entry.plain} *In AI:* {entry.meaning} "
                    f"*How large:* {entry.scale} *Here:* {here[word]}"
                )
            )
            if entry.chapter in live:
                link.page_link(
                    live[entry.chapter].file,
                    label=live[entry.chapter].title,
                    icon=":material/arrow_forward:",
                )
