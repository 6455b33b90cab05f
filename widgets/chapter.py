"""The frame of a page, in the order in which a chapter uses it.

chapter.begin("sampling")
chapter.question("Which token does it say?", "The model gives a probability to each ...")
guess = chapter.predict(chapter.Choice("...", ["a", "b"], answer=1, explain="..."))
...widgets...
chapter.mark("computed", by="tiny-base", seconds=0.0018)
chapter.explain("The [[logit|logits]] are divided by **{t:.2f}** ...")
chapter.read_code(sampling.stages, focus="probabilities", live={"probabilities": p})
chapter.check(chapter.Choice(...), chapter.Number(...))
chapter.real_models(chapter.Reported("GPT-3", "...", "Brown et al.", 2020))
chapter.end()
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from widgets import book, marks, progress, prose, questions, source
from widgets.questions import Choice, Number, Prediction

__all__ = [
    "Choice", "Number", "Prediction", "Reported", "begin", "check", "end", "explain", "heading",
    "mark", "predict", "question", "read_code", "real_models", "text_twin",
]  # fmt: skip

mark = marks.mark
explain = prose.explain


def begin(slug: str) -> book.Chapter:
    """The first call of a page; its title stands already, above."""
    book.send_through_app()
    here = book.find(slug)
    progress.reset_run()
    st.session_state["chapter"] = slug
    return here


def question(text: str, link: str) -> None:
    """The one question of the chapter, and the sentence that ties it to the chapter before."""
    progress.count("asked")
    prose.lead(text)
    prose.explain(link)


def heading(text: str) -> None:
    """The heading of a section."""
    st.header(prose.inline(text), anchor=False)


def predict(asked: Choice | Number) -> Prediction | None:
    """The one gate of a page: None until the reader commits; draw the reveal once it is not."""
    if progress.count("gates"):
        raise ValueError("A page has one prediction at most; this is the second.")
    return questions.predict(_here(), asked)


def read_code(
    function: Callable,
    focus: str | tuple[str, ...] | None = None,
    live: Mapping[str, np.ndarray] | None = None,
    fast: Callable | None = None,
    fast_focus: str | tuple[str, ...] | None = None,
    ran: str | None = None,
    opened: bool = True,
) -> None:
    """The very source that made the picture, the lines that matter lit, live shapes beside.

    `focus` says what those lines do: "weights" (they assign it), "softmax()" (they call it),
    "return"; several in a tuple. `fast` is the Numba twin, in a second tab; `ran` says which of
    the two made this picture: "readable" or "fast".
    """
    key = f"{_here()}_source_{progress.count('panels')}"
    source.panel(function, focus, live, fast, fast_focus, ran, opened, key)


def text_twin(summary: str, label: str = "The same in words") -> None:
    """What a chart shows, its least, its most and its trend, for those who don't see it."""
    with st.expander(label, type="compact"):
        prose.explain(summary)


def check(*asked: Choice | Number) -> None:
    """Check yourself: 2 to 4 questions, graded as they are answered."""
    if progress.count("checks"):
        raise ValueError("A page has one set of questions; put them all in one check(...).")
    heading("Check yourself")
    questions.check(_here(), asked, progress.score)


@dataclass(frozen=True)
class Reported:
    """A figure said elsewhere: who, what, how it is known, and where it stands."""

    model: str
    says: str
    source: str
    year: int
    status: str = "published"  # or "estimated", "claimed", "disputed"

    def __post_init__(self):
        known = ("published", "estimated", "claimed", "disputed")
        if self.status not in known:
            raise ValueError(f"{self.status!r} is not one of {', '.join(known)}.")


def real_models(*rows: Reported) -> None:
    """What this looks like in the models people use: reported figures, with their sources."""
    heading("In the real models")
    table = ["| Model | What is said | How it is known |", "|---|---|---|"]
    for row in rows:
        known = f"{row.status}: {row.source}, {row.year}"
        cells = (f"**{row.model}**", prose.inline(row.says), f":small[{known}]")
        table.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    st.markdown("\n".join(table))
    icon = marks.KINDS["reported"][0]
    st.markdown(f":small[:gray[:material/{icon}: reported; none of it was measured here]]")


def end() -> None:
    """The chapter before and the chapter after."""
    progress.count("ends")
    before, after = book.neighbors(book.find(_here()))
    st.divider()
    with st.container(horizontal=True, horizontal_alignment="distribute", key="turn_page"):
        if before:
            st.page_link(before.file, label=f"Back: {before.title}", icon=":material/arrow_back:")
        if after:
            st.page_link(
                after.file,
                label=f"Next: {after.title}",
                icon=":material/arrow_forward:",
                icon_position="right",
            )


def _here() -> str:
    return st.session_state["chapter"]
