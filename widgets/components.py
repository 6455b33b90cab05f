"""Registers the components in assets/components: plain JavaScript and CSS, no build step.

    _mount = component("next_token", states={"text": ""}, triggers=("enter",))

    shown = _mount({"tokens": tokens, "probabilities": packed(p)}, key="demo")
    shown.text      # the state, kept when the page is left and opened again
    shown.enter     # the trigger, None but in the run it caused

The JavaScript file has one `export default function ({ data, parentElement, setStateValue,
setTriggerValue })` and draws into `parentElement.querySelector(".root")`. Its conventions:

- It is called again whenever the data or the theme changes, so every call is idempotent: keep
  what lasts in a `WeakMap` keyed by `parentElement`, write `element.onclick = ...` (no
  `addEventListener` on elements that last), take the callbacks of the newest call.
- `data` is the view that Python sent. `data.initial` holds the states as Python knew them when
  the component appeared, `data.rev` counts how often Python has forced them. Adopt
  `data.initial` when the WeakMap has no entry yet or `data.rev` has changed, and never
  otherwise: an echo must not pull a point back under a finger.
- Drawing answers in the same frame. Tell Python on release, or at most ten times a second.
- Return a cleanup function: cancel timers and animation frames, remove listeners on `document`,
  delete the WeakMap entry. Only the function of the last call runs, once, at the end.
- `shared.js` stands before every component: `unpack(packed)`, `escapeHtml(text)`,
  `reducedMotion()`, `debounce(f, ms)`. Colors: `var(--query)` and the other concepts of
  widgets/look.py, and Streamlit's own `--st-...` variables.
- Where a job is shown (widgets/live.py), `shared.js` fetches newer views and calls the function
  with them; its component needs the trigger "rested" and nothing else.
- Keyboard: what a mouse can do, keys can do. Never color alone. Targets of 44 px on a phone.
"""

import base64
import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st

from widgets import look

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "components"
BUDGET = 1_500_000  # bytes of JSON that one component may be sent


@cache
def asset(name: str) -> str:
    """Text of a file in assets/components."""
    return (FOLDER / name).read_text(encoding="utf-8")


def packed(array: np.ndarray) -> dict:
    """An array for JavaScript's `unpack`: float32, uint8 or int32 in base64, with its shape."""
    if array.dtype not in (np.float32, np.uint8, np.int32):
        raise ValueError(f"Only float32, uint8 and int32 are packed, not {array.dtype}; convert.")
    if array.dtype == np.float32 and not np.isfinite(array).all():
        raise ValueError("The array holds NaN or infinity, which the browser could not read.")
    data = base64.b64encode(np.ascontiguousarray(array)).decode("ascii")
    return {"packed": data, "dtype": str(array.dtype), "shape": list(array.shape)}


def payload(view: Mapping) -> dict:
    """`view` as plain JSON values: finite numbers, lists, text; at most 1.5 MB.

    Arrays become nested lists; send large ones through `packed`. ValueError names the place of
    a number that is not finite, or of a value that JSON cannot hold.
    """
    plain = _plain(view, "view")
    size = len(json.dumps(plain, allow_nan=False, separators=(",", ":")))
    if size > BUDGET:
        raise ValueError(
            f"The view has {size:,} bytes and a component may be sent {BUDGET:,}; "
            "send fewer numbers, or arrays through packed(array)."
        )
    return plain


def _plain(value, place: str):
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{place} is {value}; a component can only be sent finite numbers.")
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v, f"{place}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, f"{place}[{i}]") for i, v in enumerate(value)]
    raise ValueError(f"{place} is a {type(value).__name__}; a component can't be sent that.")


def component(
    name: str,
    states: Mapping[str, object] | None = None,
    triggers: tuple[str, ...] = (),
    scripts: tuple[str, ...] = (),
) -> Callable:
    """Register assets/components/<name>.js and .css; returns `mount(view, *, key, height, source)`.

    `states` are values the browser may set, with their defaults; they last as long as the
    session. `triggers` are events. Each mount needs a `key` of its own; `source` is where newer
    views come from (widgets/live.py). A long script is several: `scripts` name those that stand
    before it, functions and constants only, with their styles.
    """
    script = asset(f"{name}.js")
    head = "export default function"
    if script.count(head) != 1:
        raise ValueError(f"{name}.js must have exactly one '{head}'; it has {script.count(head)}.")
    # The view travels in a list, with where newer ones are: Streamlit looks for data frames at
    # the first level of a dict, and that search would import pandas (a second) before the first
    # picture.
    script = "\n".join(
        [
            asset("shared.js"),
            *(asset(f"{part}.js") for part in scripts),
            script.replace(head, "function draw"),
            "export default (component) => following(draw, component);",
        ]
    )
    styles = [f"{part}.css" for part in (*scripts, name) if (FOLDER / f"{part}.css").exists()]
    style = "\n".join([look.variables(":host"), asset("shared.css"), *map(asset, styles)])
    register = st.components.v2.component(
        f"press_enter_{name}", html='<div class="root"></div>', css=style, js=script
    )
    defaults = dict(states or {})
    handlers = {f"on_{event}_change": _nothing for event in (*defaults, *triggers)}

    def mount(
        view: Mapping, *, key: str, height: str | int = "content", source: Mapping | None = None
    ):
        memory = _memory(key, defaults)
        if key not in st.session_state:  # the component is about to appear
            memory["initial"] = dict(memory["values"])
        data = [payload({**view, "initial": memory["initial"], "rev": memory["rev"]}), source]
        result = register(
            key=key, data=data, height=height, default=memory["values"] or None, **handlers
        )
        memory["values"] = {state: result[state] for state in defaults}
        return result

    return mount


def state_of(key: str, state: str, default):
    """A component's state before it is mounted in this run: what the browser said last, else what
    was kept from an earlier visit, else `default`."""
    kept = st.session_state.get(f"{key}:memory", {}).get("values", {})
    return st.session_state.get(key, {}).get(state, kept.get(state, default))


def force(key: str, **values) -> None:
    """Set states of a component from Python; call it in a callback, before the mount."""
    memory = _memory(key, {})
    memory["values"] = {**memory["values"], **values}
    memory["initial"] = dict(memory["values"])
    memory["rev"] += 1
    if key in st.session_state:
        for state, value in values.items():
            st.session_state[key][state] = value


def _memory(key: str, defaults: Mapping) -> dict:
    # A component's own state is dropped when its page is left; this copy is not.
    fresh = {"values": dict(defaults), "initial": dict(defaults), "rev": 0}
    memory = st.session_state.setdefault(f"{key}:memory", fresh)
    memory["values"] = {**defaults, **memory["values"]}
    return memory


def _nothing() -> None:
    pass
