"""What can be chosen in the playground: points, layers, activation, rate, and one's own points."""

import streamlit as st

from microgpt.basics import datasets
from widgets import components, prose
from widgets import network_link as links

KEY = "network_playground"  # of the component, whose state holds the clicked points
CONTROLS = ("data", "activation", "rate", "seed", "noise", "batch", "penalty", "optimizer")
KINDS = {"■ a square": 1, "● a circle": 0}
ROW = {"horizontal": True, "gap": "small", "vertical_alignment": "bottom"}
EXAMPLE = "height, weight, kind\n0.2, 1.1, cat\n2.5, 0.4, dog\n0.4, oops, cat\n2.2, 0.9, dog"


def controls() -> links.Setup:
    """Draw all controls but the table; what they say is the setup."""
    start = links.Setup()
    for name in CONTROLS:
        st.session_state.setdefault(f"network_{name}", getattr(start, name))
    for i in range(links.LAYERS):
        st.session_state.setdefault(f"network_width_{i}", links.NEURONS)
    st.session_state.setdefault("network_layers", len(start.hidden))
    with st.container(**ROW):
        data = _choose("Points", "data", links.DATA, links.DATA.get, 170)
        activation = _choose(
            "Activation", "activation", links.ACTIVATIONS, links.ACTIVATIONS.get, 130
        )
        rate = _choose("Learning rate", "rate", links.RATES, lambda r: f"{r:g}", 110)
        layers = _choose("Hidden layers", "layers", range(links.LAYERS + 1), str, 110)
        hidden = tuple(
            _choose(f"Layer {i + 1}", f"width_{i}", range(1, links.NEURONS + 1), str, 72)
            for i in range(layers)
        )
    more = _more(made=data not in ("own", "csv"))
    own = _clicked() if data == "own" else ()
    return links.Setup(data=data, activation=activation, rate=rate, hidden=hidden, own=own, **more)


def _more(made: bool) -> dict:
    """The controls that can wait; noise is for sets that are made."""
    with st.expander("Noise, batch, regularization, optimizer, seed"), st.container(**ROW):
        noise = st.slider(
            "Noise",
            0.0,
            0.5,
            step=0.01,
            key="network_noise",
            persist_state="session",
            disabled=not made,
            width=170,
        )
        batch = _choose(
            "Batch", "batch", links.BATCHES, lambda b: "all" if b == 1000 else str(b), 100
        )
        penalty = _choose(
            "L2 penalty", "penalty", links.PENALTIES, lambda p: f"{p:g}" if p else "none", 120
        )
        optimizer = _choose("Optimizer", "optimizer", links.OPTIMIZERS, links.OPTIMIZERS.get, 140)
        seed = st.number_input(
            "Seed", 0, links.LAST_SEED, key="network_seed", persist_state="session", width=140
        )
    return {
        "noise": noise if made else links.Setup.noise,
        "batch": batch,
        "penalty": penalty,
        "optimizer": optimizer,
        "seed": int(seed),
    }


def _clicked() -> tuple[tuple[float, float, int], ...]:
    """The reader's own points, and what a click or a button does to them."""
    own = links.clean_own(components.state_of(KEY, "own", []))

    def change(points) -> None:
        components.force(KEY, own=[list(point) for point in points])

    def add() -> None:
        state = st.session_state
        point = [state["network_x"], state["network_y"], KINDS[state["network_kind"]]]
        change(links.clean_own([*map(list, own), point]))

    with st.container(**ROW):
        st.segmented_control(
            "A click adds",
            list(KINDS),
            default="■ a square",
            required=True,
            key="network_kind",
            persist_state="session",
        )
        for axis in "xy":
            st.number_input(
                axis, -links.EDGE, links.EDGE, 0.0, 0.1, key=f"network_{axis}", width=110
            )
        st.button("Add it", on_click=add)
        st.button("Take the last away", on_click=change, args=(own[:-1],), disabled=not own)
        st.button("Clear", on_click=change, args=((),), disabled=not own)
    return own


def _choose(label: str, name: str, options, shown, width: int):
    return st.selectbox(
        label,
        list(options),
        format_func=shown,
        key=f"network_{name}",
        persist_state="session",
        width=width,
    )


def table() -> datasets.Points | None:
    """The reader's own table, pasted or uploaded; its faults are said, row by row."""
    st.session_state.setdefault("network_table", EXAMPLE)
    paste, upload = st.columns([3, 2])
    text = paste.text_area(
        "Two numbers and a label a line",
        height=160,
        max_chars=datasets.LONGEST,
        key="network_table",
        persist_state="session",
    )
    file = upload.file_uploader("Or a file", type=["csv", "tsv", "txt"], max_upload_size=1)
    if file is not None:
        text = file.getvalue().decode("utf-8", errors="replace")
    try:
        reading = datasets.read_points(text)
    except ValueError as problem:
        st.warning(prose.literal(str(problem)))
        return None
    first, second = (prose.literal(name) for name in reading.names)
    notes = [
        f"{len(reading.points)} points: circles are {first}, squares are {second}. Each column is "
        f"shifted and scaled to run from −1 to 1.{_too_long(len(reading.points))}",
        *map(prose.literal, reading.skipped[:8]),
    ]
    if len(reading.skipped) > 8:
        notes.append(f"And {len(reading.skipped) - 8} more rows could not be used.")
    st.markdown("\n".join(f"- :small[{note}]" for note in notes))
    return reading.points


def _too_long(count: int) -> str:
    fits = count <= links.OWN
    return "" if fits else f" More than {links.OWN} points do not fit into the address of the page."
