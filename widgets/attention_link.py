"""The address of the chapter on attention: sentence, model, layer and head, for others to open.

Pure. Layers and heads count from 1, as on the page; 0 is the average. What an address asks in vain
is said in a sentence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LONGEST_LINK = 400  # characters of a sentence that still go into the address
NAMES = ("text", "m", "l", "h")
MOST = 999  # layers, heads


@dataclass(frozen=True)
class Link:
    """What the arcs show. `layer` and `head` count from 1; None is where the page opens."""

    text: str
    model: str
    layer: int | None = None
    head: int | None = None
    notices: tuple[str, ...] = field(default=(), compare=False)


def read_link(address: Mapping[str, str], fallback: Link, models: Sequence[str]) -> Link:
    """The picture that an address asks for."""
    notices = []

    def number(name: str, what: str) -> int | None:
        if name not in address:
            return None
        value = address[name]
        if value.isascii() and value.isdecimal() and int(value[:9]) <= MOST:
            return int(value[:9])
        notices.append(f"The address says {name}={_short(value)}, which is no {what}.")
        return None

    model = address.get("m", fallback.model)
    if model not in models:
        notices.append(f"There is no model {_short(model)} here; {fallback.model} is used.")
        model = fallback.model
    return Link(
        address.get("text", fallback.text), model, number("l", "layer"), number("h", "head"),
        tuple(notices),
    )  # fmt: skip


def write_link(link: Link, fallback: Link) -> dict[str, str]:
    """The address of the picture: only what differs from the page as it opens."""
    parts = {}
    if link.text != fallback.text and len(link.text) <= LONGEST_LINK:
        parts["text"] = link.text
    if link.model != fallback.model:
        parts["m"] = link.model
    if (link.layer, link.head) != (fallback.layer, fallback.head):
        parts |= {"l": str(link.layer), "h": str(link.head)}
    return parts


def counted(choice: Mapping[str, int], layers: int, heads: int) -> tuple[int, int]:
    """What the arcs call layer and head, from 0 and the average at the end, as an address has
    them."""
    return (choice["layer"] + 1) % (layers + 1), (choice["head"] + 1) % (heads + 1)


def chosen(link: Link, layers: int, heads: int) -> tuple[dict[str, int] | None, list[str]]:
    """The other way round, for a model of this size: None where the page opens as usual."""
    if link.layer is None and link.head is None:
        return None, []
    layer, head = link.layer or 0, link.head or 0
    notices = [
        f"{link.model} has {most} {what}s; {what} {value} of the address is not among them."
        for what, value, most in (("layer", layer, layers), ("head", head, heads))
        if value > most
    ]
    if notices:
        return None, notices
    place = {"layer": (layer - 1) % (layers + 1), "head": (head - 1) % (heads + 1)}
    return {**place, "query": -1, "key": -1}, []


def _short(text: str, most: int = 30) -> str:
    text = "".join(c if c.isprintable() else "?" for c in text)
    return f"“{text[:most]}…”" if len(text) > most else f"“{text}”"
