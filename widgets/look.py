"""One color per concept, the same in prose, charts and components, in light and in dark.

The table below is the only place where these colors are written. Every value reads as text
(contrast at least 4.5:1) on both surfaces of its theme. Components get them as CSS variables
(`var(--query)`), charts by `color("query")`, and prose as `:query[words]`.
"""

import re

import streamlit as st

SURFACES = {"light": ("#fcfbf8", "#f3f0e9"), "dark": ("#15171c", "#1e2128")}

CONCEPTS = {  # name: (light, dark)
    "query": ("#1a5fb4", "#78aeed"),
    "key": ("#a85400", "#e69f00"),
    "value": ("#00704f", "#2fbf91"),
    "gradient": ("#bf2f10", "#f0814a"),
    "loss": ("#93468a", "#d78cc0"),
    "probability": ("#00728f", "#56b4e9"),
    "token": ("#5f6368", "#a8adb5"),
    "cache": ("#7a6100", "#d6c04a"),
    "residual": ("#1b1d22", "#f2f0ea"),
    "quiet": ("#666459", "#a5a299"),  # notes beside the text, not a concept
}

# Cividis, dark to light: the sequential scale. Blue to orange: the diverging one.
SEQUENTIAL = (
    "#00204d", "#00306f", "#2a406c", "#48526b", "#5e626e",
    "#727374", "#878479", "#a69d75", "#c7b76b", "#ffea46",
)  # fmt: skip
DIVERGING = (
    "#1a5fb4", "#4a83c6", "#7aa6d6", "#a9c8e6", "#d8e6f2",
    "#f6e3cf", "#eec08f", "#dd9a50", "#c4761f", "#a85400",
)  # fmt: skip

_TINT = re.compile(f":({'|'.join(CONCEPTS)})\\[")


def color(name: str) -> str:
    """CSS color of a concept for a chart or an SVG; it follows the theme by itself."""
    if name not in CONCEPTS:
        raise ValueError(f"No color is called {name!r}; there are {', '.join(CONCEPTS)}.")
    return f"var(--{name})"


def variables(selector: str) -> str:
    """The concept colors as CSS variables on `selector`; light-dark() follows the theme."""
    lines = [f"  --{name}: light-dark({a}, {b});" for name, (a, b) in CONCEPTS.items()]
    return "\n".join([f"{selector} {{", *lines, "}", ""])


def tint(markdown: str) -> str:
    """Prose in concept colors: `:query[asks]` -> Streamlit Markdown (works in labels too)."""
    pieces, end = [], 0
    for match in _TINT.finditer(markdown):
        close = _closing(markdown, match.end())
        if match.start() < end or close is None:
            continue
        light = CONCEPTS[match[1]][0]
        words = markdown[match.end() : close]
        pieces += [markdown[end : match.start()], f':color[{words}]{{foreground="{light}"}}']
        end = close + 1
    return "".join([*pieces, markdown[end:]])


def _closing(text: str, start: int) -> int | None:
    """Where the bracket that stands before `start` is closed."""
    depth = 1
    for i in range(start, len(text)):
        depth += {"[": 1, "]": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return None


def apply() -> None:
    """Put the concept colors and the few rules that Streamlit's theme has no word for."""
    from widgets.components import asset

    tints = "\n".join(
        f'[data-testid="stMarkdownContainer"] span[style*="{_rgb(a)}"]'
        f" {{ color: var(--{name}) !important; }}"
        for name, (a, _) in CONCEPTS.items()
    )
    st.html(f"<style>\n{variables(':root')}{tints}\n{asset('frame.css')}</style>")


def _rgb(color_hex: str) -> str:
    red, green, blue = (int(color_hex[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgb({red}, {green}, {blue})"
