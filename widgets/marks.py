"""The quiet line under each result: what kind of number this is, and whose."""

import streamlit as st

KINDS = {  # kind: (icon, what it means)
    "computed": ("check_circle", "by microgpt, just now"),
    "measured": ("timer", "timed or trained, here or in a recorded run"),
    "reported": ("menu_book", "said elsewhere; not measured here"),
    "illustrative": ("draw", "made up to explain"),
}


def line(
    kind: str,
    by: str | None = None,
    where: str | None = None,
    seconds: float | None = None,
    source: str | None = None,
    year: int | None = None,
) -> str:
    """The words of a mark: "computed now by tiny-base, layer 3, head 1, in 1.8 ms".

    ValueError for an unknown kind, and for a reported figure without source and year.
    """
    if kind not in KINDS:
        raise ValueError(f"A mark is one of {', '.join(KINDS)}, not {kind!r}.")
    if kind == "reported" and not (source and year):
        raise ValueError("A reported figure needs its source and its year.")
    words = ["computed now" if kind == "computed" else kind]
    if by:
        words.append(f"by {by}")
    if where:
        words[-1] += ","
        words.append(where)
    if seconds is not None:
        words[-1] += ","
        words.append(f"in {duration(seconds)}")
    if source:
        words[-1] += ":"
        words.append(f"{source}, {year}" if year else source)
    return " ".join(words)


def duration(seconds: float) -> str:
    """A time in words that suit its size: "38 µs", "1.8 ms", "2.4 s", "3 min 20 s"."""
    if seconds < 0:
        raise ValueError(f"A duration is not negative; this one is {seconds} s.")
    if seconds < 9.995e-4:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        milliseconds = seconds * 1e3
        return f"{milliseconds:.1f} ms" if milliseconds < 9.95 else f"{milliseconds:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def mark(kind: str, **facts) -> None:
    """Draw the line; the facts are those of `line`."""
    icon, _ = KINDS.get(kind, ("", ""))
    words = line(kind, **facts).replace("[", "\\[").replace("]", "\\]")
    st.markdown(f":small[:gray[:material/{icon}: {words}]]")
