"""Prose with live numbers, concept colors and glossary terms.

`[[token]]` becomes a term that opens its card; `[[token|tokens]]` shows other words.
`:query[asks]` is written in the color of queries, and so for every concept in widgets/look.py.
"""

import re

import streamlit as st

from widgets import glossary, look

_TERM = re.compile(r"\[\[([^\[\]|]+)(?:\|([^\[\]]+))?\]\]")

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|$~:&])")


def inline(markdown: str) -> str:
    """Terms as links to their cards, concepts in their colors; for `st.markdown` and labels."""

    def link(match: re.Match) -> str:
        term = glossary.find(match[1])
        return f"[{match[2] or match[1]}](#term-{term.slug})"

    return look.tint(_TERM.sub(link, markdown))


def literal(text: str) -> str:
    """Text that is no Markdown (a prompt, a token) made safe to stand inside Markdown."""
    text = _SPECIAL.sub(r"\\\1", text)
    return text.replace("\n", "↵").replace("\t", "⇥")


def explain(markdown: str) -> None:
    """One or more paragraphs of prose."""
    st.markdown(inline(markdown))


def lead(markdown: str) -> None:
    """The line under a title, in the type of titles: a question, or what this is."""
    with st.container(key="lead"):
        st.markdown(inline(markdown))
