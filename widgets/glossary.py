"""The glossary: every term in plain words, what it means in AI, its real scale, where it is live.

The terms are in assets/glossary.json. In prose `[[token]]` opens the card of a term; the
margin of every page has them all, with a search.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import streamlit as st

from widgets import book
from widgets.components import component

FILE = Path(__file__).resolve().parent.parent / "assets" / "glossary.json"

_mount = component("glossary", triggers=("go",))


@dataclass(frozen=True)
class Term:
    """One entry. `chapter` is the slug of the page where the term is live."""

    term: str
    plain: str
    meaning: str
    scale: str
    chapter: str
    aliases: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in self.term.lower())


@cache
def terms() -> tuple[Term, ...]:
    """All entries in the order of the alphabet."""
    entries = json.loads(FILE.read_text(encoding="utf-8"))
    found = [Term(**{**entry, "aliases": tuple(entry.get("aliases", ()))}) for entry in entries]
    return tuple(sorted(found, key=lambda entry: entry.term.lower()))


@cache
def find(name: str) -> Term:
    """The entry with this name, whatever its case and with or without a plural s."""
    wanted = name.strip().lower()
    by_name = {n.lower(): entry for entry in terms() for n in (entry.term, *entry.aliases)}
    for spelling in (wanted, wanted.removesuffix("s"), wanted.removesuffix("es")):
        if spelling in by_name:
            return by_name[spelling]
    raise ValueError(f"The glossary has no {name!r}; add it to assets/glossary.json.")


def draw() -> None:
    """The searchable list, and the cards that the terms of the page open."""
    live = {chapter.slug: chapter.title for chapter in book.contents()}
    # The same on every page, so that the browser, which has it already, is sent a reference.
    entries = [{**asdict(entry), "slug": entry.slug} for entry in terms()]
    shown = _mount({"terms": entries, "chapters": live}, key="glossary")
    if shown.go in live:
        st.switch_page(book.find(shown.go).file)
