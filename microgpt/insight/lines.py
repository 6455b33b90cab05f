"""A program read beside its running values: which line ran, and what it made.

Python itself tells: while a function of ours runs, the interpreter calls back before each of its
lines, and what is new among its variables since the last one is what that line made.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FIRST = 6  # numbers of an array that are kept


@dataclass(frozen=True)
class Value:
    """A variable after a line: its shape (None for what is no array), and a few of its numbers.

    The numbers are those of the last row from `start` on: where it changed, or its beginning.
    """

    name: str
    shape: tuple[int, ...] | None
    first: tuple[float, ...] = ()
    text: str = ""
    start: int = 0


@dataclass(frozen=True)
class Step:
    """One line that ran, by its number in the file; what it made or changed; where it stood.

    `loops` are the whole numbers that the watched loops had then, by name.
    """

    line: int
    made: tuple[Value, ...]
    loops: tuple[tuple[str, int], ...]


def last_row(array) -> np.ndarray:
    return (array if array.ndim < 2 else array[-1]).reshape(-1)


def value_of(name: str, value, before=None) -> Value:
    """A variable as it is told; `before` is the last row that it had when the same array was told
    last, so that what was written into it is what is shown."""
    if isinstance(value, np.ndarray | np.generic):
        row = last_row(np.asarray(value))
        changed = np.flatnonzero(row != before) if before is not None else ()
        start = int(changed[0]) if len(changed) else 0
        first = tuple(float(x) for x in row[start : start + FIRST])
        return Value(name, np.shape(value), first, start=start)
    if isinstance(value, slice):
        return Value(name, None, text=f"{value.start} to {value.stop - 1}")
    return Value(name, None, text=str(value)[:60])


def fingerprint(value):
    """Something that changes when a variable does: also when an array's last row is written into.

    It is taken before every line, so it must cost little, however large the array is.
    """
    if isinstance(value, np.ndarray):
        row = last_row(value)
        return id(value), float(row[np.isfinite(row)].sum())
    return value if isinstance(value, int | str) else id(value)


def run(function: Callable, *given, watch=(), loops=()) -> tuple[object, tuple[Step, ...]]:
    """Call a function of ours; what it returned, and every step it took on the way.

    Only its own lines count, not those of functions that it calls. `watch` are the variables that
    are told of, `loops` those that say how often a line has run.
    """
    code, steps, pending, known, rows = function.__code__, [], [None], {}, {}

    def settle(variables) -> None:
        made = []
        for name in watch:
            if name not in variables or known.get(name) == fingerprint(variables[name]):
                continue
            value, mark = variables[name], fingerprint(variables[name])
            if isinstance(value, np.ndarray):
                same = isinstance(known.get(name), tuple) and known[name][0] == mark[0]
                made.append(value_of(name, value, rows[name] if same else None))
                rows[name] = last_row(value).copy()
            else:
                made.append(value_of(name, value))
            known[name] = mark
        if pending[0] is not None:
            where = tuple((name, int(variables[name])) for name in loops if name in variables)
            steps.append(Step(pending[0], tuple(made), where))

    def inside(frame, event, argument):
        if event in ("line", "return"):
            settle(frame.f_locals)
            pending[0] = frame.f_lineno if event == "line" else None
        return inside

    def entered(frame, event, argument):
        return inside if frame.f_code is code else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        returned = function(*given)
    finally:
        sys.settrace(before)
    return returned, tuple(steps)
