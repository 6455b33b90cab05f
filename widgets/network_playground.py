"""The playground: a network that trains on two-dimensional points in front of the reader."""

import math
import time
from dataclasses import replace

import numpy as np
import streamlit as st

from widgets import chapter, components, prose
from widgets import network_link as links
from widgets.components import component, packed
from widgets.network_controls import CONTROLS, KEY, KINDS, controls
from widgets.network_controls import table as own_table
from widgets.network_experiment import CELLS, Burst, Experiment

START_ASK = {"run": "", "n": 0, "from": 0, "steps": 0, "every": 1, "edits": [], "probe": [0.5, 0.5]}
LAG = 10  # seconds for which an older address of our own may still come in

_mount = component(KEY, states={"ask": START_ASK, "own": []})
_readout = component("network_readout")


@st.fragment
def playground() -> None:
    """Draw the controls, the table of own points where it is asked for, and the laboratory."""
    notices = _adopt_address()
    setup = controls()
    table = own_table() if setup.data == "csv" else None
    if table is not None and len(table) <= links.OWN:
        setup, table = replace(setup, own=links.rounded(table)), None
    for notice in notices:
        st.warning(prose.literal(notice))
    experiment = _experiment(setup, table)
    run = _name(setup, table)
    ask = clean_ask(components.state_of(KEY, "ask", START_ASK), run)
    burst = _burst(experiment, ask)
    training = experiment.live
    view = view_of(experiment, burst, ask) | {"run": run}
    if not ask["steps"] and training.finite():
        view["surface"] = packed(experiment.surface(training).astype(np.float32))
        view["inside"] = experiment.inside(training, ask["probe"])
    _mount(view, key=KEY)
    _readout({}, key="network_readout")
    chapter.mark(
        "measured",
        by="microgpt.basics.network",
        seconds=burst.seconds,
        where=f"step {burst.steps[-1]:,}, seed {setup.seed}",
    )
    chapter.text_twin(in_words(setup, experiment, burst))
    _write_address(setup, ask)
    st.session_state["network:inputs"] = _inputs()


def clean_ask(ask, run: str) -> dict:
    """What the browser asks for, forced into its limits; what belongs to another run is dropped,
    but for the point that is looked at."""
    ask = ask if isinstance(ask, dict) else START_ASK
    try:
        x, y = (min(links.EDGE, max(-links.EDGE, float(v))) for v in ask.get("probe"))
        probe = [x, y] if np.isfinite([x, y]).all() else START_ASK["probe"]
    except (TypeError, ValueError):
        probe = START_ASK["probe"]
    if ask.get("run") != run:
        return START_ASK | {"run": run, "probe": probe}

    def whole(name: str, low: int, high: int) -> int:
        value = ask.get(name)
        usable = isinstance(value, int | float) and np.isfinite(value)
        return int(min(high, max(low, value))) if usable else low

    start = whole("from", 0, links.MOST)
    return {
        "run": run,
        "n": whole("n", 0, 10**9),
        "from": start,
        "steps": min(whole("steps", 0, 1000), links.MOST - start),
        "every": whole("every", 1, 50),
        "edits": links.clean_edits(ask.get("edits")),
        "probe": probe,
    }


def _name(setup: links.Setup, table) -> str:
    """The name of a run: the same setup and points, the same name."""
    return str(setup) + (str(hash(table.x.tobytes())) if table is not None else "")


def _experiment(setup: links.Setup, table) -> Experiment:
    memory = st.session_state.get("network:experiment")
    name = _name(setup, table)
    if memory is None or memory[0] != name:
        memory = name, Experiment(setup, *links.points_of(setup, table))
        st.session_state["network:experiment"] = memory
    return memory[1]


def _burst(experiment: Experiment, ask: dict) -> Burst:
    """The steps asked for; asked for the same once more, the same answer without work."""
    wanted = (ask["run"], ask["n"], ask["from"], ask["steps"], ask["every"], ask["edits"])
    memory = st.session_state.get("network:burst")
    if memory is None or memory[0] != wanted:
        steps = 0 if experiment.trouble else ask["steps"]
        burst = experiment.burst(ask["from"], steps, ask["every"], ask["edits"])
        memory = wanted, burst
        st.session_state["network:burst"] = memory
    return memory[1]


def view_of(experiment: Experiment, burst: Burst, ask: dict) -> dict:
    train, test = (
        packed(np.column_stack([points.x, points.label]).astype(np.float32))
        for points in (experiment.train, experiment.test)
    )
    finite = np.isfinite(burst.frames).all(axis=1) & (np.abs(burst.frames) < 1e9).all(axis=1)
    return {
        "n": ask["n"],
        "asked": ask,
        "train": train,
        "test": test,
        "sizes": experiment.live.sizes,
        "activation": experiment.setup.activation,
        "name": links.ACTIVATIONS[experiment.setup.activation],
        "steps": [s for s, fine in zip(burst.steps, finite, strict=True) if fine],
        "frames": packed(burst.frames[finite].astype(np.float32)),
        "scores": packed(burst.scores[finite].astype(np.float32)),
        "diverged": burst.diverged,
        "trouble": experiment.trouble,
        "batch": min(experiment.setup.batch, len(experiment.train)),
        "clicks": experiment.setup.data == "own",
        "kind": KINDS[st.session_state.get("network_kind", "■ a square")],
        "edge": links.EDGE,
        "cells": CELLS,
        "most": links.MOST,
        "mostOwn": links.OWN,
        "mostEdits": links.EDITS,
    }


def in_words(setup: links.Setup, experiment: Experiment, burst: Burst) -> str:
    if experiment.trouble:
        return experiment.trouble
    sizes = ", ".join(map(str, experiment.live.sizes))
    train_loss, train_right, test_loss, test_right = burst.scores[-1]
    held = (
        f"On the {len(experiment.test)} held-back points the loss is {test_loss:.3f} and "
        f"{test_right:.1%} are right."
        if len(experiment.test)
        else f"No points are held back: that takes at least {links.FEW}."
    )
    end = " Then the numbers ran out of bounds." if burst.diverged else ""
    return (
        f"A network with layers of {sizes} neurons, inputs first, "
        f"{links.ACTIVATIONS[setup.activation]} as activation, {burst.frames.shape[1]} parameters. "
        f"After {burst.steps[-1]:,} steps the loss on {len(experiment.train)} points is "
        f"{train_loss:.3f} and {train_right:.1%} are on the right side. {held}{end}"
    )


def _adopt_address() -> tuple[str, ...]:
    """A link that was followed sets everything; its faults are said until something changes."""
    address, moved = _shown_address(), _inputs() != st.session_state.get("network:inputs")
    if not address or _is_ours(address, moved):
        return st.session_state.get("network:notices", ()) if address else ()
    link = links.read_link(address)
    for name in CONTROLS:
        st.session_state[f"network_{name}"] = getattr(link.setup, name)
    ask = START_ASK | {
        "run": _name(link.setup, None),
        "from": link.step,
        "edits": [list(e) for e in link.edits],
    }
    st.session_state["network_layers"] = len(link.setup.hidden)
    for i, width in enumerate(link.setup.hidden):
        st.session_state[f"network_width_{i}"] = width
    components.force(KEY, own=[list(p) for p in link.setup.own], ask=ask)
    _note(address)
    st.session_state["network:notices"] = link.notices
    return link.notices


def _write_address(setup: links.Setup, ask: dict) -> None:
    """Keep the address such that it opens this very place; while it trains, as it was."""
    if ask["steps"]:
        return
    edits = tuple(edit for edit in ask["edits"] if edit[0] <= ask["from"])
    if setup.data == "csv" and setup.own:
        setup = replace(setup, data="own")  # the address holds the points, not the table
    address = links.write_link(links.Link(setup, ask["from"], edits))
    if _shown_address() != address:
        others = {k: v for k, v in st.query_params.items() if k not in links.ALL_NAMES}
        st.query_params.from_dict({**others, **address})
        st.session_state["network:notices"] = ()
    _note(address)


def _shown_address() -> dict[str, str]:
    return {k: st.query_params[k] for k in links.ALL_NAMES if k in st.query_params}


def _note(address: dict[str, str]) -> None:
    written = st.session_state.setdefault("network:written", {})
    written[frozenset(address.items())] = time.monotonic()
    for old in sorted(written, key=written.get)[:-100]:
        del written[old]


def _is_ours(address: dict[str, str], moved: bool) -> bool:
    """Whether this page wrote the address: the newest, one of a moment ago, or any that comes with
    something new. A browser that is busy sends an older address of ours along with a newer click;
    that is no link to follow. An older one that comes alone is: somebody went back."""
    written = st.session_state.get("network:written", {})
    when = written.get(frozenset(address.items()), -math.inf)
    newest = when >= max(written.values(), default=0)
    return newest or time.monotonic() - when < LAG or (moved and when > -math.inf)


def _inputs() -> str:
    """All that the reader can change: the controls, the points, and what the browser asks for."""
    names = (*CONTROLS, "layers", *(f"width_{i}" for i in range(links.LAYERS)))
    chosen = [st.session_state.get(f"network_{name}") for name in names]
    states = [components.state_of(KEY, "own", []), components.state_of(KEY, "ask", START_ASK)]
    return str([*chosen, *states])
