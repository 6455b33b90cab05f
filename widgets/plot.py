"""Lines and dots over one plane, each axis straight or logarithmic.

    plot({"label": "Loss against tokens.", "x": axis, "y": axis, "series": [one, ...]}, key="loss")

An axis has a `title`, and may have `unit` (a point is read as "40 tokens" instead of "step 40"),
`log` and `domain`; what lies beyond that is drawn at its edge. A series has `name`, `color` (a
concept of widgets/look.py) and `points`, each x, y and, if that is better read than x, words. It
may have `dash`, `shape` ("circle", "diamond", "square") and `hollow`; `line` or `key` are false
where it has no line, or no place in the key. `bands` are areas: each point x, lowest and highest.
"""

from widgets.components import component

plot = component("plot", triggers=("rested",))
