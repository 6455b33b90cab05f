"""The nested map: AI, machine learning, deep learning, language models, and who is who."""

from dataclasses import asdict, dataclass

import streamlit as st

from widgets import chapter
from widgets.components import component

_mount = component("learning_map", states={"ring": 0})


@dataclass(frozen=True)
class Ring:
    """A field that lies inside the one before it."""

    name: str
    plain: str
    adds: str  # what is asked of a thing in this ring, beyond the ring around it


@dataclass(frozen=True)
class Example:
    """Something to place: `ring` is the innermost one it belongs to."""

    name: str
    ring: int
    why: str


RINGS = (
    Ring(
        "AI",
        "Artificial intelligence: machines that do what seems to need a mind.",
        "Any method will do, rules written by people among them.",
    ),
    Ring(
        "Machine learning",
        "Programs that find their rule in examples.",
        "Nobody writes the rule. It sits in numbers, and data set them.",
    ),
    Ring(
        "Deep learning",
        "Machine learning with networks of many layers.",
        "Each layer makes its own numbers out of those of the layer before.",
    ),
    Ring(
        "Language models",
        "Deep networks that say what comes next in a text.",
        "One task, the next token, over and over.",
    ),
    Ring(
        "GPT · Claude · Gemini",
        "Families of large language models.",
        "Made to answer people, by further training after the first.",
    ),
)

EXAMPLES = (
    Example(
        "Chess by hand-written rules",
        0,
        "People wrote down how to search and what each position is worth. "
        "No example ever changes it.",
    ),
    Example(
        "A route finder",
        0,
        "It searches a map by a fixed rule. The yardstick of the grid below is one.",
    ),
    Example(
        "k-means, below",
        1,
        "It finds groups in points. Its numbers come from data, but it has no layers.",
    ),
    Example(
        "The grid agent, below",
        1,
        "It learns a table from rewards: machine learning without a network.",
    ),
    Example(
        "A spam filter that counts words",
        1,
        "It learns from mail that people marked which words give spam away.",
    ),
    Example(
        "A network that reads X-rays",
        2,
        "Many layers, trained on pictures. It is deep learning, and it has nothing to say.",
    ),
    Example(
        "tiny-base, in this book",
        3,
        "A small GPT, trained by this book's own engine. Chapter 20 runs it.",
    ),
    Example("ChatGPT", 4, "A program around models of the GPT family, made by OpenAI."),
)


@st.fragment
def learning_map() -> None:
    """Draw the map, with examples to place on it."""
    shown = _mount(
        {
            "rings": [asdict(ring) for ring in RINGS],
            "examples": [asdict(example) for example in EXAMPLES],
        },
        key="learning_map",
    )
    ring = shown.ring if isinstance(shown.ring, int) and 0 <= shown.ring < len(RINGS) else 0
    chapter.text_twin(
        "From the outside in, each inside the one before: "
        + "; ".join(f"**{r.name}**, {r.plain[0].lower()}{r.plain[1:].rstrip('.')}" for r in RINGS)
        + f". You are looking at **{RINGS[ring].name}**."
    )
